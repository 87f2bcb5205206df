//! Given job sequences of `slots`: when each scheduler starts every job.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

use common::config::SlotsConfig;
use common::ids::InvocationId;
use common::user_file::read_text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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

/// Numbers are read as any JSON value first, so that each is refused in the same words.
#[derive(Deserialize)]
struct Given {
    name: String,
    steps: Value,
    slots: Value,
    capacity: [Value; 2],
    backlog: Value,
    jobs: Vec<GivenJob>,
}

#[derive(Deserialize)]
struct GivenJob {
    id: Value,
    length: Value,
    demand: [Value; 2],
    arrival: Value,
}

/// Bytes of a file; some ten million jobs.
const LARGEST_FILE: u64 = 1 << 30;
/// Steps in which jobs may arrive, and that all jobs of a sequence run, each.
const MOST_STEPS: u64 = 10_000_000;
/// As a configuration has it.
const MOST_SLOTS: u64 = 1000;
const MOST_BACKLOG: u64 = 1_000_000;
const MOST_CAPACITY: u64 = 1000;
/// Numbers that every reader of JSON keeps exactly.
const LARGEST_ID: u64 = (1 << 53) - 1;

/// Reads a JSON file of job sequences: `{"sequences": [{"name", "steps", "slots", "capacity", "backlog", "jobs":
/// [{"id", "length", "demand", "arrival"}]}]}`; further keys are ignored.
///
/// # Errors
/// When the file is missing or malformed, two sequences or two jobs of one have the same name, or a job can never run.
pub fn read_jobs(path: &Path) -> Result<Vec<NamedJobs>, EvaluationError> {
    let text = read_text(path, LARGEST_FILE)
        .map_err(|cause| EvaluationError::Read { path: path.to_owned(), cause })?;
    let fail = |key: String, message: String| EvaluationError::Jobs { path: path.to_owned(), key, message };
    let mut reader = serde_json::Deserializer::from_str(&text);
    let file: File = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| fail(error.path().to_string(), error.inner().to_string()))?;
    reader.end().map_err(|error| fail(".".to_owned(), error.to_string()))?;
    if file.sequences.is_empty() {
        return Err(fail("sequences".to_owned(), "is empty; at least one sequence is needed".to_owned()));
    }
    let mut names = BTreeMap::new();
    let mut sequences = Vec::new();
    for (place, given) in file.sequences.iter().enumerate() {
        let key = format!("sequences[{place}]");
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
fn whole(value: &Value, key: &str, least: u64, most: u64) -> Result<u64, Wrong> {
    value.as_u64().filter(|number| (least..=most).contains(number)).ok_or_else(|| Wrong {
        key: key.to_owned(),
        message: format!("is {}; a whole number from {least} to {most} is needed", shown(value)),
    })
}

/// The same for numbers whose range fits.
fn small(value: &Value, key: &str, least: u64, most: u64) -> Result<u32, Wrong> {
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
    let steps = small(&given.steps, &part("steps"), 1, MOST_STEPS)?;
    let visible = small(&given.slots, &part("slots"), 1, MOST_SLOTS)?;
    let backlog = small(&given.backlog, &part("backlog"), 0, MOST_BACKLOG)?;
    let [capacity, other] = [0, 1]
        .map(|place| small(&given.capacity[place], &format!("{key}.capacity[{place}]"), 1, MOST_CAPACITY));
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
        let id = whole(&job.id, &part("id"), 0, LARGEST_ID)?;
        if let Some(first) = places.insert(id, place) {
            let message =
                format!("is {id}, as of jobs[{first}]; results are known by it, so each job needs its own");
            return Err(Wrong { key: part("id"), message });
        }
        let length = small(&job.length, &part("length"), 1, MOST_STEPS)?;
        running += u64::from(length);
        if running > MOST_STEPS {
            let message = format!(
                "is {length}, with which the jobs of this sequence run {running} steps; together they may run {MOST_STEPS}"
            );
            return Err(Wrong { key: part("length"), message });
        }
        let [one, other] = [0, 1].map(|resource| {
            small(&job.demand[resource], &format!("{}[{resource}]", part("demand")), 0, capacity)
        });
        jobs.push(Job {
            id: InvocationId(id),
            arrival: small(&job.arrival, &part("arrival"), 1, MOST_STEPS)?,
            length,
            demand: [one?, other?],
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

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"{"sequences": [{"name": "s", "steps": 9, "slots": 2, "capacity": [10, 10], "backlog": 3, "jobs": [
        {"id": 1, "length": 2, "demand": [3, 1], "arrival": 1}, {"id": 2, "length": 1, "demand": [3, 1], "arrival": 4}]}]}"#;

    fn read(text: impl AsRef<[u8]>) -> Result<usize, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.json");
        std::fs::write(&path, text).unwrap();
        let read = read_jobs(&path).map_err(|error| {
            assert_eq!(error.exit_code(), common::ExitCode::Input);
            error.to_string()
        });
        Ok(read?.iter().map(|sequence| sequence.jobs.jobs().len()).sum())
    }

    #[test]
    fn what_is_wrong_with_a_list_is_named_with_its_place() {
        assert_eq!(read(SOUND), Ok(2));
        assert_eq!(read(format!("\u{feff}{}", SOUND.replace('\n', "\r\n"))), Ok(2));
        for (from, to, key, words) in [
            (r#""id": 2"#, r#""id": 1"#, "`sequences[0].jobs[1].id`", "is 1, as of jobs[0]"),
            (r#""id": 2"#, r#""id": -1"#, "`sequences[0].jobs[1].id`", "is -1; a whole number from 0"),
            (r#""id": 2"#, r#""id": 18446744073709551616"#, "jobs[1].id`", "a whole number from 0"),
            (
                r#""length": 1"#,
                r#""length": 0"#,
                "jobs[1].length`",
                "is 0; a whole number from 1 to 10000000",
            ),
            (r#""length": 1"#, r#""length": 4294967295"#, "jobs[1].length`", "is 4294967295; a whole"),
            (r#""length": 1"#, r#""length": 9999999"#, "jobs[1].length`", "together they may run 10000000"),
            (r#""length": 1"#, r#""length": 1.5"#, "jobs[1].length`", "is 1.5; a whole number"),
            (r#""length": 1"#, r#""length": "1""#, "jobs[1].length`", "is \"1\"; a whole number"),
            (r#""length": 1"#, r#""length": null"#, "jobs[1].length`", "is null; a whole number"),
            (r#""length": 1"#, r#""length": NaN"#, "jobs[1].length`", "line 2"),
            (
                r#""demand": [3, 1], "arrival": 4"#,
                r#""demand": [3, 11], "arrival": 4"#,
                "jobs[1].demand[1]`",
                "from 0 to 10",
            ),
            (r#""arrival": 4"#, r#""arrival": 9"#, "`sequences[0].jobs`", "job 2: arrives at step 9"),
            (r#""arrival": 4"#, r#""arrival": 0"#, "jobs[1].arrival`", "is 0; a whole number from 1"),
            (r#""steps": 9"#, r#""steps": 4000000000"#, "`sequences[0].steps`", "from 1 to 10000000"),
            (r#""slots": 2"#, r#""slots": 4000000000"#, "`sequences[0].slots`", "from 1 to 1000"),
            (r#""backlog": 3"#, r#""backlog": 4000000000"#, "`sequences[0].backlog`", "from 0 to 1000000"),
            (r#"[10, 10]"#, r#"[10, 4000000000]"#, "`sequences[0].capacity[1]`", "from 1 to 1000"),
            (r#"[10, 10]"#, r#"[10, 11]"#, "`sequences[0].capacity`", "both resources must have the same"),
        ] {
            let text = SOUND.replacen(from, to, 1);
            assert_ne!(text, SOUND, "{from}");
            let error = read(&text).unwrap_err();
            assert!(
                error.contains("jobs.json: ") && error.contains(key) && error.contains(words),
                "{to}: {error}"
            );
        }
        let twice = SOUND.replace(
            "[{\"name\"",
            "[{\"name\": \"s\", \"steps\": 9, \"slots\": 1, \"capacity\": [9, 9], \"backlog\": 0, \
            \"jobs\": [{\"id\": 1, \"length\": 1, \"demand\": [1, 1], \"arrival\": 1}]}, {\"name\"",
        );
        assert!(read(twice).unwrap_err().contains("\"s\" is the name of sequences[0] too"));
        assert!(read(r#"{"sequences": []}"#).unwrap_err().contains("at least one sequence"));
        assert!(read(format!("{SOUND}]")).unwrap_err().contains("trailing"));
        for (bytes, words) in [
            (&b""[..], "EOF"),
            (b"PK\x03\x04", "is a zip archive"),
            (b"\x1f\x8b\x08", "gzip -d"),
            (b"\xff\xfe{\0", "UTF-16"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
