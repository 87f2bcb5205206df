//! A policy that decides everything which can be decided: each kind of action is offered, accepted by the simulation and shown in
//! states that stay finite and belong to their schema.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::collections::BTreeMap;
use std::path::Path;

use common::{Action, Patience, RunSeed, SimTime};
use configuration::{Config, parse};
use engine::{DecisionRequest, Progress, Scheduler, Simulation};
use policy::{Behaviour, PolicyNetwork, PolicyScheduler, schema_of};
use state_graph::{StateGraphDecoder, StateGraphEncoder};
use workloads::Episodes;

const EVERYTHING: &str = "policy.actions=[\"start\",\"wait\",\"reserve\",\"hold\",\"evict\",\"keep_alive\",\"release\",\"pre_warm\"]";

fn kind(action: Action) -> &'static str {
    match action {
        Action::Wait => "wait",
        Action::Start { .. } => "start",
        Action::KeepAlive { .. } => "keep_alive",
        Action::PreWarm { .. } => "pre_warm",
        Action::Release { .. } => "release",
        Action::Reserve { .. } => "reserve",
        Action::Hold { .. } => "hold",
    }
}

fn scheduler(config: &Config, behaviour: Behaviour) -> PolicyScheduler {
    let schema = schema_of(config);
    PolicyScheduler::new("policy", PolicyNetwork::new(&schema, &config.policy, RunSeed(5)), behaviour)
        .unwrap()
}

/// A small policy that decides `actions`, and starts from `prior` where that is not empty.
fn small(scenario: &str, actions: &str, prior: &str) -> Config {
    let text = format!(
        "schema = 1\nname = \"t\"\nseed = 1\n[simulator]\nscenario = \"{scenario}\"\n[policy]\nwidth = 8\nheads = 2\n\
         layers = 1\nactions = {actions}\nprior = \"{prior}\"\n"
    );
    parse(&text, "test", &[]).unwrap()
}

/// How often a policy that has learnt nothing decides for each kind of action.
fn played(
    mut simulation: Simulation,
    policy: &mut PolicyScheduler,
    most: usize,
) -> BTreeMap<&'static str, usize> {
    let schema = policy.schema().clone();
    let (mut counts, mut encoder, mut states) = (BTreeMap::new(), StateGraphEncoder::default(), Vec::new());
    policy.episode_started(0);
    for _ in 0..most {
        if simulation.advance() != Progress::Decision {
            break;
        }
        let mut actions = Vec::new();
        policy.decide(&[DecisionRequest { environment: 0, view: simulation.view() }], &mut actions).unwrap();
        let state = policy.take_records().remove(0).state;
        assert!(state.features.iter().all(|feature| feature.is_finite() && feature.abs() < 20.0));
        // An uncontested start has no state.
        if !state.features.is_empty() {
            encoder.push(&schema, state.clone());
            states.push(state);
        }
        *counts.entry(kind(actions[0])).or_insert(0) += 1;
        simulation.apply(actions[0]).unwrap();
    }
    let decoded = StateGraphDecoder::decode_all(&schema, &encoder.finish(), states.len()).unwrap();
    assert_eq!(decoded, states, "every option names a node and a way of the schema");
    counts
}

#[test]
fn on_clusters() {
    // Traces are named from the root of the workspace.
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let mut all = BTreeMap::new();
    for workload in ["azure2019", "workflow"] {
        let path = format!("configs/evaluate/{workload}.toml");
        let settings = ["simulator.serverless.load_percent=110".to_owned(), EVERYTHING.to_owned()];
        let config = configuration::load(Path::new(&path), &settings).unwrap();
        let episodes = Episodes::new(&config.simulator).unwrap();
        let mut policy = scheduler(&config, Behaviour::Sample);
        let simulation = episodes.training(RunSeed(1), policy.interests());
        for (kind, count) in played(simulation, &mut policy, 6000) {
            *all.entry(kind).or_insert(0) += count;
        }
    }
    let kinds = ["hold", "keep_alive", "pre_warm", "release", "reserve", "start", "wait"];
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), kinds, "{all:?}");
    assert!(all.values().all(|&count| count > 20), "{all:?}");
}

#[test]
fn on_a_machine() {
    let config = small("slots", "[\"start\", \"hold\", \"wait\"]", "");
    let episodes = Episodes::new(&config.simulator).unwrap();
    let mut policy = scheduler(&config, Behaviour::Sample);
    let counts = played(episodes.slots(RunSeed(3), 110.0, 200), &mut policy, usize::MAX);
    assert!(counts.len() == 3 && counts.values().all(|&count| count > 20), "{counts:?}");
}

#[test]
fn without_wait_what_can_start_starts() {
    let config = small("serverless", "[\"start\"]", "");
    let episodes = Episodes::new(&config.simulator).unwrap();
    let mut policy = scheduler(&config, Behaviour::Sample);
    let simulation = episodes.training(RunSeed(3), policy.interests());
    let counts = played(simulation, &mut policy, 500);
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["start"], "{counts:?}");
}

#[test]
fn a_rule_is_not_asked_what_it_does_not_decide() {
    let actions = "[\"start\", \"wait\", \"keep_alive\", \"release\", \"pre_warm\"]";
    for (prior, teacher) in [("sjf", None), ("", Some("sjf"))] {
        let config = small("serverless", actions, prior);
        let episodes = Episodes::new(&config.simulator).unwrap();
        let mut policy = scheduler(&config, Behaviour::Sample);
        teacher.into_iter().for_each(|teacher| policy.imitate(teacher).unwrap());
        let simulation = episodes.training(RunSeed(3), policy.interests());
        let counts = played(simulation, &mut policy, 2000);
        assert!(counts["keep_alive"] > 20 && counts["start"] > 20, "{counts:?}");
    }
}

#[test]
fn a_policy_that_holds_wherever_it_may_ends_its_episode() {
    let config = small("slots", "[\"start\", \"hold\"]", "");
    let episodes = Episodes::new(&config.simulator).unwrap();
    let mut simulation = episodes.slots(RunSeed(3), 50.0, 50);
    let mut policy = scheduler(&config, Behaviour::Sample);
    policy.episode_started(0);
    let mut holds = 0;
    while simulation.advance() == Progress::Decision {
        let mut actions = Vec::new();
        policy.decide(&[DecisionRequest { environment: 0, view: simulation.view() }], &mut actions).unwrap();
        let state = policy.take_records().remove(0).state;
        let is_hold_offered = state.option_indices()[1].iter().any(|way| *way > 0);
        let action = match actions[0] {
            Action::Start { invocation, .. } if is_hold_offered => {
                Action::Hold { invocation, patience: Patience::For(SimTime::from_seconds(100.0)) }
            }
            other => other,
        };
        holds += usize::from(matches!(action, Action::Hold { .. }));
        simulation.apply(action).unwrap();
    }
    let slots = simulation.as_slots().unwrap();
    assert!(holds > 0);
    assert_eq!(slots.outcome().finished as usize, slots.sequence().jobs().len());
}
