//! Given job sequences of `slots`: when each scheduler starts every job.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;

use common::config::SlotsConfig;
use common::ids::InvocationId;
use serde::{Deserialize, Serialize};
use simulator::slots::{Job, JobSequence, SlotsSimulation, clairvoyant_insertion};
use simulator::{Scheduler, Simulation, heuristic};

use crate::contender::Contender;
use crate::error::EvaluationError;
use crate::play::play_batch;

/// What one scheduler did with one sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobsRecord {
    /// Version of this record; 1.
    pub schema: u32,
    /// Name of the sequence.
    pub name: String,
    /// Who.
    pub scheduler: String,
    /// Start step by job.
    pub start: BTreeMap<u64, u32>,
    /// Jobs that were dropped.
    pub dropped: Vec<u64>,
    /// Mean slowdown over the jobs that finished.
    pub slowdown: f64,
}

/// A sequence of jobs, and the machine that it is for.
pub struct NamedJobs {
    name: String,
    config: SlotsConfig,
    jobs: JobSequence,
}

#[derive(Deserialize)]
struct File {
    sequences: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    name: String,
    steps: u32,
    slots: u32,
    capacity: [u32; 2],
    backlog: u32,
    jobs: Vec<GivenJob>,
}

#[derive(Deserialize)]
struct GivenJob {
    id: u64,
    length: u32,
    demand: [u32; 2],
    arrival: u32,
}

/// Reads a JSON file of job sequences: `{"sequences": [{"name", "steps", "slots", "capacity", "backlog", "jobs":
/// [{"id", "length", "demand", "arrival"}]}]}`; further keys are ignored.
///
/// # Errors
/// When the file is missing or malformed, or a job can never run.
pub fn read_jobs(path: &Path) -> Result<Vec<NamedJobs>, EvaluationError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| EvaluationError::Read { path: path.to_owned(), cause })?;
    let fail = |key: String, message: String| EvaluationError::Jobs { path: path.to_owned(), key, message };
    let mut reader = serde_json::Deserializer::from_str(&text);
    let file: File = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| fail(error.path().to_string(), error.inner().to_string()))?;
    if file.sequences.is_empty() {
        return Err(fail("sequences".to_owned(), "is empty; give at least one sequence".to_owned()));
    }
    file.sequences
        .iter()
        .map(|given| named(given).map_err(|message| fail(given.name.clone(), message)))
        .collect()
}

/// Larger sizes are no machine's: a step of it would take seconds.
const LARGEST: u32 = 10_000;

fn bounded(what: &str, value: u32, range: RangeInclusive<u32>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!("{what} is {value}; it must be from {} to {}", range.start(), range.end()))
}

fn named(given: &Given) -> Result<NamedJobs, String> {
    let [capacity, other] = given.capacity;
    if capacity != other {
        return Err(format!("capacity is {:?}; both resources must have the same", given.capacity));
    }
    bounded("capacity", capacity, 1..=LARGEST)?;
    bounded("slots", given.slots, 1..=LARGEST)?;
    bounded("steps", given.steps, 2..=LARGEST)?;
    bounded("backlog", given.backlog, 0..=LARGEST)?;
    if given.jobs.is_empty() {
        return Err("jobs is empty; give at least one job".to_owned());
    }
    let mut ids = BTreeSet::new();
    for job in &given.jobs {
        bounded(&format!("length of job {}", job.id), job.length, 1..=LARGEST)?;
        if !ids.insert(job.id) {
            return Err(format!("id {} is that of two jobs; give each its own", job.id));
        }
    }
    let job = |job: &GivenJob| Job {
        id: InvocationId(job.id),
        arrival: job.arrival,
        length: job.length,
        demand: job.demand,
    };
    let jobs = JobSequence::given(given.jobs.iter().map(job).collect(), given.steps, capacity)
        .map_err(|error| error.to_string())?;
    let config =
        SlotsConfig { visible: given.slots, backlog: given.backlog, capacity, ..SlotsConfig::default() };
    Ok(NamedJobs { name: given.name.clone(), config, jobs })
}

/// Plays every sequence with every contender: sequences × contenders, in this order.
///
/// # Errors
/// When a scheduler is unknown, fails, or chooses something impossible.
pub fn evaluate_jobs(
    sequences: &[NamedJobs],
    contenders: &mut [Contender<'_>],
) -> Result<Vec<JobsRecord>, EvaluationError> {
    let mut records = Vec::new();
    for sequence in sequences {
        for contender in &mut *contenders {
            let record = match contender {
                // `slots` has one reference.
                Contender::Reference(reference) => inserted(sequence, reference.name().to_owned()),
                Contender::Single(scheduler) => played(sequence, &mut **scheduler)?,
                Contender::Made { make, .. } => played(sequence, &mut *make()?)?,
                Contender::Heuristic(name) => {
                    played(sequence, &mut *heuristic(name, common::trajectory::Scenario::Slots)?)?
                }
            };
            records.push(record);
        }
    }
    Ok(records)
}

fn played(sequence: &NamedJobs, scheduler: &mut dyn Scheduler) -> Result<JobsRecord, EvaluationError> {
    let simulation = SlotsSimulation::new(&sequence.config, sequence.jobs.clone(), f64::NAN);
    let mut end = None;
    let episode = (0, Simulation::Slots(Box::new(simulation)));
    play_batch(
        [episode],
        1,
        scheduler,
        |_, simulation, _| end = Some(simulation),
        || ControlFlow::Continue(()),
    )?;
    let end = end.expect("one episode was played to its end");
    let outcome = end.as_slots().expect("it was a slots episode").outcome();
    let ids = sequence.jobs.jobs().iter().map(|job| job.id.0);
    Ok(JobsRecord {
        schema: 1,
        name: sequence.name.clone(),
        scheduler: scheduler.name().to_owned(),
        start: ids.zip(&outcome.starts).filter_map(|(id, start)| Some((id, (*start)?))).collect(),
        dropped: outcome.dropped.iter().map(|id| id.0).collect(),
        slowdown: outcome.slowdown_sum / outcome.finished as f64,
    })
}

fn inserted(sequence: &NamedJobs, scheduler: String) -> JobsRecord {
    let starts = clairvoyant_insertion(&sequence.jobs, sequence.config.capacity);
    let jobs = sequence.jobs.jobs();
    let slowdowns = jobs
        .iter()
        .zip(&starts)
        .map(|(job, start)| f64::from(start + job.length - job.arrival) / f64::from(job.length));
    JobsRecord {
        schema: 1,
        name: sequence.name.clone(),
        scheduler,
        slowdown: slowdowns.sum::<f64>() / jobs.len() as f64,
        start: jobs.iter().map(|job| job.id.0).zip(starts.iter().copied()).collect(),
        dropped: Vec::new(),
    }
}
