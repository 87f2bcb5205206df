//! Given job sequences of `slots`: when each scheduler starts every job.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

use common::ids::InvocationId;
use common::name::printable;
use common::user_file::read_text;
use configuration::SlotsConfig;
use engine::slots::{Job, JobSequence, SlotsSimulation};
use engine::{Scheduler, Simulation};
use heuristics::heuristic;
use heuristics::references::slots_insertion;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

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
    /// Canonical name of the scheduler that played.
    pub scheduler: String,
    /// Start step of each started job, by job id.
    pub start: BTreeMap<u64, u32>,
    /// Ids of the jobs that were dropped.
    pub dropped: Vec<u64>,
    /// Mean slowdown (a ratio, at least 1) over the jobs that finished.
    pub slowdown: f64,
}

/// A sequence of jobs, and the machine that it is for.
pub struct NamedJobs {
    name: String,
    config: SlotsConfig,
    jobs: JobSequence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: Option<IgnoredAny>,
    sequences: Vec<Given>,
}

/// A sequence of jobs. Keys that begin with `_` are comments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(rename = "arrival_rate", default)]
    _arrival_rate: Option<Rate>,
    #[serde(rename = "end")]
    _end: Option<IgnoredAny>,
    #[serde(rename = "clairvoyant_insertion_slowdown")]
    _slowdown: Option<IgnoredAny>,
    #[serde(rename = "policies")]
    _policies: Option<IgnoredAny>,
    name: String,
    steps: Whole,
    slots: Whole,
    capacity: [Whole; 2],
    backlog: Whole,
    jobs: Vec<GivenJob>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenJob {
    id: Whole,
    length: Whole,
    demand: [Whole; 2],
    arrival: Whole,
}

/// A whole number from 0 on. Other values get an error message of our own, not that of the JSON library.
#[derive(Clone, Copy)]
struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let wrong = || D::Error::custom(format!("is {}; a whole number from 0 on is needed", shown(&value)));
        value.as_u64().map(Whole).ok_or_else(wrong)
    }
}

/// Jobs a step, from 0 on.
struct Rate;

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.as_f64() {
            Some(rate) if rate >= 0.0 => Ok(Rate),
            _ => Err(D::Error::custom(format!("is {}; a number from 0 on is needed", shown(&value)))),
        }
    }
}

/// Bytes of a file; some three million jobs.
const LARGEST_FILE: u64 = 256 << 20;
/// Steps in which jobs may arrive, and that all jobs of a sequence run, each.
const MOST_STEPS: u64 = 10_000_000;
/// As a configuration has it.
const MOST_SLOTS: u64 = 1000;
const MOST_BACKLOG: u64 = 1_000_000;
const MOST_CAPACITY: u64 = 1000;
/// Numbers that every reader of JSON keeps exactly.
const LARGEST_ID: u64 = (1 << 53) - 1;

/// Reads a JSON file of job sequences: `{"sequences": [{"name", "steps", "slots", "capacity", "backlog", "jobs":
/// [{"id", "length", "demand", "arrival"}]}]}`; what `simulator/data/slots_fixtures.json` says
/// besides may stand there too, other keys may not.
///
/// # Errors
/// When the file is missing or malformed, two sequences or two jobs of one have the same name, or a job can never run.
pub fn read_jobs(path: &Path) -> Result<Vec<NamedJobs>, EvaluationError> {
    let text = read_text(path, LARGEST_FILE)
        .map_err(|cause| EvaluationError::Read { path: path.to_owned(), cause })?;
    let fail = |key: String, message: String| EvaluationError::Key { path: path.to_owned(), key, message };
    let mut reader = serde_json::Deserializer::from_str(&text);
    let file: File = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| fail(printable(&error.path().to_string()), error.inner().to_string()))?;
    reader.end().map_err(|error| fail(".".to_owned(), error.to_string()))?;
    if file.sequences.is_empty() {
        return Err(fail("sequences".to_owned(), "is empty; at least one sequence is needed".to_owned()));
    }
    let mut names = BTreeMap::new();
    let mut sequences = Vec::new();
    for (place, given) in file.sequences.iter().enumerate() {
        let key = format!("sequences[{place}]");
        if given.name.is_empty() || printable(&given.name) != given.name {
            let message =
                format!("is \"{}\"; a name has letters and no control characters", printable(&given.name));
            return Err(fail(format!("{key}.name"), message));
        }
        if let Some(first) = names.insert(&given.name, place) {
            let message = format!(
                "\"{}\" is the name of sequences[{first}] too; results are known by it, so rename one",
                given.name
            );
            return Err(fail(format!("{key}.name"), message));
        }
        sequences.push(named(given, &key).map_err(|Wrong { key, message }| {
            fail(key, format!("{message} (in sequence \"{}\")", given.name))
        })?);
    }
    Ok(sequences)
}

