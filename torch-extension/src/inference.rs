//! Layers on plain arrays, for many small graphs at once: no automatic differentiation, no dispatch from operation to
//! operation, no allocation. One thread; the caller's arrays are written in place.
//!
//! Every function panics where an array's length does not fit its layer's shape: that is a mistake of the caller, not
//! of the data.

use crate::ffi;

/// `activation(x W + b)`, with ReLU as activation or none.
#[derive(Clone, Debug, Default)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
    relu: bool,
}

impl Linear {
    /// `weight` is `[inputs, outputs]` row by row; `bias` has `outputs` numbers, or none.
    #[must_use]
    pub fn new(inputs: usize, weight: Vec<f32>, bias: Vec<f32>, relu: bool) -> Self {
        let outputs = weight.len().checked_div(inputs).unwrap_or(bias.len());
        assert_eq!(weight.len(), inputs * outputs, "weights have a row for each input");
        assert!(bias.is_empty() || bias.len() == outputs, "the bias has a number for each output");
        Linear { inputs, outputs, weight, bias, relu }
    }

    /// Numbers in a row of the result.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// `out` `[rows, outputs]` from `x` `[rows, inputs]`.
    pub fn apply(&self, x: &[f32], out: &mut [f32]) {
        self.call(x, None, out);
    }

    /// The same with `add` `[rows, outputs]` added before the activation.
    pub fn apply_adding(&self, x: &[f32], add: &[f32], out: &mut [f32]) {
        assert_eq!(add.len(), out.len(), "what is added has the shape of the result");
        self.call(x, Some(add), out);
    }

    /// `out += x W + b`.
    pub fn add_to(&self, x: &[f32], out: &mut [f32]) {
        let rows = self.rows(x, out);
        // SAFETY: as in `call`; the kernel reads a number of `out` before it writes that number, in the same thread.
        unsafe { ffi::longshore_linear(&self.shape(), x.as_ptr(), rows, out.as_ptr(), out.as_mut_ptr()) }
    }

    fn call(&self, x: &[f32], add: Option<&[f32]>, out: &mut [f32]) {
        let rows = self.rows(x, out);
        let add = add.map_or(std::ptr::null(), <[f32]>::as_ptr);
        // SAFETY: weight and bias have the shape that `new` checked, x and out `rows` rows, add is null or as long as
        // out.
        unsafe { ffi::longshore_linear(&self.shape(), x.as_ptr(), rows, add, out.as_mut_ptr()) }
    }

    fn rows(&self, x: &[f32], out: &[f32]) -> i64 {
        let rows = out.len() / self.outputs.max(1);
        assert_eq!(out.len(), rows * self.outputs, "the result has whole rows");
        assert_eq!(x.len(), rows * self.inputs, "as many rows come in as go out");
        rows as i64
    }

    fn shape(&self) -> ffi::Linear {
        ffi::Linear {
            inputs: self.inputs as i64,
            outputs: self.outputs as i64,
            weight: self.weight.as_ptr(),
            bias: if self.bias.is_empty() { std::ptr::null() } else { self.bias.as_ptr() },
            relu: self.relu,
        }
    }
}

/// Layer normalisation with gain and bias, ε = 1e-5.
#[derive(Clone, Debug, Default)]
pub struct LayerNorm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

impl LayerNorm {
    /// Of rows as long as `gain` and `bias`.
    #[must_use]
    pub fn new(gain: Vec<f32>, bias: Vec<f32>) -> Self {
        assert_eq!(gain.len(), bias.len(), "gain and bias are as long as a row");
        LayerNorm { gain, bias }
    }

    /// `out` from `x`, both `[rows, width]`.
    pub fn apply(&self, x: &[f32], out: &mut [f32]) {
        let width = self.gain.len();
        assert!(
            x.len() == out.len() && x.len().is_multiple_of(width),
            "as many whole rows come in as go out"
        );
        let (rows, gain, bias) = ((x.len() / width) as i64, self.gain.as_ptr(), self.bias.as_ptr());
        // SAFETY: x and out have `rows` rows of `width` numbers, gain and bias one.
        unsafe { ffi::longshore_layer_norm(x.as_ptr(), rows, width as i64, gain, bias, out.as_mut_ptr()) }
    }
}

/// The attention of [`crate::attention`].
#[derive(Clone, Debug, Default)]
pub struct GraphAttention {
    heads: usize,
    features: usize,
    relations: usize,
    attention: Vec<f32>,
    edge: Vec<f32>,
}

impl GraphAttention {
    /// `attention` is `[width]`, `edge` `[relations, 1 + features, width]`.
    #[must_use]
    pub fn new(heads: usize, features: usize, attention: Vec<f32>, edge: Vec<f32>) -> Self {
        let row = (1 + features) * attention.len();
        assert!(heads > 0 && attention.len().is_multiple_of(heads), "heads divide the width");
        assert_eq!(edge.len() % row, 0, "every relation has a constant and a row for each feature");
        GraphAttention { heads, features, relations: edge.len() / row, attention, edge }
    }

