//! One state in flat arrays. Sections lie one after the other in the order of the schema: globals, node types, edge
//! types, options; their indices likewise.

use std::ops::Range;

use common::trajectory::Choice;
use common::{EDGE_TYPES, EdgeType, NODE_TYPES, NodeType};

use crate::schema::Schema;

/// Sections of features in a state: globals, each node type, each edge type, options.
pub(crate) const SECTIONS: usize = 1 + NODE_TYPES + EDGE_TYPES + 1;

/// The state of a cluster at one decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateGraph {
    /// Number of nodes of each type.
    pub nodes: [u32; NODE_TYPES],
    /// Number of edges of each type.
    pub edges: [u32; EDGE_TYPES],
    /// Number of options: decisions that are possible, *wait* aside.
    pub options: u32,
    /// Whether *wait* may be chosen.
    pub may_wait: bool,
    /// All features as `f32`, section by section, each section row by row.
    pub features: Vec<f32>,
    /// For each edge type its sources then its targets; then of the options the subjects, ways and objects.
    pub indices: Vec<u32>,
}

impl StateGraph {
    /// Where the features of each section lie, given the schema's widths.
    pub(crate) fn sections(&self, schema: &Schema) -> [Range<usize>; SECTIONS] {
        let mut start = 0;
        let mut section = 0;
        let mut ranges = [const { 0..0 }; SECTIONS];
        let mut push = |length: usize| {
            ranges[section] = start..start + length;
            start += length;
            section += 1;
        };
        push(schema.globals.len());
        (0..NODE_TYPES).for_each(|kind| push(self.nodes[kind] as usize * schema.nodes[kind].len()));
        (0..EDGE_TYPES).for_each(|kind| push(self.edges[kind] as usize * schema.edges[kind].len()));
        push(self.options as usize * schema.options.len());
        ranges
    }

    /// Features of the whole cluster, `[globals]`.
    #[must_use]
    pub fn globals(&self, schema: &Schema) -> &[f32] {
        &self.features[self.sections(schema)[0].clone()]
    }

    /// Features of the nodes of one type, `[nodes of the type, features]`, row by row.
    #[must_use]
    pub fn node_features(&self, schema: &Schema, kind: NodeType) -> &[f32] {
        &self.features[self.sections(schema)[1 + kind as usize].clone()]
    }

    /// Features of the edges of one type, `[edges of the type, features]`, row by row.
    #[must_use]
    pub fn edge_features(&self, schema: &Schema, kind: EdgeType) -> &[f32] {
        &self.features[self.sections(schema)[1 + NODE_TYPES + kind as usize].clone()]
    }

    /// Features of the options, `[options, features]`, row by row.
    #[must_use]
    pub fn option_features(&self, schema: &Schema) -> &[f32] {
        &self.features[self.sections(schema)[SECTIONS - 1].clone()]
    }

    /// Sources and targets of the edges of one type, `[edges of the type]` each. Nodes are numbered from 0 within their
    /// type.
    #[must_use]
    pub fn edge_ends(&self, kind: EdgeType) -> (&[u32], &[u32]) {
        let before: u32 = self.edges[..kind as usize].iter().sum();
        let (start, count) = (2 * before as usize, self.edges[kind as usize] as usize);
        (&self.indices[start..start + count], &self.indices[start + count..start + 2 * count])
    }

    /// Of the options, `[options]` each: the node that is acted upon (the invocation that would start), the way, and the node where
    /// (the resource on which it would start). Nodes are numbered over all types, in the order of
    /// [`NodeType`].
    #[must_use]
    pub fn option_indices(&self) -> [&[u32]; 3] {
        let start = 2 * self.edges.iter().sum::<u32>() as usize;
        let count = self.options as usize;
        [0, 1, 2].map(|column| &self.indices[start + column * count..start + (column + 1) * count])
    }

    /// Type of the node with a number over all types, and its number within its type.
    #[must_use]
    pub fn node_at(&self, number: u32) -> (NodeType, u32) {
        let mut left = number;
        for (kind, &count) in NodeType::ALL.into_iter().zip(&self.nodes) {
            if left < count || kind == NodeType::Group {
                return (kind, left);
            }
            left -= count;
        }
        unreachable!("groups are the last type")
    }

    /// Number over all types of the first node of each type.
    #[must_use]
    pub fn first_nodes(&self) -> [u32; NODE_TYPES] {
        std::array::from_fn(|kind| self.nodes[..kind].iter().sum())
    }

    /// A copy of the state that holds only the edges whose entry in `kept` is true, in the same order. `kept` has one
    /// entry for each edge, by edge type.
    #[must_use]
    pub fn with_edges(&self, schema: &Schema, kept: &[Vec<bool>; EDGE_TYPES]) -> StateGraph {
        let sections = self.sections(schema);
        let &StateGraph { nodes, options, may_wait, .. } = self;
        let mut state = StateGraph { nodes, options, may_wait, ..StateGraph::default() };
        state.features.extend_from_slice(&self.features[..sections[NODE_TYPES].end]);
        for (kind, kept) in EdgeType::ALL.into_iter().zip(kept) {
            let (sources, targets) = self.edge_ends(kind);
            let column = |ends: &[u32]| -> Vec<u32> {
                ends.iter().zip(kept).filter(|(_, kept)| **kept).map(|(end, _)| *end).collect()
            };
            state.indices.extend(column(sources));
            state.indices.extend(column(targets));
            state.edges[kind as usize] = kept.iter().filter(|kept| **kept).count() as u32;
            let width = schema.edges[kind as usize].len();
            let rows = self.edge_features(schema, kind);
            for edge in (0..kept.len()).filter(|&edge| kept[edge]) {
                state.features.extend_from_slice(&rows[edge * width..(edge + 1) * width]);
            }
        }
        state.features.extend_from_slice(self.option_features(schema));
        self.option_indices().iter().for_each(|column| state.indices.extend_from_slice(column));
        state
    }

