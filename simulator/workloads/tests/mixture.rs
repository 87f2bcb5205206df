//! Training on several workloads, and what has arrived as a baseline may know it.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::collections::BTreeMap;

use common::trajectory::Scenario;
use common::{Arrived, RunSeed, SimTime};
use configuration::{ServerlessConfig, SimulatorConfig, SlotsConfig, WorkloadKind, WorkloadMixture};
use engine::serverless::Part;
use engine::{DecisionRequest, Interests, Progress, Scheduler, Simulation};
use heuristics::heuristic;
use workloads::Episodes;

fn part(weight: f64, workload: WorkloadKind, loads: [f64; 2], fresh_functions: bool) -> WorkloadMixture {
    WorkloadMixture { weight, workload, loads, fresh_functions, nodes: Vec::new(), trace: None }
}

fn config(training: Vec<WorkloadMixture>) -> SimulatorConfig {
    let serverless = ServerlessConfig {
        window_seconds: 30.0,
        warm_up_seconds: 5.0,
        training_drain_seconds: 2.0,
        training,
        ..ServerlessConfig::default()
    };
    SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless }
}

fn functions(simulation: &Simulation) -> Vec<u32> {
    let view = simulation.as_serverless().unwrap().view();
    view.spec().functions.iter().map(|function| function.peak_memory_mb).collect()
}

#[test]
fn episodes_come_from_the_parts_by_their_weights() {
    let training = vec![
        part(3.0, WorkloadKind::Steady, [50.0, 90.0], true),
        part(1.0, WorkloadKind::Workflow, [110.0, 110.0], false),
        part(0.0, WorkloadKind::Periodic, [10.0, 20.0], false),
    ];
    let config = config(training);
    let episodes = Episodes::new(&config).unwrap();
    let mut drawn: BTreeMap<u32, Vec<Vec<u32>>> = BTreeMap::new();
    for seed in 0..200 {
        let simulation = episodes.training(RunSeed(seed), Interests::NONE);
        let again = episodes.training(RunSeed(seed), Interests::NONE);
        assert_eq!(functions(&simulation), functions(&again));
        let (number, load) = (simulation.mixture_part(), simulation.load());
        let [low, high] = config.serverless.training[number as usize - 1].loads;
        assert!((low / 100.0..=high / 100.0).contains(&load), "{load}");
        drawn.entry(number).or_default().push(functions(&simulation));
    }
    assert_eq!(drawn.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert!((30..70).contains(&drawn[&2].len()), "{}", drawn[&2].len());
    let distinct = |number: u32| drawn[&number].iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(distinct(2), 1);
    assert!(distinct(1) > drawn[&1].len() / 2, "fresh functions differ");
    let validation = config.validation_parts();
    let points: Vec<(&str, &[f64])> =
        validation.iter().map(|(name, _, loads)| (name.as_str(), &**loads)).collect();
    assert_eq!(points, [("steady", &[50.0, 90.0][..]), ("workflow", &[110.0][..])]);
    assert_eq!(validation[1].1.serverless.workload, WorkloadKind::Workflow);
}

#[test]
fn parts_with_the_same_workload_have_names_of_their_own() {
    let training = [WorkloadKind::Bursty, WorkloadKind::Steady, WorkloadKind::Bursty];
    let config = config(training.map(|workload| part(1.0, workload, [50.0, 50.0], false)).to_vec());
    let names: Vec<String> = config.validation_parts().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["bursty", "steady", "bursty_2"]);
}

/// What had arrived at each instant of an episode that the rule plays.
fn arrivals(config: &SimulatorConfig, rule: &str) -> BTreeMap<SimTime, Arrived> {
    let mut scheduler: Box<dyn Scheduler> = heuristic(rule, Scenario::Serverless).unwrap();
    let episodes = Episodes::new(config).unwrap();
    let mut simulation = episodes.serverless(RunSeed(5), Part::Training, 1.3, scheduler.interests());
    let mut curve = BTreeMap::new();
    loop {
        curve.insert(simulation.now(), simulation.arrived());
        match simulation.tick() {
            Some(Progress::Finished) => return curve,
            Some(Progress::Decision) => {
                let mut decisions = Vec::new();
                let request = DecisionRequest { environment: 0, view: simulation.view() };
                scheduler.decide(&[request], &mut decisions).unwrap();
                simulation.apply(decisions[0]).unwrap();
            }
            None => {}
        }
    }
}

#[test]
fn arrivals_do_not_depend_on_decisions() {
    for workload in [WorkloadKind::Bursty, WorkloadKind::Workflow] {
        let mut config = config(Vec::new());
        config.serverless.workload = workload;
        let (one, other) = (arrivals(&config, "sjf"), arrivals(&config, "fcfs"));
        let last = one.values().last().unwrap();
        assert!(last.count > 20.0 && last.urgency > 0.0 && last.work > 0.0, "{last:?}");
        for (time, arrived) in &other {
            let (_, expected) = one.range(..=*time).next_back().unwrap();
            assert!(
                (arrived.count - expected.count).abs() < 0.5,
                "{workload} at {time}: {arrived:?} and {expected:?}"
            );
            assert!(
                (arrived.work - expected.work).abs() < 1e-6 * (1.0 + expected.work),
                "{workload} at {time}"
            );
        }
    }
}
