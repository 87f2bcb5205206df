//! Counts of a graph, for checks: as events have kept them up to date, and recounted from containers and invocations.

use std::collections::BTreeMap;

use common::SimTime;

use super::tracker::{Phase, ServerlessGraph};

/// Counts of a graph's invocations, containers, memory and edges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphCounts {
    /// Number of waiting invocations, by function.
    pub pending: Vec<u32>,
    /// Number of containers that start or run, by function.
    pub busy: Vec<u32>,
    /// Memory of containers that start or run, by node, MB.
    pub bound_mb: Vec<u32>,
    /// Memory of idle containers, by node, MB.
    pub idle_mb: Vec<u32>,
    /// By (function, node): the number of idle containers and the earliest time at which one of them expires.
    pub idle: BTreeMap<(usize, usize), (u32, SimTime)>,
    /// Number of edges of the whole graph ([`ServerlessGraph::edge_count`]).
    pub edges: usize,
}

impl ServerlessGraph {
    /// The counts that events have kept up to date.
    #[must_use]
    pub fn counts(&self) -> GraphCounts {
        let idle = self.idle_groups();
        GraphCounts {
            pending: self.functions.iter().map(|function| function.pending).collect(),
            busy: self.functions.iter().map(|function| function.busy).collect(),
            bound_mb: self.nodes.iter().map(|node| node.bound_mb).collect(),
            idle_mb: self.nodes.iter().map(|node| node.idle_mb).collect(),
            idle: idle
                .map(|(function, node, one)| ((function, node), (one.count, one.first_expiry)))
                .collect(),
            edges: self.edge_count(),
        }
    }

    /// Counts everything again from containers and invocations; the result must equal [`ServerlessGraph::counts`].
    #[must_use]
    pub fn recount(&self) -> GraphCounts {
        let (functions, nodes) = (vec![0; self.functions.len()], vec![0; self.nodes.len()]);
        let mut counts = GraphCounts {
            pending: functions.clone(),
            busy: functions,
            bound_mb: nodes.clone(),
            idle_mb: nodes,
            ..GraphCounts::default()
        };
        self.all_pending().for_each(|pending| counts.pending[pending.function] += 1);
        for container in self.all_containers() {
            if let Phase::Idle { expires } = container.phase {
                counts.idle_mb[container.node] += container.memory_mb;
                let group = counts.idle.entry((container.function, container.node)).or_insert((0, expires));
                *group = (group.0 + 1, group.1.min(expires));
            } else {
                counts.bound_mb[container.node] += container.memory_mb;
                counts.busy[container.function] += 1;
            }
        }
        let sum = |counts: &[u32]| counts.iter().map(|&count| count as usize).sum::<usize>();
        counts.edges = counts.idle.len() + 2 * sum(&counts.busy) + sum(&counts.pending);
        counts
    }
}
