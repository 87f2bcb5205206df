//! Properties of whole `serverless` episodes, and checks against closed forms.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::collections::HashMap;
use std::path::PathBuf;

use common::cluster::{ClusterEvent, NodeSpec, TimedEvent};
use common::ids::{ContainerId, InvocationId, NodeId};
use common::trajectory::Scenario;
use common::{Action, RunSeed, Stream};
use configuration::{
    ServerlessConfig, SimulatorConfig, SlotsConfig, SteadyConfig, TraceConfig, WorkloadKind,
};
use engine::serverless::{Part, ServerlessOutcome};
use engine::{ActionError, ClusterView, DecisionRequest, Interests, Progress, Scheduler, Simulation};
use heuristics::heuristic;
use proptest::prelude::*;
use rand::Rng;
use workloads::Episodes;

fn episodes(serverless: ServerlessConfig) -> Episodes {
    let config =
        SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless };
    Episodes::new(&config).unwrap()
}

fn azure() -> ServerlessConfig {
    let file =
        |name: &str| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/azure2019/")).join(name);
    ServerlessConfig {
        workload: WorkloadKind::Trace,
        trace: Some(TraceConfig {
            invocations: Some(file("invocations.csv")),
            durations: Some(file("durations.csv")),
            memory: Some(file("memory.csv")),
            training_minutes: [480, 779],
            validation_minutes: [780, 839],
            test_minutes: [840, 959],
            max_function_share: Some(0.2),
            ..TraceConfig::default()
        }),
        validation_window_seconds: 240.0,
        test_window_seconds: 240.0,
        ..ServerlessConfig::default()
    }
}

/// Small nodes and several sizes, so that everything that can happen does.
fn crowded() -> ServerlessConfig {
    let node = |memory_mb, speed| NodeSpec {
        cpu_millicores: 300,
        memory_mb,
        network_mbps: 60,
        speed,
        price_class: 1.0,
        zone: 0,
    };
    ServerlessConfig {
        nodes: vec![node(1024, 1.0), node(2048, 0.7)],
        load_percent: 90.0,
        steady: SteadyConfig { functions: 8, ..SteadyConfig::default() },
        window_seconds: 60.0,
        warm_up_seconds: 10.0,
        drain_limit_seconds: 120.0,
        keep_alive_seconds: 5.0,
        size_multiples: vec![0.5, 1.0, 2.0],
        ..ServerlessConfig::default()
    }
}

fn play(simulation: &mut Simulation, scheduler: &mut dyn Scheduler) -> ServerlessOutcome {
    let mut decisions = Vec::new();
    while simulation.advance() == Progress::Decision {
        decisions.clear();
        let request = DecisionRequest { environment: 0, view: simulation.view() };
        scheduler.decide(&[request], &mut decisions).unwrap();
        simulation.apply(decisions[0]).unwrap();
    }
    simulation.as_serverless().unwrap().outcome()
}

/// Rebuilds the cluster from its events and refuses what cannot be.
#[derive(Default)]
struct Observer {
    containers: HashMap<ContainerId, (NodeId, u32)>,
    arrived: HashMap<InvocationId, bool>,
    held: HashMap<NodeId, u32>,
}

impl Observer {
    fn see(&mut self, event: &TimedEvent, capacity: &[NodeSpec]) {
        match &event.event {
            ClusterEvent::Arrived { invocation, .. } => {
                assert!(self.arrived.insert(*invocation, false).is_none(), "arrived twice");
            }
            ClusterEvent::Started { container, node, memory_mb, cold, .. } => {
                let known = self.containers.insert(*container, (*node, *memory_mb));
                assert_eq!(known.is_none(), *cold, "cold exactly when the container is new");
                if *cold {
                    self.hold(*node, *memory_mb, capacity);
                }
            }
            ClusterEvent::Ready { container, .. } => assert!(self.containers.contains_key(container)),
            ClusterEvent::Finished { invocation, .. } => {
                let done = self.arrived.get_mut(invocation).expect("it arrived before");
                assert!(!std::mem::replace(done, true), "finished twice");
            }
            ClusterEvent::PreWarmed { container, node, memory_mb, .. } => {
                assert!(self.containers.insert(*container, (*node, *memory_mb)).is_none(), "warmed twice");
                self.hold(*node, *memory_mb, capacity);
            }
            ClusterEvent::KeptAlive { container, .. } => assert!(self.containers.contains_key(container)),
            ClusterEvent::NodeDown { node } => {
                assert_eq!(self.held.get(node).copied().unwrap_or_default(), 0, "a dead node holds memory");
            }
            ClusterEvent::NodeUp { .. } | ClusterEvent::Rebound { .. } => {}
            ClusterEvent::Interrupted { container, .. } | ClusterEvent::Gone { container, .. } => {
                let (node, memory) = self.containers.remove(container).expect("it was there");
                *self.held.get_mut(&node).expect("it held memory") -= memory;
            }
        }
    }
}

