//! What training episodes show a policy, and what they charge it.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::path::PathBuf;

use common::cluster::ClusterEvent;
use common::ids::FunctionId;
use common::trajectory::Scenario;
use common::{Action, RunSeed};
use configuration::{ServerlessConfig, SimulatorConfig, SlotsConfig, TraceConfig, WorkloadKind};
use engine::serverless::{Part, ServerlessView};
use engine::{ClusterView, Interests, Progress, Simulation};
use heuristics::heuristic;
use workloads::Episodes;

fn episodes(serverless: ServerlessConfig) -> Episodes {
    let config =
        SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless };
    Episodes::new(&config).unwrap()
}

fn short() -> ServerlessConfig {
    ServerlessConfig {
        window_seconds: 40.0,
        warm_up_seconds: 10.0,
        training_drain_seconds: 2.0,
        ..ServerlessConfig::default()
    }
}

fn view(simulation: &Simulation) -> ServerlessView<'_> {
    let ClusterView::Serverless(view) = simulation.view() else { unreachable!("the scenario is serverless") };
    view
}

/// Plays a training episode with `sjf`, which never starts a function that takes longer than `longest`; returns the
/// simulation and the latency reward, which is minus the sum of slowdowns.
fn play_training(episodes: &Episodes, longest: f64) -> (Simulation, f64) {
    let mut simulation = episodes.training(RunSeed(7), Interests::NONE);
    let mut latency = 0.0;
    while simulation.advance() == Progress::Decision {
        latency += f64::from(simulation.take_reward().latency);
        let now = simulation.now();
        assert!(now <= simulation.horizon() + common::SimTime::from_seconds(2.0), "asked at {now}");
        let action = {
            let view = view(&simulation);
            let mut options = Vec::new();
            view.start_options(1000, &mut options);
            let function = |id| view.pending().find(|one| one.id == id).unwrap().function;
            let chosen = options
                .iter()
                .map(|option| (view.estimate(function(option.invocation)).mean, option))
                .filter(|(mean, _)| *mean <= longest)
                .min_by(|one, other| one.0.total_cmp(&other.0));
            chosen.map_or(Action::Wait, |(_, option)| Action::Start {
                invocation: option.invocation,
                memory_mb: option.memory_mb,
                node: option.node,
            })
        };
        simulation.apply(action).unwrap();
    }
    latency += f64::from(simulation.take_reward().latency);
    (simulation, latency)
}

#[test]
fn what_a_policy_parks_is_played_to_its_end_and_charged() {
    let episodes = episodes(short());
    let (diligent, earned) = play_training(&episodes, f64::INFINITY);
    let (parking, parked) = play_training(&episodes, 1.0);
    let (lazy, nothing) = play_training(&episodes, 0.0);
    for simulation in [&diligent, &parking, &lazy] {
        let outcome = simulation.as_serverless().unwrap().outcome();
        assert_eq!(outcome.unfinished, 0);
        assert!(outcome.slowdowns.count() > 100);
    }
    assert!(earned > parked && parked > nothing, "{earned} {parked} {nothing}");
    // The charge is the whole time until each was done, not the few seconds until the window was cut.
    let outcome = parking.as_serverless().unwrap().outcome();
    assert!(-parked > 0.9 * outcome.slowdowns.sum(), "{parked} {}", outcome.slowdowns.sum());
}

#[test]
fn how_long_a_cold_start_takes_is_not_known_before_it_is_over() {
    let episodes = episodes(ServerlessConfig { warm_up_seconds: 0.0, ..short() });
    let mut simulation = episodes.serverless(RunSeed(3), Part::Test, 0.7, Interests::EVENTS);
    let mut sjf = heuristic("sjf", Scenario::Serverless).unwrap();
    let estimates = |simulation: &Simulation| {
        let view = view(simulation);
        let functions = 0..view.spec().functions.len() as u32;
        functions.map(|function| view.estimate(FunctionId(function)).cold_start).collect::<Vec<f64>>()
    };
    let mut learnt = 0;
    while simulation.advance() == Progress::Decision {
        let before = estimates(&simulation);
        let mut decisions = Vec::new();
        let request = engine::DecisionRequest { environment: 0, view: simulation.view() };
        sjf.decide(&[request], &mut decisions).unwrap();
        simulation.apply(decisions[0]).unwrap();
        assert_eq!(estimates(&simulation), before, "a start reveals nothing of its cold start");
        let progress = simulation.tick();
        let over =
            view(&simulation).events().iter().any(|one| matches!(one.event, ClusterEvent::Ready { .. }));
        if progress.is_none() && estimates(&simulation) != before {
            assert!(over, "what changed the estimate was the end of a cold start");
            learnt += 1;
        }
    }
    assert!(learnt > 10, "{learnt}");
}

#[test]
fn tests_have_functions_of_their_own_where_functions_are_drawn() {
    let estimates = |episodes: &Episodes, part| {
        let simulation = episodes.serverless(RunSeed(1), part, 0.7, Interests::NONE);
        let view = view(&simulation);
        view.spec().estimates.iter().map(|estimate| estimate.mean).collect::<Vec<f64>>()
    };
    for workload in [
        WorkloadKind::Steady,
        WorkloadKind::Bursty,
        WorkloadKind::Periodic,
        WorkloadKind::Mixed,
        WorkloadKind::Workflow,
    ] {
        let mut config = ServerlessConfig { workload, ..short() };
        config.nodes.iter_mut().for_each(|node| node.memory_mb = 8192);
        let drawn = episodes(config);
        let test = estimates(&drawn, Part::Test);
        assert_ne!(estimates(&drawn, Part::Training), test, "{workload:?}");
        assert_eq!(estimates(&drawn, Part::Training), estimates(&drawn, Part::Validation), "{workload:?}");
    }
    // A trace's functions are what they are.
    let file =
        |name: &str| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/azure2019/")).join(name);
    let trace = TraceConfig {
        invocations: Some(file("invocations.csv")),
        durations: Some(file("durations.csv")),
        memory: Some(file("memory.csv")),
        training_minutes: [480, 779],
        validation_minutes: [780, 839],
        test_minutes: [840, 959],
        ..TraceConfig::default()
    };
    let traced = episodes(ServerlessConfig { workload: WorkloadKind::Trace, trace: Some(trace), ..short() });
    assert_eq!(estimates(&traced, Part::Training), estimates(&traced, Part::Test));
}