    /// `out` `[nodes, width]` from the projections of the same shape.
    pub fn apply(&self, edges: &SortedEdges, source: &[f32], target: &[f32], out: &mut [f32]) {
        let width = self.attention.len();
        assert_eq!(edges.feature_width, self.features, "edges have the features that there are weights for");
        assert!(edges.relations_below <= self.relations, "every relation has weights");
        for rows in [source.len(), target.len(), out.len()] {
            assert_eq!(rows, edges.nodes() * width, "every node has a row");
        }
        let shape = ffi::Attention {
            heads: self.heads as i64,
            head_width: (width / self.heads) as i64,
            features: self.features as i64,
        };
        let sorted = ffi::Edges {
            offsets: edges.offsets.as_ptr(),
            sources: edges.sources.as_ptr(),
            relations: edges.relations.as_ptr(),
            features: edges.features.as_ptr(),
        };
        let projections = ffi::Projections {
            source: source.as_ptr(),
            target: target.as_ptr(),
            attention: self.attention.as_ptr(),
            edge: self.edge.as_ptr(),
        };
        let nodes = edges.nodes() as i64;
        // SAFETY: rows, relations and features were counted above; `SortedEdges` keeps its ends within its nodes.
        unsafe { ffi::longshore_attention(&shape, &sorted, &projections, nodes, out.as_mut_ptr()) }
    }
}

/// Edges of one small graph (or of several beside each other) sorted by target; it keeps its memory from use to use.
#[derive(Clone, Debug, Default)]
pub struct SortedEdges {
    pushed: Vec<[u32; 3]>,
    pushed_features: Vec<f32>,
    offsets: Vec<i32>,
    next: Vec<i32>,
    sources: Vec<i32>,
    relations: Vec<i32>,
    features: Vec<f32>,
    feature_width: usize,
    relations_below: usize,
}

impl SortedEdges {
    /// Forgets all edges and nodes; the edges to come have `feature_width` features.
    pub fn clear(&mut self, feature_width: usize) {
        // What was sorted had features of another width: it must not be applied any more.
        self.offsets.clear();
        self.sources.clear();
        self.relations.clear();
        self.features.clear();
        self.pushed.clear();
        self.pushed_features.clear();
        self.feature_width = feature_width;
        self.relations_below = 0;
    }

    /// Adds an edge; features that `features` lacks are zero.
    pub fn push(&mut self, source: u32, target: u32, relation: u32, features: &[f32]) {
        assert!(features.len() <= self.feature_width, "an edge has no more features than there are columns");
        self.pushed.push([source, target, relation]);
        self.pushed_features.extend_from_slice(features);
        self.pushed_features.resize(self.pushed.len() * self.feature_width, 0.0);
        self.relations_below = self.relations_below.max(relation as usize + 1);
    }

    /// Sorts what was pushed, as edges among `nodes` nodes.
    pub fn sort(&mut self, nodes: usize) {
        self.offsets.clear();
        self.offsets.resize(nodes + 1, 0);
        for &[source, target, _] in &self.pushed {
            assert!((source as usize) < nodes && (target as usize) < nodes, "edges join nodes of the graph");
            self.offsets[target as usize + 1] += 1;
        }
        for node in 0..nodes {
            self.offsets[node + 1] += self.offsets[node];
        }
        self.next.clear();
        self.next.extend_from_slice(&self.offsets[..nodes]);
        let (count, width) = (self.pushed.len(), self.feature_width);
        self.sources.resize(count, 0);
        self.relations.resize(count, 0);
        self.features.resize(count * width, 0.0);
        for (edge, &[source, target, relation]) in self.pushed.iter().enumerate() {
            let place = self.next[target as usize] as usize;
            self.next[target as usize] += 1;
            self.sources[place] = source as i32;
            self.relations[place] = relation as i32;
            self.features[place * width..(place + 1) * width]
                .copy_from_slice(&self.pushed_features[edge * width..(edge + 1) * width]);
        }
    }

    fn nodes(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "every node has a row")]
    fn edges_that_were_cleared_and_not_sorted_again_are_not_applied() {
        let mut edges = SortedEdges::default();
        edges.clear(1);
        edges.push(0, 1, 0, &[0.5]);
        edges.sort(2);
        edges.clear(64);
        let attention = GraphAttention::new(1, 64, vec![0.0; 2], vec![0.0; 65 * 2]);
        attention.apply(&edges, &[0.0; 4], &[0.0; 4], &mut [0.0; 4]);
    }
}
