//! What is measured: a graph, and what is done on it.

use std::fmt;
use std::str::FromStr;

use state_graph::StateGraph;

use crate::graph::{self, Graph};
use crate::typed;

/// States of a typed minibatch, and the messages in each.
const BATCH: (usize, usize) = (64, 1000);

/// A graph to work on. Written `powerlaw-EDGES`, `batch`, `state-EDGES` and `states`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One graph of so many edges without features.
    PowerLaw(usize),
    /// 64 graphs of 200 nodes and 1000 edges.
    Batch,
    /// One state of a cluster, with types and edge features, along whose edges so many messages pass.
    State(usize),
    /// 64 states of 100 nodes and 1000 messages.
    States,
}

impl Work {
    /// The names of [`Work::kind`].
    pub const KINDS: [&'static str; 4] = ["powerlaw", "batch", "state", "states"];

    /// What the work is called without its size.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Work::PowerLaw(_) => "powerlaw",
            Work::Batch => "batch",
            Work::State(_) => "state",
            Work::States => "states",
        }
    }

    /// Edges along which messages pass in one layer, all graphs together.
    #[must_use]
    pub fn edges(self) -> usize {
        match self {
            Work::PowerLaw(edges) | Work::State(edges) => edges,
            Work::Batch => 64_000,
            Work::States => BATCH.0 * BATCH.1,
        }
    }

    /// Whether edges have relations and features.
    #[must_use]
    pub fn is_typed(self) -> bool {
        matches!(self, Work::State(_) | Work::States)
    }

    /// The states of typed work; none of the other.
    pub(crate) fn states(self) -> Vec<StateGraph> {
        match self {
            Work::State(messages) => vec![typed::state(messages, 0)],
            Work::States => (0..BATCH.0).map(|index| typed::state(BATCH.1, index)).collect(),
            Work::PowerLaw(_) | Work::Batch => Vec::new(),
        }
    }

    /// The work as one graph.
    pub(crate) fn graph(self) -> Graph {
        match self {
            Work::PowerLaw(edges) => graph::power_law(edges),
            Work::Batch => graph::batch(),
            Work::State(_) | Work::States => typed::as_graph(&typed::schema(), &self.states()),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::PowerLaw(edges) => write!(f, "powerlaw-{edges}"),
            Work::Batch => f.write_str("batch"),
            Work::State(edges) => write!(f, "state-{edges}"),
            Work::States => f.write_str("states"),
        }
    }
}

impl FromStr for Work {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sized = |prefix: &str| text.strip_prefix(prefix)?.parse().ok();
        match text {
            "batch" => Ok(Work::Batch),
            "states" => Ok(Work::States),
            _ => sized("powerlaw-")
                .map(Work::PowerLaw)
                .or_else(|| sized("state-").map(Work::State))
                .ok_or_else(|| format!("`{text}` is none of powerlaw-EDGES, batch, state-EDGES and states")),
        }
    }
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Forward, backward and the optimiser's step on the whole graph.
    Epoch,
    /// Forward without gradient.
    Inference,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pass::Epoch => "epoch",
            Pass::Inference => "inference",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_read_as_it_is_written() {
        for work in [Work::PowerLaw(1000), Work::Batch, Work::State(10), Work::States] {
            assert_eq!(work.to_string().parse(), Ok(work));
            assert!(Work::KINDS.contains(&work.kind()) && work.to_string().starts_with(work.kind()));
        }
        assert!("powerlaw-x".parse::<Work>().unwrap_err().contains("powerlaw-x"));
    }

    #[test]
    fn the_graph_has_the_edges_that_the_work_says() {
        for work in [Work::PowerLaw(1000), Work::Batch, Work::State(2000), Work::States] {
            let edges = work.graph().sources.len() as f64;
            assert!((edges / work.edges() as f64 - 1.0).abs() < 0.01, "{work}: {edges}");
            assert_eq!(work.is_typed(), !work.graph().edge_relations.is_empty());
        }
    }
}
