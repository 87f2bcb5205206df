//! The state graph knows a cluster by its events alone; what it says must be what the simulator's own books say.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use common::{Action, RunSeed, Stream};
use configuration::parse;
use engine::{ClusterView, Interests, Progress, Simulation};
use rand::Rng;
use state_graph::serverless::{Offer, PENDING_WINDOW, ServerlessGraph, schema};
use state_graph::{NodeType, StateGraphBuilder};
use workloads::Episodes;

fn episode(seed: u64) -> Simulation {
    let text = "schema = 1\nname = \"t\"\nseed = 1\n[simulator]\nscenario = \"serverless\"\n[simulator.serverless]\n\
                load_percent = 110.0\nwindow_seconds = 60.0\nwarm_up_seconds = 10.0\nsize_multiples = [1.0, 2.0]\n";
    let config = parse(text, "test", &[]).unwrap();
    Episodes::new(&config.simulator).unwrap().training(RunSeed(seed), Interests::EVENTS)
}

fn column(schema: &state_graph::Schema, kind: NodeType, name: &str) -> usize {
    schema.nodes[kind as usize].iter().position(|feature| feature == name).unwrap()
}

#[test]
fn memory_pending_and_options_agree_at_every_decision() {
    let schema = schema(2);
    let width = schema.nodes[NodeType::Resource as usize].len();
    let (bound, idle) =
        (column(&schema, NodeType::Resource, "bound"), column(&schema, NodeType::Resource, "idle_memory"));
    let (mut builder, mut options, mut decisions) = (StateGraphBuilder::default(), Vec::new(), 0);
    for seed in 0..3 {
        let mut simulation = episode(seed);
        let mut rng = RunSeed(seed).rng(Stream::Actions, 0);
        let mut graph: Option<ServerlessGraph> = None;
        while simulation.advance() == Progress::Decision {
            let ClusterView::Serverless(view) = simulation.view() else { panic!("a serverless episode") };
            let graph = graph.get_or_insert_with(|| ServerlessGraph::new(view.spec()));
            graph.apply(view.events()).unwrap();
            view.start_options(PENDING_WINDOW, &mut options);
            let state = graph.state(view.now(), &Offer::starts(&options), &mut builder);
            assert_eq!(graph.pending_count(), view.pending_count());
            assert_eq!(state.options as usize, options.len());
            let rows = state.node_features(&schema, NodeType::Resource);
            for (node, row) in view.nodes().zip(rows.chunks(width)) {
                let capacity = view.spec().nodes[node.id.0 as usize].memory_mb as f32;
                assert!((row[bound] - node.bound_mb as f32 / capacity).abs() < 1e-6);
                assert!((row[idle] - node.evictable_mb as f32 / capacity).abs() < 1e-6);
            }
            let place = rng.random_range(0..=options.len());
            let action = options.get(place).map_or(Action::Wait, |option| Action::Start {
                invocation: option.invocation,
                memory_mb: option.memory_mb,
                node: option.node,
            });
            simulation.apply(action).unwrap();
            decisions += 1;
        }
    }
    assert!(decisions > 500, "{decisions}");
}
