//! States of real workloads have members of every node and edge type, finite features, and a size that does not follow the cluster.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::path::Path;

use common::{Action, RunSeed, Stream};
use engine::{ClusterView, Interests, Progress};
use rand::Rng as _;
use state_graph::serverless::{
    Offer, PENDING_WINDOW, RUNNING_WINDOW, STUCK_WINDOW, ServerlessGraph, schema, with_levels,
};
use state_graph::{EDGE_TYPES, EdgeType, NodeType, Schema, StateGraph, StateGraphBuilder};
use workloads::Episodes;

/// Decisions of each episode that are looked at.
const DECISIONS: usize = 3000;

/// What an episode's states have shown.
#[derive(Debug, Default)]
struct Seen {
    edges: [u64; EDGE_TYPES],
    stuck: u64,
    stages: u64,
    data_from_elsewhere: u64,
}

impl Seen {
    fn add(&mut self, state: &StateGraph, schema: &Schema) {
        assert!(state.features.iter().all(|feature| feature.is_finite() && feature.abs() < 20.0));
        let nodes = &schema.nodes[NodeType::Invocation as usize];
        let place = |names: &[String], name: &str| names.iter().position(|one| one == name).unwrap();
        let [pending, fits, is_stage] = ["pending", "fits", "is_stage"].map(|name| place(nodes, name));
        for row in state.node_features(schema, NodeType::Invocation).chunks(nodes.len()) {
            self.stuck += u64::from(row[pending] == 1.0 && row[fits] == 0.0);
            self.stages += u64::from(row[is_stage] == 1.0);
        }
        let groups = &schema.nodes[NodeType::Group as usize];
        let [is_cluster, busy] = ["is_cluster", "busy"].map(|name| place(groups, name));
        let rows = state.node_features(schema, NodeType::Group).chunks(groups.len());
        let clusters: Vec<&[f32]> = rows.filter(|row| row[is_cluster] == 1.0).collect();
        assert_eq!(clusters.len(), 1);
        assert_eq!(clusters[0][busy], state.globals(schema)[place(&schema.globals, "busy")]);
        let data = place(&schema.options, "data_from_elsewhere");
        let rows = state.option_features(schema).chunks(schema.options.len());
        self.data_from_elsewhere += rows.filter(|row| row[data] > 0.0).count() as u64;
        for kind in EdgeType::ALL {
            self.edges[kind as usize] += u64::from(state.edges[kind as usize]);
            let (sources, targets) = state.edge_ends(kind);
            assert!(sources.iter().all(|&source| source < state.nodes[kind.source() as usize]));
            assert!(targets.iter().all(|&target| target < state.nodes[kind.target() as usize]));
        }
        let invocations = PENDING_WINDOW + STUCK_WINDOW + RUNNING_WINDOW;
        assert!(state.nodes[NodeType::Invocation as usize] as usize <= invocations);
        let functions = invocations + 2 * state.nodes[NodeType::Resource as usize] as usize;
        assert!(state.nodes[NodeType::Function as usize] as usize <= functions);
    }
}

/// What the states of an episode of a shipped configuration show, while starts are chosen at random.
fn seen(workload: &str) -> Seen {
    // Traces are named from the root of the workspace.
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let path = format!("configs/evaluate/{workload}.toml");
    let config =
        configuration::load(Path::new(&path), &["simulator.serverless.load_percent=110".to_owned()]).unwrap();
    let episodes = Episodes::new(&config.simulator).unwrap();
    let mut simulation = episodes.training(RunSeed(1), Interests::EVENTS);
    let schema = with_levels(schema(config.simulator.serverless.size_multiples.len()));
    let mut rng = RunSeed(1).rng(Stream::Actions, 0);
    let (mut builder, mut options, mut seen) = (StateGraphBuilder::default(), Vec::new(), Seen::default());
    let mut graph: Option<ServerlessGraph> = None;
    for _ in 0..DECISIONS {
        if simulation.advance() != Progress::Decision {
            break;
        }
        let ClusterView::Serverless(view) = simulation.view() else { panic!("a serverless episode") };
        let graph = graph.get_or_insert_with(|| ServerlessGraph::new(view.spec()).with_levels());
        graph.apply(view.events()).unwrap();
        view.start_options(PENDING_WINDOW, &mut options);
        seen.add(&graph.state(view.now(), &Offer::starts(&options), &mut builder), &schema);
        let place = rng.random_range(0..=options.len());
        let action = options.get(place).map_or(Action::Wait, |option| Action::Start {
            invocation: option.invocation,
            memory_mb: option.memory_mb,
            node: option.node,
        });
        simulation.apply(action).unwrap();
    }
    seen
}

#[test]
fn workflows_have_every_edge_type_stages_and_data() {
    let seen = seen("workflow");
    assert!(seen.edges.iter().all(|&edges| edges > 0), "{seen:?}");
    assert!(seen.stages > 0 && seen.data_from_elsewhere > 0, "{seen:?}");
}

#[test]
fn real_functions_have_every_edge_type_but_dependencies_and_some_fit_nowhere() {
    let seen = seen("azure2019");
    let others = EdgeType::ALL.into_iter().filter(|kind| *kind != EdgeType::Dependency);
    assert!(others.into_iter().all(|kind| seen.edges[kind as usize] > 0), "{seen:?}");
    assert!(seen.stuck > 0, "{seen:?}");
}
