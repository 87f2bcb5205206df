//! Edges sorted for attention: by the node that they enter, and from there by the node that they leave.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::TorchExtensionError;

/// A list of edges in any order.
#[derive(Clone, Copy, Debug)]
pub struct Edges<'a> {
    /// Number of nodes that edges may leave.
    pub source_nodes: usize,
    /// Number of nodes that edges may enter.
    pub target_nodes: usize,
    /// `[edges]`: source node of each edge.
    pub sources: &'a [u32],
    /// `[edges]`: target node of each edge.
    pub targets: &'a [u32],
    /// `[edges]`: relation of each edge; empty where edges have no terms of their own.
    pub relations: &'a [u32],
    /// `[edges, feature_width]`, row by row.
    pub features: &'a [f32],
    /// Number of features of an edge.
    pub feature_width: usize,
}

/// An edge that enters a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnteringEdge {
    /// Its place in the order of targets.
    pub place: i64,
    /// Its source.
    pub source: i64,
    /// Its relation; 0 where edges have none.
    pub relation: i64,
}

/// Edges sorted by target (compressed sparse rows), with an index by source for the backward pass, as tensors.
#[derive(Debug)]
pub struct EdgeLayout {
    pub(crate) source_nodes: i64,
    pub(crate) target_nodes: i64,
    /// `[targets + 1]`, like all indices here of kind `Int`.
    pub(crate) offsets: Tensor,
    /// `[edges]`: source of each edge in the order of targets.
    pub(crate) sources: Tensor,
    /// `[edges]`: target of each.
    pub(crate) targets: Tensor,
    /// `[edges]`: relation of each.
    pub(crate) relations: Option<Tensor>,
    /// `[edges, feature width]`.
    pub(crate) features: Option<Tensor>,
    /// `[sources + 1]`.
    pub(crate) out_offsets: Tensor,
    /// `[edges]` in the order of sources: place in the order of targets.
    pub(crate) out_places: Tensor,
    /// `[edges]` in the order of sources: target.
    pub(crate) out_targets: Tensor,
    largest_relation: i64,
}

impl EdgeLayout {
    /// The edges that enter `target`.
    #[must_use]
    pub fn entering(&self, target: i64) -> Vec<EnteringEdge> {
        let places = self.offsets.int64_value(&[target])..self.offsets.int64_value(&[target + 1]);
        let relation = |place| self.relations.as_ref().map_or(0, |relations| relations.int64_value(&[place]));
        let edge = |place| EnteringEdge {
            place,
            source: self.sources.int64_value(&[place]),
            relation: relation(place),
        };
        places.map(edge).collect()
    }

    /// Sorts `edges` in time linear in them; edges of one target keep their order.
    ///
    /// # Errors
    /// [`TorchExtensionError::Argument`] where lengths differ, an end is no node, or there are more than 2³¹ − 1 edges.
    pub fn new(edges: &Edges<'_>) -> Result<Self, TorchExtensionError> {
        check(edges)?;
        let (offsets, order) = counting_sort(edges.targets, edges.target_nodes);
        let gather =
            |values: &[u32]| -> Vec<i32> { order.iter().map(|&edge| values[edge as usize] as i32).collect() };
        let (sources, targets) = (gather(edges.sources), gather(edges.targets));
        let by_target: Vec<u32> = sources.iter().map(|&source| source as u32).collect();
        let (out_offsets, out_places) = counting_sort(&by_target, edges.source_nodes);
        let out_targets: Vec<i32> = out_places.iter().map(|&place| targets[place as usize]).collect();
        let width = edges.feature_width;
        let mut features = Vec::with_capacity(edges.features.len());
        if width > 0 {
            for &edge in &order {
                features
                    .extend_from_slice(&edges.features[edge as usize * width..(edge as usize + 1) * width]);
            }
        }
        let typed = !edges.relations.is_empty();
        Ok(EdgeLayout {
            source_nodes: edges.source_nodes as i64,
            target_nodes: edges.target_nodes as i64,
            offsets: Tensor::from_slice(&offsets),
            sources: Tensor::from_slice(&sources),
            targets: Tensor::from_slice(&targets),
            relations: typed.then(|| Tensor::from_slice(&gather(edges.relations))),
            features: (typed && width > 0)
                .then(|| Tensor::from_slice(&features).view([order.len() as i64, width as i64])),
            out_offsets: Tensor::from_slice(&out_offsets),
            out_places: Tensor::from_slice(&out_places.iter().map(|&place| place as i32).collect::<Vec<_>>()),
            out_targets: Tensor::from_slice(&out_targets),
            largest_relation: edges.relations.iter().max().map_or(-1, |&relation| i64::from(relation)),
        })
    }

    /// Number of edges.
    #[must_use]
    pub fn edges(&self) -> i64 {
        self.sources.size()[0]
    }

    /// Successive ranges of targets that at most `max_edges` edges enter; a hub with more is a range of its own.
    pub(crate) fn chunks(&self, max_edges: i64) -> Result<Vec<Range<i64>>, TorchExtensionError> {
        let offsets = Vec::<i32>::try_from(&self.offsets)?;
        let mut ranges = Vec::new();
        let mut start = 0;
        while start + 1 < offsets.len() {
            let bound = i64::from(offsets[start]) + max_edges;
            // Offsets only rise, so the last target that still fits can be looked up.
            let fitting = offsets[start + 1..].partition_point(|&end| i64::from(end) <= bound);
            let end = start + fitting.max(1);
            ranges.push(start as i64..end as i64);
            start = end;
        }
        Ok(ranges)
    }