impl Observer {
    fn hold(&mut self, node: NodeId, memory_mb: u32, capacity: &[NodeSpec]) {
        let held = self.held.entry(node).or_default();
        *held += memory_mb;
        assert!(*held <= capacity[node.0 as usize].memory_mb, "memory over capacity");
    }
}

/// Draws any possible start, or *wait*, from a seed.
fn random_action(simulation: &Simulation, rng: &mut impl Rng) -> Action {
    let ClusterView::Serverless(view) = simulation.view() else { unreachable!("the scenario is serverless") };
    let mut options = Vec::new();
    view.start_options(4, &mut options);
    assert!(!options.is_empty(), "asked although nothing can start");
    assert!(options.is_sorted_by_key(|option| (option.invocation, option.size, option.node)));
    if rng.random_bool(0.2) {
        return Action::Wait;
    }
    let option = options[rng.random_range(0..options.len())];
    Action::Start { invocation: option.invocation, memory_mb: option.memory_mb, node: option.node }
}

fn play_at_random(seed: u64) -> (ServerlessOutcome, f64, usize) {
    let config = crowded();
    let nodes = config.nodes.clone();
    let mut simulation = episodes(config).serverless(RunSeed(seed), Part::Validation, 0.9, Interests::EVENTS);
    let mut rng = RunSeed(seed).rng(Stream::Actions, 0);
    let mut observer = Observer::default();
    let mut reward = 0.0;
    while simulation.advance() == Progress::Decision {
        let ClusterView::Serverless(view) = simulation.view() else {
            unreachable!("the scenario is serverless")
        };
        view.events().iter().for_each(|event| observer.see(event, &nodes));
        for node in view.nodes() {
            let memory = node.free_mb + node.evictable_mb + node.bound_mb;
            assert_eq!(memory, nodes[node.id.0 as usize].memory_mb);
            assert!(node.cpu_used <= 0.3 + 1e-9 && node.network_used <= 60.0 + 1e-9);
        }
        let action = random_action(&simulation, &mut rng);
        simulation.apply(action).unwrap();
        reward += f64::from(simulation.take_reward().latency);
    }
    reward += f64::from(simulation.take_reward().latency);
    let arrived = observer.arrived.len();
    (simulation.as_serverless().unwrap().outcome(), reward, arrived)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_decided_the_books_hold(seed in any::<u64>()) {
        let (outcome, reward, _) = play_at_random(seed);
        let arrivals: u64 = outcome.functions.iter().map(|function| function.arrivals).sum();
        prop_assert_eq!(arrivals, outcome.slowdowns.count());
        prop_assert!(outcome.slowdowns.least() >= 1.0);
        prop_assert!(reward < 0.0);
        let usage = outcome.usage;
        for resource in 0..3 {
            prop_assert!(usage.used[resource] >= -1e-6);
            prop_assert!(usage.used[resource] <= usage.capacity[resource] * (1.0 + 1e-9));
        }
        let held = (usage.bound_gb_seconds + usage.idle_gb_seconds) * 1024.0;
        prop_assert!((held / usage.allocated[1] - 1.0).abs() < 1e-9);
        prop_assert_eq!(play_at_random(seed).0, outcome);
    }
}

#[test]
fn every_arrival_ends_once_under_every_rule() {
    let episodes = episodes(azure());
    let mut arrivals = Vec::new();
    for name in ["fcfs", "sjf", "packer", "tetris", "wait_warm_0.5"] {
        let mut scheduler = heuristic(name, Scenario::Serverless).unwrap();
        let mut simulation = episodes.serverless(RunSeed(5), Part::Test, 0.7, Interests::NONE);
        let outcome = play(&mut simulation, &mut *scheduler);
        arrivals.push(outcome.slowdowns.count());
        assert_eq!(outcome.unfinished, 0, "{name}");
    }
    assert!(arrivals.windows(2).all(|pair| pair[0] == pair[1]), "paired: {arrivals:?}");
}

#[test]
fn the_undiscounted_latency_reward_is_the_sum_of_slowdowns() {
    // Without a floor at one and without a warm-up both are Σ latency / max(T_ref, floor).
    let config = ServerlessConfig { warm_up_seconds: 0.0, ..crowded() };
    let mut simulation = episodes(config).serverless(RunSeed(3), Part::Test, 1.2, Interests::NONE);
    let mut scheduler = heuristic("fcfs", Scenario::Serverless).unwrap();
    let outcome = play(&mut simulation, &mut *scheduler);
    let parts = simulation.take_reward();
    let (reward, slowdowns) = (-f64::from(parts.latency), outcome.slowdowns.sum());
    // A slowdown is at least 1, where latency may be a little below the reference on idle, fast nodes.
    assert!(reward <= slowdowns * 1.0001 && reward > 0.9 * slowdowns, "{reward} {slowdowns}");
    let (idle, cold) = (-f64::from(parts.idle_memory), -f64::from(parts.cold_starts));
    assert!((idle / outcome.usage.idle_gb_seconds - 1.0).abs() < 1e-4 && cold == outcome.cold_starts as f64);
}

