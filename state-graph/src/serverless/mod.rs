//! States of the `serverless` scenario. [`ServerlessGraph`] follows cluster events and keeps a record of every
//! function, node, container and invocation up to date. A state shows a part of it: functions with waiting invocations
//! or busy containers, every resource, the invocations that could start, and the running ones that are expected to
//! finish first.

mod counts;
mod features;
mod tracker;

use common::SimTime;
use common::cluster::StartOption;

use crate::schema::names;
use crate::{EDGE_TYPES, EdgeType, NodeType, Schema, StateGraph, StateGraphBuilder};

pub use counts::GraphCounts;
use tracker::Container;
pub use tracker::{ServerlessGraph, TrackerError};

/// Most running invocations that a state shows: those that are expected to finish first.
pub const RUNNING_WINDOW: usize = 16;
/// Most functions whose oldest pending invocation a state shows: those that have waited longest. The number is large,
/// because a policy that prefers short functions leaves long ones waiting, and these would fill a small window.
pub const PENDING_WINDOW: usize = 64;

/// Names of every feature, for a scheduler that decides between `sizes` sizes.
#[must_use]
pub fn schema(sizes: usize) -> Schema {
    let mut nodes: [Vec<String>; 3] = Default::default();
    nodes[NodeType::Function as usize] = names(&features::FUNCTION);
    nodes[NodeType::Resource as usize] = names(&features::RESOURCE);
    nodes[NodeType::Invocation as usize] = names(&features::INVOCATION);
    let mut edges: [Vec<String>; EDGE_TYPES] = Default::default();
    edges[EdgeType::InstanceOf as usize] = names(&["pending"]);
    edges[EdgeType::Warm as usize] = names(&features::WARM);
    edges[EdgeType::Allocation as usize] = names(&features::ALLOCATION);
    edges[EdgeType::Request as usize] = names(&features::OPTION);
    Schema { globals: names(&features::GLOBAL), nodes, edges, options: names(&features::OPTION), sizes }
}

impl ServerlessGraph {
    /// The state at `now`. Option i of the state is `options[i]`; the caller passes them sorted by (invocation, size,
    /// node). The memory of `builder` is reused.
    pub fn state(
        &self,
        now: SimTime,
        options: &[StartOption],
        builder: &mut StateGraphBuilder,
    ) -> StateGraph {
        builder.clear();
        builder.globals(&features::global(self, now));
        let mut functions = vec![None; self.functions.len()];
        for (function, state) in self.functions.iter().enumerate() {
            if state.pending + state.busy > 0 {
                let row = features::function(self, function, now);
                functions[function] = Some(builder.node(NodeType::Function, &row));
            }
        }
        let resources: Vec<u32> = (0..self.nodes.len())
            .map(|node| builder.node(NodeType::Resource, &features::resource(self, node, now)))
            .collect();
        for (function, node, idle) in self.idle_groups() {
            if let Some(place) = functions[function] {
                builder.edge(EdgeType::Warm, place, resources[node], &features::warm(&idle, now));
            }
        }
        let busy = self.busy(now);
        self.add_running(now, &busy, &functions, &resources, builder);
        self.add_options(now, options, &busy, &functions, &resources, builder);
        builder.may_wait(true);
        builder.build()
    }

    fn add_running(
        &self,
        now: SimTime,
        busy: &[(f64, &Container)],
        functions: &[Option<u32>],
        resources: &[u32],
        builder: &mut StateGraphBuilder,
    ) {
        for (remaining, container) in busy.iter().take(RUNNING_WINDOW) {
            let Some(function) = functions[container.function] else { continue };
            let node = builder.node(NodeType::Invocation, &features::running(self, container, *remaining));
            builder.edge(EdgeType::InstanceOf, node, function, &[0.0]);
            let row = features::allocation(container, *remaining, now);
            builder.edge(EdgeType::Allocation, node, resources[container.node], &row);
        }
    }

    fn add_options(
        &self,
        now: SimTime,
        options: &[StartOption],
        busy: &[(f64, &Container)],
        functions: &[Option<u32>],
        resources: &[u32],
        builder: &mut StateGraphBuilder,
    ) {
        let mut own_soonest = vec![None; self.functions.len()];
        for (remaining, container) in busy {
            own_soonest[container.function].get_or_insert(*remaining);
        }
        for group in options.chunk_by(|a, b| a.invocation == b.invocation) {
            let Some(pending) = self.pending(group[0].invocation) else { continue };
            let row = features::pending(self, pending, own_soonest[pending.function], now);
            let node = builder.node(NodeType::Invocation, &row);
            if let Some(function) = functions[pending.function] {
                builder.edge(EdgeType::InstanceOf, node, function, &[1.0]);
            }
            for option in group {
                let row = features::option(self, pending, option);
                let resource = resources[option.node.0 as usize];
                builder.edge(EdgeType::Request, node, resource, &row);
                builder.option(node, option.size, resource, &row);
            }
        }
    }
}
