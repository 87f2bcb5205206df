//! A container that outlived its estimate is shown with the time that it is expected to go on, not with none.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use common::SimTime;
use common::cluster::{
    ClusterEvent, ClusterSpec, DurationEstimate, FunctionSpec, NodeSpec, Priority, StartOption, TimedEvent,
};
use common::ids::{ContainerId, FunctionId, InvocationId, NodeId};
use state_graph::serverless::{Offer, ServerlessGraph, schema};
use state_graph::{EdgeType, NodeType, Schema, StateGraph, StateGraphBuilder};

fn cluster() -> ClusterSpec {
    let node = NodeSpec {
        cpu_millicores: 1000,
        memory_mb: 1024,
        network_mbps: 100,
        speed: 1.0,
        price_class: 1.0,
        zone: 0,
    };
    let function = FunctionSpec {
        name: "f".to_owned(),
        application: 0,
        tenant: 0,
        default_memory_mb: 128,
        peak_memory_mb: 128,
        priority: Priority::Normal,
        slo_factor: 5.0,
        isolation_tag: 0,
        runtime: 0,
    };
    let estimate = DurationEstimate { mean: 1.0, p95: 2.0, deviation: 0.5, cold_start: 0.1 };
    ClusterSpec {
        nodes: vec![node],
        functions: vec![function],
        estimates: vec![estimate],
        size_multiples: vec![1.0],
        ..ClusterSpec::default()
    }
}

/// One invocation runs warm since second 0, another waits; the state after `seconds`.
fn state_after(seconds: f64) -> StateGraph {
    let mut graph = ServerlessGraph::new(&cluster());
    let arrived = |id| ClusterEvent::Arrived {
        invocation: InvocationId(id),
        function: FunctionId(0),
        input_size: 1.0,
        stage: None,
    };
    let started = ClusterEvent::Started {
        invocation: InvocationId(1),
        container: ContainerId(1),
        node: NodeId(0),
        memory_mb: 128,
        cold: false,
    };
    let at = |event| TimedEvent { at: SimTime::ZERO, event };
    graph.apply(&[at(arrived(1)), at(started), at(arrived(2))]).unwrap();
    let option = StartOption {
        invocation: InvocationId(2),
        size: 0,
        memory_mb: 128,
        node: NodeId(0),
        warm: false,
        evicts_mb: 0,
    };
    graph.state(SimTime::from_seconds(seconds), &Offer::starts(&[option]), &mut StateGraphBuilder::default())
}

fn column(names: &[String], name: &str) -> usize {
    names.iter().position(|one| one == name).unwrap()
}

/// (remaining of the running one, soonest own container of the waiting one).
fn shown(schema: &Schema, state: &StateGraph) -> (f32, f32) {
    let edges = &schema.edges[EdgeType::Allocation as usize];
    let remaining = state.edge_features(schema, EdgeType::Allocation)[column(edges, "remaining")];
    let nodes = &schema.nodes[NodeType::Invocation as usize];
    let waiting = &state.node_features(schema, NodeType::Invocation)[nodes.len()..];
    (remaining, waiting[column(nodes, "own_soonest")])
}

#[test]
fn what_outlived_its_estimate_shows_the_time_that_it_is_expected_to_go_on() {
    let schema = schema(1);
    let fresh = shown(&schema, &state_after(0.0));
    assert_eq!(fresh.0, fresh.1);
    let (nearly, beyond, far) = (
        shown(&schema, &state_after(0.9)),
        shown(&schema, &state_after(3.0)),
        shown(&schema, &state_after(30.0)),
    );
    assert!(nearly.0 < fresh.0 && nearly.0 > 0.0, "{nearly:?} {fresh:?}");
    assert!(beyond.0 > 0.0 && beyond.1 == beyond.0, "{beyond:?}");
    assert!(far.0 > beyond.0, "the longer it has run, the longer it goes on: {far:?} {beyond:?}");
}
