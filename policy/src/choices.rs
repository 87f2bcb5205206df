//! The possible decisions in each state of a batch, as tables on the CPU.

use std::ops::Range;

use state_graph::{NodeType, Schema, StateGraph};

/// The options of each graph.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// `[graphs + 1]`: index of each graph's first option; the last entry is the number of options.
    pub(crate) starts: Vec<usize>,
    /// `[options]`: graph of each option.
    pub(crate) graphs: Vec<i64>,
    /// Embedding rows of all subjects, each once in its graph, and of all objects likewise.
    pub(crate) ends: [Vec<i64>; 2],
    /// `[options]`: each option's subject, as a place in `ends[0]`, and its object, as a place in `ends[1]`.
    pub(crate) places: [Vec<i64>; 2],
    /// `[options]`: each option's way.
    pub(crate) ways: Vec<i64>,
    /// `[options, option features]`: the features of each option, as in the state.
    pub(crate) features: Vec<f32>,
    /// `[graphs]`: whether *wait* is allowed.
    pub(crate) may_wait: Vec<bool>,
    /// `[options]` and `[graphs]` where there is a prior, else empty: 1 for the option that it would take, or for *wait*.
    prior_options: Vec<f32>,
    prior_waits: Vec<f32>,
    /// By node of the graph that is being added: its place in `ends`, below 0 where it has none yet; its memory is used again.
    known: [Vec<i64>; 2],
}

impl Choices {
    /// Number of options of all graphs.
    pub(crate) fn options(&self) -> usize {
        self.ways.len()
    }

    /// The options of a graph, as indices into the tables.
    pub(crate) fn of(&self, graph: usize) -> Range<usize> {
        self.starts[graph]..self.starts[graph + 1]
    }

    /// Number of alternatives of a graph, *wait* included.
    pub(crate) fn alternatives(&self, graph: usize) -> usize {
        self.of(graph).len() + usize::from(self.may_wait[graph])
    }

    /// `[options + graphs]`: 1 for what the prior would do, else 0; one entry for each option, then one for *wait* in each graph.
    pub(crate) fn priors(&self) -> impl Iterator<Item = f32> + '_ {
        self.prior_options.iter().chain(&self.prior_waits).copied()
    }

    /// Adds the options of a graph; `embedding` maps a node's type and its number in `state` to its row in the embeddings.
    pub(crate) fn push(
        &mut self,
        state: &StateGraph,
        schema: &Schema,
        graph: i64,
        embedding: impl Fn(NodeType, u32) -> i64,
    ) {
        let width = schema.options.len();
        let [subjects, ways, objects] = state.option_indices();
        let features = state.option_features(schema);
        self.starts.push(self.options());
        self.graphs.extend(std::iter::repeat_n(graph, ways.len()));
        self.ways.extend(ways.iter().map(|&way| i64::from(way)));
        self.features.extend_from_slice(features);
        self.may_wait.push(state.may_wait);
        if schema.has_prior() {
            self.prior_options.extend(features.chunks(width).map(|row| row[width - 1]));
            self.prior_waits.extend(state.globals(schema).last());
        }
        for (side, nodes) in [subjects, objects].into_iter().enumerate() {
            self.push_ends(side, state, nodes, &embedding);
        }
    }

    fn push_ends(
        &mut self,
        side: usize,
        state: &StateGraph,
        nodes: &[u32],
        embedding: &impl Fn(NodeType, u32) -> i64,
    ) {
        let (known, ends) = (&mut self.known[side], &mut self.ends[side]);
        known.clear();
        known.resize(state.nodes.iter().sum::<u32>() as usize, -1);
        for &node in nodes {
            let place = &mut known[node as usize];
            if *place < 0 {
                *place = ends.len() as i64;
                let (kind, number) = state.node_at(node);
                ends.push(embedding(kind, number));
            }
            self.places[side].push(*place);
        }
    }

    /// Removes all graphs and keeps the allocated memory.
    pub(crate) fn clear(&mut self) {
        self.starts.clear();
        self.graphs.clear();
        self.ends.iter_mut().chain(&mut self.places).for_each(Vec::clear);
        self.ways.clear();
        self.features.clear();
        self.may_wait.clear();
        self.prior_options.clear();
        self.prior_waits.clear();
    }

    /// Adds the last entry of the index table, after the last graph.
    pub(crate) fn close(&mut self) {
        self.starts.push(self.options());
    }
}
