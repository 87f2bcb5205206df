//! The possible decisions in each state of a batch, as tables on the CPU. A *candidate* is an invocation with options.

use state_graph::{NodeType, Schema, StateGraph};

/// The candidates of each graph and the options of each candidate.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// `[graphs + 1]`: index of each graph's first candidate; the last entry is the number of candidates.
    pub(crate) graph_starts: Vec<usize>,
    /// `[candidates]`: row of each candidate in the embeddings.
    pub(crate) candidate_nodes: Vec<i64>,
    /// `[candidates]`: graph of each candidate.
    pub(crate) candidate_graphs: Vec<i64>,
    /// `[candidates + 1]`: index of each candidate's first option; the last entry is the number of options.
    pub(crate) candidate_starts: Vec<usize>,
    /// `[candidates, option features]`: elementwise maximum over a candidate's options.
    pub(crate) candidate_features: Vec<f32>,
    /// `[graphs + 1]`: index of each graph's first option; the last entry is the number of options.
    pub(crate) option_starts: Vec<usize>,
    /// `[options]`: index of each option's size.
    pub(crate) option_sizes: Vec<u32>,
    /// `[options]`: row of each option's resource in the embeddings.
    pub(crate) option_nodes: Vec<i64>,
    /// `[options, option features]`: the features of each option, as in the state.
    pub(crate) option_features: Vec<f32>,
    /// `[graphs]`: whether *wait* is allowed.
    pub(crate) may_wait: Vec<bool>,
    /// `[graphs]`: 1 where the prior would wait, else 0; empty without a prior.
    pub(crate) prior_waits: Vec<f32>,
}

/// 1 for each row whose last feature is above 0, else 0.
pub(crate) fn marks(rows: &[f32], width: usize) -> impl Iterator<Item = f32> + '_ {
    rows.chunks(width.max(1)).map(|row| f32::from(u8::from(row.last().is_some_and(|&mark| mark > 0.0))))
}

impl Choices {
    /// The candidates of a graph, as indices into the table of candidates.
    pub(crate) fn candidates(&self, graph: usize) -> std::ops::Range<usize> {
        self.graph_starts[graph]..self.graph_starts[graph + 1]
    }

    /// `[candidates]`: 1 for the invocation that the prior would start, else 0.
    pub(crate) fn candidate_priors(&self) -> Vec<f32> {
        let candidates = self.candidate_nodes.len();
        marks(&self.candidate_features, self.candidate_features.len() / candidates.max(1)).collect()
    }

    /// The options of a candidate, as indices into the table of options.
    pub(crate) fn options(&self, candidate: usize) -> std::ops::Range<usize> {
        self.candidate_starts[candidate]..self.candidate_starts[candidate + 1]
    }

    /// The candidate to which `option` (an index into the table of options) belongs.
    pub(crate) fn candidate_of(&self, graph: usize, option: usize) -> usize {
        let candidates = self.candidates(graph);
        let starts = &self.candidate_starts[candidates.start..=candidates.end];
        candidates.start + starts.partition_point(|&start| start <= option) - 1
    }

    /// Adds the tables of a graph; `embedding` maps a node's type and its number in `state` to its row in the
    /// embeddings.
    pub(crate) fn push(
        &mut self,
        state: &StateGraph,
        schema: &Schema,
        graph: i64,
        embedding: impl Fn(NodeType, u32) -> i64,
    ) {
        let width = schema.options.len();
        let [invocations, sizes, resources] = state.option_indices();
        let features = state.option_features(schema);
        self.graph_starts.push(self.candidate_nodes.len());
        self.option_starts.push(self.option_sizes.len());
        self.may_wait.push(state.may_wait);
        if schema.has_prior() {
            self.prior_waits.extend(state.globals(schema).last());
        }
        let mut previous = None;
        for (option, &invocation) in invocations.iter().enumerate() {
            let row = &features[option * width..(option + 1) * width];
            if previous == Some(invocation) {
                let best = self.candidate_features.len() - width;
                for (best, &value) in self.candidate_features[best..].iter_mut().zip(row) {
                    *best = best.max(value);
                }
            } else {
                self.candidate_nodes.push(embedding(NodeType::Invocation, invocation));
                self.candidate_graphs.push(graph);
                self.candidate_starts.push(self.option_sizes.len());
                self.candidate_features.extend_from_slice(row);
            }
            previous = Some(invocation);
            self.option_sizes.push(sizes[option]);
            self.option_nodes.push(embedding(NodeType::Resource, resources[option]));
            self.option_features.extend_from_slice(row);
        }
    }

    /// Removes all graphs and keeps the allocated memory.
    pub(crate) fn clear(&mut self) {
        self.graph_starts.clear();
        self.candidate_nodes.clear();
        self.candidate_graphs.clear();
        self.candidate_starts.clear();
        self.candidate_features.clear();
        self.option_starts.clear();
        self.option_sizes.clear();
        self.option_nodes.clear();
        self.option_features.clear();
        self.may_wait.clear();
        self.prior_waits.clear();
    }

    /// Adds the last entries of the index tables, after the last graph.
    pub(crate) fn close(&mut self) {
        self.graph_starts.push(self.candidate_nodes.len());
        self.candidate_starts.push(self.option_sizes.len());
        self.option_starts.push(self.option_sizes.len());
    }
}
