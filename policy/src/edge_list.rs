//! The edges of a batch before they are sorted.

use state_graph::{EdgeType, NODE_TYPES, Schema, StateGraph};
use torch_extension::{EdgeLayout, Edges};

/// Edges in both directions, in any order.
#[derive(Debug, Default)]
pub(crate) struct EdgeList {
    pub(crate) sources: Vec<u32>,
    pub(crate) targets: Vec<u32>,
    relations: Vec<u32>,
    features: Vec<f32>,
    feature_width: usize,
}

impl EdgeList {
    pub(crate) fn new(schema: &Schema) -> Self {
        EdgeList { feature_width: edge_feature_width(schema), ..EdgeList::default() }
    }

    /// Adds the edges of one type of a graph, each followed by its reverse. `first` is the row of the first node of
    /// each type.
    pub(crate) fn push(
        &mut self,
        schema: &Schema,
        state: &StateGraph,
        first: &[u32; NODE_TYPES],
        kind: EdgeType,
    ) {
        let features = state.edge_features(schema, kind);
        let width = schema.edges[kind as usize].len();
        self.push_ends(state, first, kind);
        for edge in 0..state.edges[kind as usize] as usize {
            let relation = 2 * kind as u32;
            self.relations.extend([relation, relation + 1]);
            for _ in 0..2 {
                self.features.extend_from_slice(&features[edge * width..(edge + 1) * width]);
                self.features.extend(std::iter::repeat_n(0.0, self.feature_width - width));
            }
        }
    }

    /// Like [`EdgeList::push`], but adds only sources and targets, without relations and features.
    pub(crate) fn push_ends(&mut self, state: &StateGraph, first: &[u32; NODE_TYPES], kind: EdgeType) {
        let (from, to) = state.edge_ends(kind);
        for (&from, &to) in from.iter().zip(to) {
            let from = first[kind.source() as usize] + from;
            let to = first[kind.target() as usize] + to;
            self.sources.extend([from, to]);
            self.targets.extend([to, from]);
        }
    }

    /// Adds edge `edge` of `other` with a new source and target.
    pub(crate) fn copy(&mut self, other: &EdgeList, edge: usize, source: u32, target: u32) {
        let width = self.feature_width;
        self.sources.push(source);
        self.targets.push(target);
        self.relations.push(other.relations[edge]);
        self.features.extend_from_slice(&other.features[edge * width..(edge + 1) * width]);
    }

    /// The edges sorted for attention. Targets are among the first `nodes` rows; sources may also be among the `halo`
    /// rows that follow.
    pub(crate) fn sorted(&self, nodes: usize, halo: usize) -> EdgeLayout {
        EdgeLayout::new(&Edges {
            source_nodes: nodes + halo,
            target_nodes: nodes,
            sources: &self.sources,
            targets: &self.targets,
            relations: &self.relations,
            features: &self.features,
            feature_width: self.feature_width,
        })
        .expect("edges of states join nodes of states")
    }
}

/// Number of features of the edge type with the most features.
pub(crate) fn edge_feature_width(schema: &Schema) -> usize {
    schema.edges.iter().map(Vec::len).max().unwrap_or(0)
}
