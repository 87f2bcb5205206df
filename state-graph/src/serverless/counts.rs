//! How much there is in a graph: as it was kept up to date, and counted anew from its containers and invocations.

use std::collections::BTreeMap;

use common::SimTime;

use super::tracker::{Phase, ServerlessGraph};

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphCounts {
    /// Invocations that wait, by function.
    pub pending: Vec<u32>,
    /// Containers that start or run, by function.
    pub busy: Vec<u32>,
    /// Memory of containers that start or run, by node, MB.
    pub bound_mb: Vec<u32>,
    /// Memory of idle containers, by node, MB.
    pub idle_mb: Vec<u32>,
    /// By (function, node): how many containers are idle there, and when the first of them will go.
    pub idle: BTreeMap<(usize, usize), (u32, SimTime)>,
    /// Edges of the whole graph.
    pub edges: usize,
}

impl ServerlessGraph {
    /// What events have kept up to date.
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

    /// The same, from scratch: it must equal [`ServerlessGraph::counts`].
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
