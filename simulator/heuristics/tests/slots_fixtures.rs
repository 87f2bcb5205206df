//! Job sequences whose start times under every rule are known from an independent program.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::collections::BTreeMap;

use common::ids::InvocationId;
use common::trajectory::Scenario;
use configuration::SlotsConfig;
use engine::slots::{Job, JobSequence, SlotsSimulation};
use engine::{DecisionRequest, Progress, Simulation};
use heuristics::heuristic;
use heuristics::references::slots_insertion;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixtures {
    sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Sequence {
    name: String,
    steps: u32,
    jobs: Vec<GivenJob>,
    policies: BTreeMap<String, Expected>,
    clairvoyant_insertion_slowdown: f64,
}

#[derive(Deserialize)]
struct GivenJob {
    id: u64,
    length: u32,
    demand: [u32; 2],
    arrival: u32,
}

#[derive(Deserialize)]
struct Expected {
    start: BTreeMap<u64, u32>,
    mean_slowdown: f64,
    total_reward: f64,
    end_step: u32,
    dropped: usize,
}

impl Sequence {
    fn jobs(&self) -> JobSequence {
        let job = |job: &GivenJob| Job {
            id: InvocationId(job.id),
            arrival: job.arrival,
            length: job.length,
            demand: job.demand,
        };
        JobSequence::given(self.jobs.iter().map(job).collect(), self.steps, 10).unwrap()
    }
}

fn fixtures() -> Fixtures {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/slots_fixtures.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn play(jobs: JobSequence, scheduler: &str) -> (Simulation, f64) {
    let config = SlotsConfig { drop_penalty: 0.0, ..SlotsConfig::default() };
    let mut simulation = Simulation::Slots(Box::new(SlotsSimulation::new(&config, jobs, 1.0)));
    let mut scheduler = heuristic(scheduler, Scenario::Slots).unwrap();
    let mut reward = 0.0;
    let mut decisions = Vec::new();
    while simulation.advance() == Progress::Decision {
        decisions.clear();
        let request = DecisionRequest { environment: 0, view: simulation.view() };
        scheduler.decide(&[request], &mut decisions).unwrap();
        simulation.apply(decisions[0]).unwrap();
        reward += f64::from(simulation.take_reward().latency);
    }
    reward += f64::from(simulation.take_reward().latency);
    (simulation, reward)
}

#[test]
fn every_start_time_of_every_rule_is_the_known_one() {
    for sequence in fixtures().sequences {
        for (name, expected) in &sequence.policies {
            let at = format!("{} under {name}", sequence.name);
            let (simulation, reward) = play(sequence.jobs(), name);
            let slots = simulation.as_slots().unwrap();
            let outcome = slots.outcome();
            let starts: BTreeMap<u64, u32> = outcome
                .starts
                .iter()
                .enumerate()
                .filter_map(|(job, start)| start.map(|start| (job as u64, start)))
                .collect();
            assert_eq!(starts, expected.start, "{at}");
            assert_eq!(outcome.dropped.len(), expected.dropped, "{at}");
            assert_eq!(slots.step_number(), expected.end_step, "{at}");
            let slowdown = outcome.slowdown_sum / outcome.finished as f64;
            assert!((slowdown - expected.mean_slowdown).abs() < 1e-9, "{at}: {slowdown}");
            assert!((reward / expected.total_reward - 1.0).abs() < 1e-6, "{at}: {reward}");
        }
    }
}

#[test]
fn clairvoyant_insertion_is_the_known_one() {
    for sequence in fixtures().sequences {
        let jobs = sequence.jobs();
        let starts = slots_insertion(&jobs, 10);
        let slowdowns = jobs
            .jobs()
            .iter()
            .zip(starts)
            .map(|(job, start)| f64::from(start + job.length - job.arrival) / f64::from(job.length));
        let mean = slowdowns.sum::<f64>() / jobs.jobs().len() as f64;
        assert!((mean - sequence.clairvoyant_insertion_slowdown).abs() < 1e-9, "{}: {mean}", sequence.name);
    }
}

#[test]
fn a_drop_costs_its_penalty() {
    let job = |id| Job { id: InvocationId(id), arrival: 1, length: 15, demand: [10, 1] };
    let jobs = JobSequence::given((0..4).map(job).collect(), 10, 10).unwrap();
    let config = SlotsConfig { visible: 1, backlog: 1, drop_penalty: 7.0, ..SlotsConfig::default() };
    let mut simulation = Simulation::Slots(Box::new(SlotsSimulation::new(&config, jobs, 1.0)));
    assert_eq!(simulation.advance(), Progress::Decision);
    let expected = -2.0 * 7.0 - 2.0 / 15.0;
    assert!((simulation.take_reward().latency - expected).abs() < 1e-5);
    assert_eq!(simulation.as_slots().unwrap().outcome().dropped, [InvocationId(2), InvocationId(3)]);
}