#[test]
fn an_uncrowded_cluster_offers_the_load_that_was_asked_for() {
    let mut config = azure();
    config.nodes.iter_mut().for_each(|node| node.speed = 1.0);
    config.warm_up_seconds = 0.0;
    config.window_seconds = 18_000.0;
    config.training_drain_seconds = config.drain_limit_seconds;
    let episodes = episodes(config);
    let mut simulation = episodes.serverless(RunSeed(8), Part::Training, 0.1, Interests::NONE);
    let outcome = play(&mut simulation, &mut *heuristic("sjf", Scenario::Serverless).unwrap());
    // Memory × time of starting and running containers; cold starts add a little.
    let load = outcome.usage.bound_gb_seconds * 1024.0 / outcome.usage.capacity[1];
    assert!((0.094..0.115).contains(&load), "{load}");
    assert_eq!(outcome.unfinished, 0);
}

#[test]
fn one_seed_means_one_outcome_and_illegal_starts_change_nothing() {
    let episodes = episodes(azure());
    let mut scheduler = heuristic("wait_warm", Scenario::Serverless).unwrap();
    let mut one = episodes.serverless(RunSeed(9), Part::Validation, 0.7, Interests::NONE);
    let mut other = episodes.serverless(RunSeed(9), Part::Validation, 0.7, Interests::NONE);
    other.advance();
    let start = Action::Start { invocation: InvocationId(1 << 40), memory_mb: 128, node: NodeId(0) };
    assert_eq!(other.apply(start), Err(ActionError::NotPending(InvocationId(1 << 40))));
    let start = Action::Start { invocation: InvocationId(0), memory_mb: 1, node: NodeId(0) };
    assert_eq!(other.apply(start), Err(ActionError::DoesNotFit(InvocationId(0))));
    assert_eq!(play(&mut one, &mut *scheduler), play(&mut other, &mut *scheduler));
}

#[test]
fn training_is_asked_after_the_warm_up_only() {
    let episodes = episodes(azure());
    let mut simulation = episodes.training(RunSeed(4), Interests::EVENTS);
    assert_eq!(simulation.advance(), Progress::Decision);
    assert!(simulation.now().seconds() >= 60.0);
    let ClusterView::Serverless(view) = simulation.view() else { unreachable!("the scenario is serverless") };
    assert!(view.events().len() > 100, "an observer learns of the warm-up");
    assert!(simulation.take_reward().latency > -1000.0);
}

/// Cluster events that a simulation shows over an episode in which nothing is ever started.
fn events_shown(interests: Interests) -> usize {
    let mut simulation = episodes(crowded()).serverless(RunSeed(3), Part::Test, 0.9, interests);
    let mut shown = 0;
    while simulation.advance() == Progress::Decision {
        let ClusterView::Serverless(view) = simulation.view() else {
            unreachable!("the scenario is serverless")
        };
        shown += view.events().len();
        simulation.apply(Action::Wait).unwrap();
    }
    shown
}

#[test]
fn cluster_events_are_recorded_only_for_a_scheduler_that_follows_them() {
    assert_eq!(events_shown(Interests::NONE), 0);
    assert!(events_shown(Interests::EVENTS) > 100);
}

/// Mean slowdown of the function that suffers most.
fn worst_slowdown(name: &str, config: &ServerlessConfig, seed: u64) -> f64 {
    let mut scheduler = heuristic(name, Scenario::Serverless).unwrap();
    let mut simulation =
        episodes(config.clone()).serverless(RunSeed(seed), Part::Test, 1.1, scheduler.interests());
    let functions = play(&mut simulation, &mut *scheduler).functions;
    let called = functions.iter().filter(|function| function.arrivals > 0);
    called.map(|function| function.slowdown_sum / function.arrivals as f64).fold(1.0, f64::max)
}

#[test]
fn a_reservation_keeps_large_containers_from_starving() {
    let config = ServerlessConfig {
        workload: WorkloadKind::Bursty,
        window_seconds: 240.0,
        ..ServerlessConfig::default()
    };
    for (plain, reserving) in [("sjf", "sjf+reserve"), ("drf+wait-warm", "drf+wait-warm+reserve_3")] {
        let worst = |name: &str| (1..=3).map(|seed| worst_slowdown(name, &config, seed)).sum::<f64>();
        let (plain, reserving) = (worst(plain), worst(reserving));
        assert!(reserving < 0.7 * plain, "{reserving} with, {plain} without");
    }
}

#[test]
fn a_reservation_keeps_a_function_from_starving_between_those_of_another_isolation_tag() {
    let config = ServerlessConfig {
        workload: WorkloadKind::Bursty,
        window_seconds: 240.0,
        isolation: true,
        ..ServerlessConfig::default()
    };
    let worst = |name: &str| (1..=3).map(|seed| worst_slowdown(name, &config, seed)).sum::<f64>();
    let (plain, reserving) = (worst("sjf"), worst("sjf+reserve"));
    assert!(reserving < 0.7 * plain, "{reserving} with, {plain} without");
}
