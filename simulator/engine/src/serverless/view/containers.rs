//! What a scheduler sees of nodes and containers.

use common::ids::{FunctionId, NodeId};

use super::ServerlessView;
use crate::serverless::containers::{Container, State};
use crate::serverless::seen::{BusyContainer, IdleContainer, NodeState};

impl<'a> ServerlessView<'a> {
    /// Number of containers of a function that start or run now.
    #[must_use]
    #[inline]
    pub fn busy_containers(&self, function: FunctionId) -> u32 {
        self.simulation.containers.bound(function.0)
    }

    /// Number of idle containers of a function on a node.
    #[must_use]
    #[inline]
    pub fn idle_containers(&self, function: FunctionId, node: NodeId) -> u32 {
        self.simulation.containers.idle_count(function.0, node.0)
    }

    /// Nodes on which a function has idle containers, in no particular order, with their number.
    #[inline]
    pub fn warm_nodes(&self, function: FunctionId) -> impl Iterator<Item = (NodeId, u32)> + 'a {
        self.simulation.containers.warm_nodes(function.0).iter().map(|warm| (NodeId(warm.node), warm.count))
    }

    /// Idle containers of a node, the longest idle first.
    #[inline]
    pub fn idle_on(&self, node: NodeId) -> impl Iterator<Item = IdleContainer> + 'a {
        let containers = &self.simulation.containers;
        containers.idle_on(node.0).filter_map(|place| {
            let container = containers.get(place);
            let State::Idle { expires } = container.state else { return None };
            let function = FunctionId(container.function);
            let Container { id, memory_mb, since, .. } = *container;
            Some(IdleContainer { id, function, memory_mb, expires, since })
        })
    }

    /// Containers of a node that start cold or run, in no particular order.
    #[inline]
    pub fn busy_on(&self, node: NodeId) -> impl Iterator<Item = BusyContainer> + 'a {
        let containers = &self.simulation.containers;
        containers.busy_on(node.0).iter().map(|&place| {
            let container = containers.get(place);
            BusyContainer {
                id: container.id,
                function: FunctionId(container.function),
                memory_mb: container.memory_mb,
                since: container.since,
                starting: !container.booted,
                bound: matches!(container.state, State::Bound { .. }),
            }
        })
    }

    /// Seconds until a busy container is expected to be idle, given how long it has been busy. From estimates, also under
    /// `oracle`; the node's speed and the other containers on it are not considered.
    #[must_use]
    pub fn remaining_seconds(&self, container: &BusyContainer) -> f64 {
        let estimate = self.estimate(container.function);
        let elapsed = self.now().since(container.since).seconds();
        if !container.starting {
            return estimate.remaining(elapsed);
        }
        let runs = if container.bound { estimate.mean } else { 0.0 };
        estimate.cold_start_remaining(elapsed) + runs
    }

    /// The node with most free memory, the lowest of them; and its free memory in MB. In O(log n).
    #[must_use]
    #[inline]
    pub fn roomiest_node(&self) -> (NodeId, u32) {
        let (node, free_mb) = self.simulation.containers.roomiest();
        (NodeId(node), free_mb)
    }

    /// Memory of a node that no container holds, MB.
    #[must_use]
    #[inline]
    pub fn free_mb(&self, node: NodeId) -> u32 {
        self.simulation.containers.free_mb(node.0)
    }

    /// Memory of a node's idle containers, MB.
    #[must_use]
    #[inline]
    pub fn evictable_mb(&self, node: NodeId) -> u32 {
        self.simulation.containers.idle_mb(node.0)
    }

    /// Worker nodes, by id.
    #[inline]
    pub fn nodes(&self) -> impl Iterator<Item = NodeState> + 'a {
        let simulation = self.simulation;
        let view = *self;
        (0..simulation.workload.cluster.nodes.len() as u32).map(move |node| view.node(NodeId(node)))
    }

    /// One of them.
    #[must_use]
    #[inline]
    pub fn node(&self, node: NodeId) -> NodeState {
        let NodeId(place) = node;
        let [cpu_used, network_used] = self.simulation.execution.used(place);
        let containers = &self.simulation.containers;
        NodeState {
            id: node,
            free_mb: containers.free_mb(place),
            evictable_mb: containers.idle_mb(place),
            bound_mb: containers.bound_mb(place),
            up: containers.is_up(place),
            cpu_used,
            network_used,
        }
    }

    /// Largest container that fits on some node now, MB.
    #[must_use]
    #[inline]
    pub fn largest_fit_mb(&self) -> u32 {
        self.simulation.containers.largest_fit()
    }
}