/// What is wrong with a value, and where it is.
struct Wrong {
    key: String,
    message: String,
}

/// A whole number in a range.
fn whole(Whole(number): Whole, key: &str, least: u64, most: u64) -> Result<u64, Wrong> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    let message = format!("is {number}; a whole number from {least} to {most} is needed");
    Err(Wrong { key: key.to_owned(), message })
}

/// The same for numbers whose range fits.
fn small(value: Whole, key: &str, least: u64, most: u64) -> Result<u32, Wrong> {
    Ok(u32::try_from(whole(value, key, least, most)?).unwrap_or(u32::MAX))
}

/// A value in few words.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string().chars().take(40).collect(),
    }
}

fn named(given: &Given, key: &str) -> Result<NamedJobs, Wrong> {
    let part = |name: &str| format!("{key}.{name}");
    let wrong = |name: &str, message: String| Wrong { key: part(name), message };
    let steps = small(given.steps, &part("steps"), 1, MOST_STEPS)?;
    let visible = small(given.slots, &part("slots"), 1, MOST_SLOTS)?;
    let backlog = small(given.backlog, &part("backlog"), 0, MOST_BACKLOG)?;
    let [capacity, other] = [0, 1]
        .map(|place| small(given.capacity[place], &format!("{key}.capacity[{place}]"), 1, MOST_CAPACITY));
    let (capacity, other) = (capacity?, other?);
    if capacity != other {
        let message = format!("is [{capacity}, {other}]; both resources must have the same");
        return Err(wrong("capacity", message));
    }
    if given.jobs.is_empty() {
        return Err(wrong("jobs", "is empty; a sequence has at least one job".to_owned()));
    }
    let jobs = jobs(given, key, u64::from(capacity))?;
    let jobs = JobSequence::given(jobs, steps, capacity).map_err(|error| wrong("jobs", error.to_string()))?;
    let config = SlotsConfig { visible, backlog, capacity, ..SlotsConfig::default() };
    Ok(NamedJobs { name: given.name.clone(), config, jobs })
}

fn jobs(given: &Given, key: &str, capacity: u64) -> Result<Vec<Job>, Wrong> {
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut jobs = Vec::with_capacity(given.jobs.len());
    let mut running = 0;
    for (place, job) in given.jobs.iter().enumerate() {
        let part = |name: &str| format!("{key}.jobs[{place}].{name}");
        let id = whole(job.id, &part("id"), 0, LARGEST_ID)?;
        if let Some(first) = places.insert(id, place) {
            let message =
                format!("is {id}, as of jobs[{first}]; results are known by it, so each job needs its own");
            return Err(Wrong { key: part("id"), message });
        }
        let length = small(job.length, &part("length"), 1, MOST_STEPS)?;
        running += u64::from(length);
        if running > MOST_STEPS {
            let message = format!(
                "is {length}, with which the jobs of this sequence run {running} steps; together they may run {MOST_STEPS}"
            );
            return Err(Wrong { key: part("length"), message });
        }
        let [one, other] = [0, 1].map(|resource| {
            small(job.demand[resource], &format!("{}[{resource}]", part("demand")), 0, capacity)
        });
        let demand = [one?, other?];
        if demand == [0, 0] {
            let message = "is [0, 0]; a job needs at least 1 of one resource".to_owned();
            return Err(Wrong { key: part("demand"), message });
        }
        jobs.push(Job {
            id: InvocationId(id),
            arrival: small(job.arrival, &part("arrival"), 1, MOST_STEPS)?,
            length,
            demand,
        });
    }
    Ok(jobs)
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
    let starts = slots_insertion(&sequence.jobs, sequence.config.capacity);
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

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