    /// Adds how much each part of the reward counts: the last features of the cluster; `schema` has them
    /// ([`Schema::with_preference`]), the state has not yet, nor what a prior would do.
    pub fn add_preference(&mut self, schema: &Schema, factors: &[f32]) {
        let known = schema.globals.len() - factors.len() - usize::from(schema.has_prior());
        self.features.splice(known..known, factors.iter().copied());
    }

    /// Adds what the prior would do, the last feature of each option and of the cluster; `schema` has it
    /// ([`Schema::with_prior`]), the state has not yet. `None`: something that is not among the options, and not *wait*.
    pub fn mark_prior(&mut self, schema: &Schema, decision: Option<Choice>) {
        let (width, globals) = (schema.options.len() - 1, schema.globals.len() - 1);
        let options = self.features.len() - self.options as usize * width;
        let rows = self.features.split_off(options);
        for option in 0..self.options as usize {
            self.features.extend_from_slice(&rows[option * width..(option + 1) * width]);
            let is_chosen = decision == Some(Choice::Act(option as u32));
            self.features.push(f32::from(u8::from(is_chosen)));
        }
        self.features.insert(globals, f32::from(u8::from(decision == Some(Choice::Wait))));
    }

    /// Whether the state leaves nothing to decide: at most one of *wait* and the options is allowed.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.options + u32::from(self.may_wait) <= 1
    }
}

/// Collects the parts of a state in any order and lays them out.
#[derive(Debug, Default)]
pub struct StateGraphBuilder {
    globals: Vec<f32>,
    nodes: [(u32, Vec<f32>); NODE_TYPES],
    edges: [EdgeRows; EDGE_TYPES],
    options: OptionRows,
    may_wait: bool,
}

#[derive(Debug, Default)]
struct EdgeRows {
    sources: Vec<u32>,
    targets: Vec<u32>,
    features: Vec<f32>,
}

/// Type of a node, and its number within its type, counted from 0.
pub type Node = (NodeType, u32);

#[derive(Debug, Default)]
struct OptionRows {
    subjects: Vec<Node>,
    ways: Vec<u32>,
    objects: Vec<Node>,
    features: Vec<f32>,
}

impl StateGraphBuilder {
    /// Removes all parts and keeps the allocated memory for the next state.
    pub fn clear(&mut self) {
        self.globals.clear();
        for (count, features) in &mut self.nodes {
            *count = 0;
            features.clear();
        }
        for rows in &mut self.edges {
            rows.sources.clear();
            rows.targets.clear();
            rows.features.clear();
        }
        self.options.subjects.clear();
        self.options.ways.clear();
        self.options.objects.clear();
        self.options.features.clear();
        self.may_wait = false;
    }

    /// Sets the features of the whole cluster.
    pub fn globals(&mut self, features: &[f32]) {
        self.globals.clear();
        self.globals.extend_from_slice(features);
    }

    /// Adds a node and returns its number within its type, counted from 0.
    pub fn node(&mut self, kind: NodeType, features: &[f32]) -> u32 {
        let (count, rows) = &mut self.nodes[kind as usize];
        rows.extend_from_slice(features);
        *count += 1;
        *count - 1
    }

    /// Adds an edge. `source` and `target` are numbers that [`StateGraphBuilder::node`] returned.
    pub fn edge(&mut self, kind: EdgeType, source: u32, target: u32, features: &[f32]) {
        let rows = &mut self.edges[kind as usize];
        rows.sources.push(source);
        rows.targets.push(target);
        rows.features.extend_from_slice(features);
    }

    /// Adds an option: a way to act on `subject`, where `object` is.
    pub fn option(&mut self, subject: Node, way: u32, object: Node, features: &[f32]) {
        self.options.subjects.push(subject);
        self.options.ways.push(way);
        self.options.objects.push(object);
        self.options.features.extend_from_slice(features);
    }

    /// Says whether *wait* may be chosen.
    pub fn may_wait(&mut self, allowed: bool) {
        self.may_wait = allowed;
    }

    /// Lays the collected parts out as one state.
    #[must_use]
    pub fn build(&self) -> StateGraph {
        let mut state = StateGraph { may_wait: self.may_wait, ..StateGraph::default() };
        state.features.extend_from_slice(&self.globals);
        for (kind, (count, features)) in self.nodes.iter().enumerate() {
            state.nodes[kind] = *count;
            state.features.extend_from_slice(features);
        }
        for (kind, rows) in self.edges.iter().enumerate() {
            state.edges[kind] = rows.sources.len() as u32;
            state.features.extend_from_slice(&rows.features);
            state.indices.extend_from_slice(&rows.sources);
            state.indices.extend_from_slice(&rows.targets);
        }
        state.options = self.options.ways.len() as u32;
        state.features.extend_from_slice(&self.options.features);
        let first = state.first_nodes();
        let number = |&(kind, number): &Node| first[kind as usize] + number;
        state.indices.extend(self.options.subjects.iter().map(number));
        state.indices.extend_from_slice(&self.options.ways);
        state.indices.extend(self.options.objects.iter().map(number));
        state
    }
}
