//! States drawn at random, for tests.

use common::RunSeed;
use common::reward::RewardPart;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use state_graph::{EdgeType, NodeType, Schema, StateGraph, StateGraphBuilder, serverless};

/// Sizes to choose between.
pub(crate) const SIZES: u32 = 3;

/// The schema of the states here, with every node and edge type.
pub(crate) fn schema() -> Schema {
    let preference = [RewardPart::Latency, RewardPart::IdleMemory];
    serverless::with_levels(serverless::schema(SIZES as usize)).with_preference(&preference)
}

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    RunSeed(seed).rng(common::Stream::Scenario, 0)
}

fn row(rng: &mut ChaCha8Rng, width: usize) -> Vec<f32> {
    (0..width).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A state with every node type, several sizes and nodes to choose from; sometimes without running invocations.
pub(crate) fn state(schema: &Schema, rng: &mut ChaCha8Rng) -> StateGraph {
    let nodes =
        [rng.random_range(1..4), rng.random_range(1..5), rng.random_range(0..3), rng.random_range(1..4)];
    state_of(schema, nodes, rng)
}

/// The same with as many functions, resources, running and pending invocations.
pub(crate) fn state_of(schema: &Schema, nodes: [u32; 4], rng: &mut ChaCha8Rng) -> StateGraph {
    let [functions, resources, running, pending] = nodes;
    let mut builder = StateGraphBuilder::default();
    builder.globals(&row(rng, schema.globals.len()));
    for (kind, count) in [(NodeType::Function, functions), (NodeType::Resource, resources)] {
        for _ in 0..count {
            builder.node(kind, &row(rng, schema.nodes[kind as usize].len()));
        }
    }
    for kind in [EdgeType::Sharing, EdgeType::Dependency] {
        if functions > 1 && !schema.edges[kind as usize].is_empty() {
            let row = row(rng, schema.edges[kind as usize].len());
            builder.edge(kind, 0, rng.random_range(1..functions), &row);
        }
    }
    if !schema.edges[EdgeType::Warm as usize].is_empty() {
        let row = row(rng, schema.edges[EdgeType::Warm as usize].len());
        builder.edge(EdgeType::Warm, 0, rng.random_range(0..resources), &row);
    }
    for _ in 0..running {
        let node = builder.node(NodeType::Invocation, &row(rng, schema.nodes[2].len()));
        let features = row(rng, schema.edges[EdgeType::Allocation as usize].len());
        builder.edge(EdgeType::Allocation, node, rng.random_range(0..resources), &features);
    }
    for _ in 0..pending {
        let node = builder.node(NodeType::Invocation, &row(rng, schema.nodes[2].len()));
        builder.edge(EdgeType::InstanceOf, node, rng.random_range(0..functions), &[1.0]);
        for size in 0..SIZES {
            for resource in 0..resources {
                if rng.random_bool(0.6) || (size == 0 && resource == 0) {
                    let features = row(rng, schema.options.len());
                    builder.edge(EdgeType::Request, node, resource, &features);
                    let ends = [(NodeType::Invocation, node), (NodeType::Resource, resource)];
                    builder.option(ends[0], size, ends[1], &features);
                }
            }
        }
    }
    let temporal = schema.edges[EdgeType::Temporal as usize].len();
    for source in 1..(running + pending) * u32::from(temporal > 0) {
        builder.edge(EdgeType::Temporal, source - 1, source, &row(rng, temporal));
    }
    let groups = schema.nodes[NodeType::Group as usize].len();
    if groups > 0 {
        let all = builder.node(NodeType::Group, &row(rng, groups));
        let one = builder.node(NodeType::Group, &row(rng, groups));
        let mut join = |kind: EdgeType, member: u32, group: u32| {
            let row = row(rng, schema.edges[kind as usize].len());
            builder.edge(kind, member, group, &row);
        };
        (0..functions).for_each(|function| join(EdgeType::FunctionOf, function, one));
        (0..resources).for_each(|resource| join(EdgeType::ResourceOf, resource, all));
        join(EdgeType::GroupOf, one, all);
    }
    builder.may_wait(rng.random_bool(0.8));
    builder.build()
}
