//! Jobs of a Slurm cluster: each run is a batch job of its own, so that Slurm places, queues and accounts for it. The study's folder must
//! be the same on all nodes. Only `sbatch`, `squeue` and `scancel` are needed, no accounting.

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::{Executor, JobStatus};
use crate::SweepError;
use crate::job::{Job, text_of};

/// Time between two looks at the queue.
const LOOK: Duration = Duration::from_secs(2);
/// A job that is not in the queue and has left no exit status may have left one that is not seen here yet.
const TO_BE_SEEN: Duration = Duration::from_secs(10);
/// States of jobs that will run, run, or are about to end.
const ALIVE: [&str; 9] = [
    "PENDING",
    "CONFIGURING",
    "RUNNING",
    "COMPLETING",
    "SUSPENDED",
    "STOPPED",
    "SIGNALING",
    "STAGE_OUT",
    "RESIZING",
];

/// Starts jobs of a Slurm cluster.
#[derive(Debug)]
pub struct SlurmExecutor {
    cores_per_run: u32,
    gpus_per_run: u32,
    /// More arguments of `sbatch`, e.g. `--partition=cpu`.
    options: Vec<String>,
    /// The states of jobs by id, and when they were asked for.
    queue: Option<(Instant, HashMap<String, String>)>,
    /// When a job without an exit status was first not in the queue.
    missing: HashMap<String, Instant>,
}

impl SlurmExecutor {
    /// An executor whose jobs have so many cores and GPUs each.
    #[must_use]
    pub fn new(cores_per_run: u32, gpus_per_run: u32, options: Vec<String>) -> Self {
        SlurmExecutor { cores_per_run, gpus_per_run, options, queue: None, missing: HashMap::new() }
    }

    /// The state of a job; `None` where it is not in the queue.
    fn state(&mut self, id: &str) -> Result<Option<String>, SweepError> {
        let is_fresh = self.queue.as_ref().is_some_and(|(asked, _)| asked.elapsed() < LOOK);
        if !is_fresh {
            let output = called("squeue", &["--noheader", "--me", "--states=all", "--format=%i %T"])?;
            let lines = String::from_utf8_lossy(&output.stdout).into_owned();
            let states = lines.lines().filter_map(|line| line.split_once(' '));
            let states = states.map(|(id, state)| (id.to_owned(), state.trim().to_owned())).collect();
            self.queue = Some((Instant::now(), states));
        }
        Ok(self.queue.as_ref().and_then(|(_, states)| states.get(id)).cloned())
    }
}

impl Executor for SlurmExecutor {
    fn start(&mut self, job: &Job) -> Result<(), SweepError> {
        let mut arguments = vec![
            "--parsable".to_owned(),
            format!("--job-name=longshore-{}-{}", job.run.trial, job.run.seed + 1),
            format!("--output={}", job.log.display()),
            "--open-mode=append".to_owned(),
            format!("--cpus-per-task={}", self.cores_per_run),
            // A run that its node loses is started again by the coordinator, from its checkpoint.
            "--no-requeue".to_owned(),
            // Before the time limit it is told to end, and leaves a checkpoint.
            "--signal=B:TERM@60".to_owned(),
        ];
        if self.gpus_per_run > 0 {
            arguments.push(format!("--gres=gpu:{}", self.gpus_per_run));
        }
        arguments.extend(self.options.iter().cloned());
        arguments.push(job.script.display().to_string());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = called("sbatch", &arguments)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // The name of a cluster may follow.
        let id = text.trim().split(';').next().unwrap_or_default().to_owned();
        durable::atomic_write(&job.script.with_extension("slurm"), id.as_bytes())?;
        self.queue = None;
        Ok(())
    }

    fn poll(&mut self, job: &Job) -> Result<JobStatus, SweepError> {
        if let Some(code) = exit_of(job) {
            return Ok(JobStatus::Ended(code));
        }
        let Some(id) = id_of(job) else { return Ok(JobStatus::Gone) };
        let state = self.state(&id)?;
        if state.is_some_and(|state| ALIVE.contains(&state.as_str())) {
            self.missing.remove(&id);
            return Ok(JobStatus::Running);
        }
        // Files of another node can be seen late.
        let since = *self.missing.entry(id.clone()).or_insert_with(Instant::now);
        if since.elapsed() < TO_BE_SEEN {
            return Ok(JobStatus::Running);
        }
        self.missing.remove(&id);
        Ok(exit_of(job).map_or(JobStatus::Gone, JobStatus::Ended))
    }

    fn stop(&mut self, job: &Job) {
        let Some(id) = id_of(job) else { return };
        let is_pending = matches!(self.state(&id), Ok(Some(state)) if state == "PENDING");
        let arguments: &[&str] = if is_pending { &[] } else { &["--signal=TERM", "--full"] };
        let arguments: Vec<&str> = arguments.iter().copied().chain([id.as_str()]).collect();
        if let Err(error) = called("scancel", &arguments) {
            tracing::warn!(%error, job = id, "a job could not be told to end");
        }
    }

    fn cores(&self) -> Option<u32> {
        None
    }

    fn chooses_gpus(&self) -> bool {
        true
    }
}

fn exit_of(job: &Job) -> Option<i32> {
    text_of(&job.script.with_extension("exit"))?.trim().parse().ok()
}

fn id_of(job: &Job) -> Option<String> {
    text_of(&job.script.with_extension("slurm")).filter(|id| !id.is_empty())
}

/// Calls a program of Slurm.
fn called(program: &'static str, arguments: &[&str]) -> Result<Output, SweepError> {
    let output = Command::new(program).args(arguments).output().map_err(|source| SweepError::Tool {
        tool: program,
        message: format!("cannot be started: {source}; is Slurm installed here?"),
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(SweepError::Tool { tool: program, message })
}
