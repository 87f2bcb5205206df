//! Counts of a graph, for checks: as events have kept them up to date, and recounted from containers and invocations.

use std::collections::{BTreeMap, BTreeSet};

use common::SimTime;
use common::ids::InvocationId;

use super::container::Phase;
use super::tracker::ServerlessGraph;

/// Counts of a graph's invocations, containers, memory and edges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphCounts {
    /// Number of waiting invocations, by function.
    pub pending: Vec<u32>,
    /// The invocation of each function that has waited longest.
    pub heads: BTreeSet<InvocationId>,
    /// Number of containers that start or run, by function.
    pub busy: Vec<u32>,
    /// Memory of containers that start or run, by node, MB.
    pub bound_mb: Vec<u32>,
    /// Memory of idle containers, by node, MB.
    pub idle_mb: Vec<u32>,
    /// Memory of containers that start or run, by tenant, MB.
    pub tenant_mb: Vec<u64>,
    /// Memory that all waiting invocations ask for, MB.
    pub waiting_mb: u64,
    /// By (function, node, memory in MB): the number of idle containers and the earliest time at which one of them expires.
    pub idle: BTreeMap<(usize, usize, u32), (u32, SimTime)>,
    /// Number of edges of the whole graph ([`ServerlessGraph::edge_count`]).
    pub edges: usize,
}

impl ServerlessGraph {
    /// The counts that events have kept up to date.
    #[must_use]
    pub fn counts(&self) -> GraphCounts {
        let idle = self.warm.iter().map(|(&key, agenda)| {
            let first_expiry = agenda.first().map_or(SimTime::ZERO, |(expires, _)| *expires);
            (key, (agenda.len() as u32, first_expiry))
        });
        GraphCounts {
            pending: self.functions.iter().map(|function| function.pending).collect(),
            heads: self.queue.heads().map(|(id, _)| id).collect(),
            busy: self.functions.iter().map(|function| function.busy).collect(),
            bound_mb: self.nodes.iter().map(|node| node.bound_mb).collect(),
            idle_mb: self.nodes.iter().map(|node| node.idle_mb).collect(),
            tenant_mb: self.bound_of_tenant.clone(),
            waiting_mb: self.waiting_mb,
            idle: idle.collect(),
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
            tenant_mb: vec![0; self.bound_of_tenant.len()],
            ..GraphCounts::default()
        };
        let mut heads = BTreeMap::new();
        for (id, work) in self.queue.all() {
            counts.pending[work.function] += 1;
            counts.waiting_mb += u64::from(self.spec.functions[work.function].default_memory_mb);
            let head = heads.entry(work.function).or_insert(id);
            *head = id.min(*head);
        }
        counts.heads = heads.into_values().collect();
        for container in self.containers.values() {
            if let Phase::Idle { expires, .. } = container.phase {
                counts.idle_mb[container.node] += container.memory_mb;
                let key = (container.function, container.node, container.memory_mb);
                let group = counts.idle.entry(key).or_insert((0, expires));
                *group = (group.0 + 1, group.1.min(expires));
            } else {
                counts.bound_mb[container.node] += container.memory_mb;
                counts.busy[container.function] += 1;
                let tenant = self.spec.functions[container.function].tenant as usize;
                counts.tenant_mb[tenant] += u64::from(container.memory_mb);
            }
        }
        let sum = |counts: &[u32]| counts.iter().map(|&count| count as usize).sum::<usize>();
        counts.edges = counts.idle.len() + 2 * sum(&counts.busy) + sum(&counts.pending);
        counts
    }
}