    /// The edges that enter `targets`, with targets renumbered from 0. Only for the forward pass: the index by source
    /// is still that of the whole graph.
    pub(crate) fn of_targets(&self, targets: &Range<i64>) -> Result<Self, TorchExtensionError> {
        let first = self.offsets.f_int64_value(&[targets.start])?;
        let edges = self.offsets.f_int64_value(&[targets.end])? - first;
        let rows = |column: &Tensor| column.f_narrow(0, first, edges);
        let count = targets.end - targets.start;
        Ok(EdgeLayout {
            source_nodes: self.source_nodes,
            target_nodes: count,
            offsets: self.offsets.f_narrow(0, targets.start, count + 1)?.f_sub_scalar(first)?,
            sources: rows(&self.sources)?,
            targets: rows(&self.targets)?.f_sub_scalar(targets.start)?,
            relations: self.relations.as_ref().map(rows).transpose()?,
            features: self.features.as_ref().map(rows).transpose()?,
            out_offsets: self.out_offsets.shallow_clone(),
            out_places: self.out_places.shallow_clone(),
            out_targets: self.out_targets.shallow_clone(),
            largest_relation: self.largest_relation,
        })
    }

    /// The same with features of another kind; `Double` is for checking gradients.
    #[must_use]
    pub fn to_kind(mut self, kind: Kind) -> Self {
        self.features = self.features.map(|features| features.to_kind(kind));
        self
    }

    /// The same on another device, where [`crate::attention::attend`] then computes.
    #[must_use]
    pub fn to_device(mut self, device: Device) -> Self {
        let indices = [
            &mut self.offsets,
            &mut self.sources,
            &mut self.targets,
            &mut self.out_offsets,
            &mut self.out_places,
            &mut self.out_targets,
        ];
        let optional = self.relations.as_mut().into_iter().chain(&mut self.features);
        indices.into_iter().chain(optional).for_each(|tensor| *tensor = tensor.to_device(device));
        self
    }

    /// The least number of relations and the exact number of features that the weights of edge terms must have.
    pub(crate) fn edge_terms(&self) -> Option<(i64, i64)> {
        self.relations.as_ref()?;
        Some((self.largest_relation + 1, self.features.as_ref().map_or(0, |features| features.size()[1])))
    }
}

fn check(edges: &Edges<'_>) -> Result<(), TorchExtensionError> {
    let count = edges.sources.len();
    let wrong = |argument, found: String, expected: String| {
        Err(TorchExtensionError::Argument { argument, found, expected })
    };
    if count > i32::MAX as usize || edges.source_nodes.max(edges.target_nodes) >= i32::MAX as usize {
        return wrong("edges", format!("are {count}"), format!("at most {}", i32::MAX));
    }
    if edges.targets.len() != count {
        return wrong(
            "targets",
            format!("are {}", edges.targets.len()),
            format!("as many as sources, {count}"),
        );
    }
    if !edges.relations.is_empty() && edges.relations.len() != count {
        return wrong("relations", format!("are {}", edges.relations.len()), format!("none or {count}"));
    }
    if edges.features.len() != count * edges.feature_width {
        let expected = format!("{count} rows of {}", edges.feature_width);
        return wrong("features", format!("are {} numbers", edges.features.len()), expected);
    }
    for (argument, ends, nodes) in
        [("source", edges.sources, edges.source_nodes), ("target", edges.targets, edges.target_nodes)]
    {
        if let Some(edge) = ends.iter().position(|&end| end as usize >= nodes) {
            return wrong(
                argument,
                format!("of edge {edge} is node {}", ends[edge]),
                format!("one of {nodes} nodes"),
            );
        }
    }
    Ok(())
}

/// The start of each key's entries in the sorted order, and the sorted order as original indices; equal keys keep their
/// order.
fn counting_sort(keys: &[u32], distinct: usize) -> (Vec<i32>, Vec<u32>) {
    let mut offsets = vec![0_i32; distinct + 1];
    for &key in keys {
        offsets[key as usize + 1] += 1;
    }
    for key in 0..distinct {
        offsets[key + 1] += offsets[key];
    }
    let mut next: Vec<i32> = offsets[..distinct].to_vec();
    let mut order = vec![0_u32; keys.len()];
    for (place, &key) in keys.iter().enumerate() {
        let slot = &mut next[key as usize];
        order[*slot as usize] = place as u32;
        *slot += 1;
    }
    (offsets, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_all_targets_within_the_bound() {
        // In-degrees 3, 0, 5, 1, 1, 0.
        let targets = [0, 2, 2, 0, 3, 2, 0, 4, 2, 2];
        let layout = EdgeLayout::new(&Edges {
            source_nodes: 1,
            target_nodes: 6,
            sources: &[0; 10],
            targets: &targets,
            relations: &[],
            features: &[],
            feature_width: 0,
        })
        .unwrap();
        assert_eq!(layout.chunks(4).unwrap(), [0..2, 2..3, 3..6]);
        assert_eq!(layout.chunks(0).unwrap(), [0..1, 1..2, 2..3, 3..4, 4..5, 5..6]);
        assert_eq!(layout.chunks(10).unwrap().len(), 1);
    }
}
