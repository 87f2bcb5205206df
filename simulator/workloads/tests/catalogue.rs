//! Every scheduler that is listed can be had by its name and plays every workload to its end.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::collections::HashSet;
use std::path::PathBuf;

use common::RunSeed;
use common::cluster::{ClusterEvent, NodeSpec};
use common::trajectory::Scenario;
use configuration::{
    BurstyConfig, ServerlessConfig, SimulatorConfig, SlotsConfig, TraceConfig, WorkloadKind,
};
use engine::serverless::Part;
use engine::{ClusterView, DecisionRequest, Interests, Progress, Simulation};
use heuristics::heuristic;
use heuristics::known_heuristics;
use heuristics::serverless::{KEEP_ALIVES, ORDERS, PLACEMENTS, SIZES};
use workloads::Episodes;

/// Short names, and names made of each part that is listed.
fn names() -> Vec<String> {
    let is_short = |name: &String| !name.contains(['+', '=']);
    let mut names: Vec<String> =
        known_heuristics(Scenario::Serverless).into_iter().filter(is_short).collect();
    names.extend(ORDERS.iter().map(|order| format!("{order}+default+warm-first+configured")));
    names.extend(SIZES.iter().map(|size| format!("sjf+{size}+warm-first+configured")));
    names.extend(PLACEMENTS.iter().map(|placement| format!("sjf+default+{placement}+configured")));
    names.extend(KEEP_ALIVES.iter().map(|keep_alive| format!("sjf+default+hiku+{keep_alive}")));
    names.into_iter().map(|name| name.replace('X', "0.5")).collect()
}

fn trace() -> TraceConfig {
    let file =
        |name: &str| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/azure2019/")).join(name);
    TraceConfig {
        invocations: Some(file("invocations.csv")),
        durations: Some(file("durations.csv")),
        memory: Some(file("memory.csv")),
        training_minutes: [480, 779],
        validation_minutes: [780, 839],
        test_minutes: [840, 959],
        max_function_share: Some(0.2),
        ..TraceConfig::default()
    }
}

/// More comes than two small nodes can do, of two sizes each.
fn crowded(workload: WorkloadKind) -> Episodes {
    let node = |speed| NodeSpec {
        cpu_millicores: 2000,
        memory_mb: 4096,
        network_mbps: 500,
        speed,
        price_class: 1.0,
        zone: 0,
    };
    let serverless = ServerlessConfig {
        nodes: vec![node(1.0), node(0.8)],
        workload,
        bursty: BurstyConfig { gap_seconds: 20.0, ..BurstyConfig::default() },
        trace: Some(trace()),
        test_window_seconds: 30.0,
        warm_up_seconds: 0.0,
        drain_limit_seconds: 1e6,
        keep_alive_seconds: 5.0,
        size_multiples: vec![1.0, 1.2],
        ..ServerlessConfig::default()
    };
    let config =
        SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless };
    Episodes::new(&config).unwrap()
}

/// Adds who has finished, each once.
fn see(simulation: &Simulation, finished: &mut HashSet<u64>) {
    let ClusterView::Serverless(view) = simulation.view() else { unreachable!("the scenario is serverless") };
    for event in view.events() {
        if let ClusterEvent::Finished { invocation, .. } = event.event {
            assert!(finished.insert(invocation.0), "{invocation} finishes twice");
        }
    }
}

/// Plays an episode and tells how many came and went.
fn play(episodes: &Episodes, name: &str) -> usize {
    let mut scheduler = heuristic(name, Scenario::Serverless).unwrap();
    let interests = Interests { events: true, ..scheduler.interests() };
    let mut simulation = episodes.serverless(RunSeed(12), Part::Test, 1.5, interests);
    let (mut decisions, mut finished) = (Vec::new(), HashSet::new());
    while simulation.advance() == Progress::Decision {
        see(&simulation, &mut finished);
        decisions.clear();
        let request = DecisionRequest { environment: 0, view: simulation.view() };
        scheduler.decide(&[request], &mut decisions).unwrap();
        simulation.apply(decisions[0]).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    see(&simulation, &mut finished);
    let serverless = simulation.as_serverless().unwrap();
    assert_eq!(serverless.outcome().unfinished, 0, "{name}");
    assert_eq!(serverless.outcome().slowdowns.count(), serverless.arrived(), "{name}");
    assert_eq!(finished.len() as u64, serverless.arrived(), "{name}");
    finished.len()
}

#[test]
fn every_name_plays_every_workload_to_its_end() {
    let kinds = [
        WorkloadKind::Steady,
        WorkloadKind::Bursty,
        WorkloadKind::Periodic,
        WorkloadKind::Mixed,
        WorkloadKind::Workflow,
        WorkloadKind::Trace,
    ];
    for kind in kinds {
        let episodes = crowded(kind);
        let counts: Vec<usize> = names().iter().map(|name| play(&episodes, name)).collect();
        assert!(counts[0] > 30, "{kind:?} has {} invocations", counts[0]);
        assert!(counts.iter().all(|&count| count == counts[0]), "{kind:?} is not paired: {counts:?}");
    }
}
