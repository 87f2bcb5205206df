//! Jobs as processes of this machine, each with its children in a process group of its own.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Executor, JobStatus};
use crate::SweepError;
use crate::entry::RunId;
use crate::job::{Job, text_of};
use crate::study::available_cores;

/// A script notes its process id first thing; one that has none after this long never began.
const TO_BEGIN: Duration = Duration::from_secs(5);

/// Starts processes of this machine.
#[derive(Debug, Default)]
pub struct LocalExecutor {
    /// Jobs that were started here, to be waited for.
    children: HashMap<(RunId, u32), Child>,
    /// When a job without a process id was first asked for.
    missing: HashMap<(RunId, u32), Instant>,
}

impl Executor for LocalExecutor {
    fn start(&mut self, job: &Job) -> Result<(), SweepError> {
        let open = || OpenOptions::new().create(true).append(true).open(&job.log);
        let log = open().map_err(|source| SweepError::io("write", &job.log, source))?;
        let errors = log.try_clone().map_err(|source| SweepError::io("write", &job.log, source))?;
        let child = Command::new("/bin/sh")
            .arg(&job.script)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|source| SweepError::io("start", &job.script, source))?;
        self.children.insert((job.run, job.attempt), child);
        Ok(())
    }

    fn poll(&mut self, job: &Job) -> Result<JobStatus, SweepError> {
        let key = (job.run, job.attempt);
        let is_over = match self.children.get_mut(&key) {
            Some(child) => {
                child.try_wait().map_err(|source| SweepError::io("watch", &job.script, source))?.is_some()
            }
            None => !self.is_alive(job),
        };
        if !is_over {
            return Ok(JobStatus::Running);
        }
        self.children.remove(&key);
        self.missing.remove(&key);
        let exit = text_of(&job.script.with_extension("exit"));
        if let Some(code) = exit.and_then(|text| text.trim().parse().ok()) {
            return Ok(JobStatus::Ended(code));
        }
        // The shell was killed; what it had started may live on and hold the run's folder.
        end_leftovers(job);
        Ok(JobStatus::Gone)
    }

    fn stop(&mut self, job: &Job) {
        let noted = noted_process(&job.script).map(|(pid, _)| pid);
        let pid = self.children.get(&(job.run, job.attempt)).map(|child| child.id() as i32).or(noted);
        if let Some(group) = pid.and_then(Pid::from_raw) {
            // One that has ended in the meantime is what was wanted.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    fn cores(&self) -> Option<u32> {
        Some(available_cores())
    }

    fn chooses_gpus(&self) -> bool {
        false
    }
}

impl LocalExecutor {
    /// Whether the job of an earlier coordinator runs: its process id, and that the process with this id began when the job did.
    fn is_alive(&mut self, job: &Job) -> bool {
        match noted_process(&job.script) {
            Some((pid, began)) => start_time(pid).is_some_and(|time| time == began),
            None => {
                let since = self.missing.entry((job.run, job.attempt)).or_insert_with(Instant::now);
                since.elapsed() < TO_BEGIN
            }
        }
    }
}

/// The process id and the start time that a script has noted.
fn noted_process(script: &Path) -> Option<(i32, u64)> {
    let text = text_of(&script.with_extension("pid"))?;
    let (pid, began) = text.trim().split_once(' ')?;
    Some((pid.parse().ok()?, began.parse().ok()?))
}

/// When a process began, in clock ticks since the machine did; `None` where it is none, or only waits to be collected.
fn start_time(pid: i32) -> Option<u64> {
    let fields = stat_fields(&PathBuf::from(format!("/proc/{pid}/stat")))?;
    (fields.first()? != "Z").then(|| fields.get(19)?.parse().ok())?
}

/// The fields of a process from its state on.
fn stat_fields(path: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(path).ok()?;
    // The program's name, in parentheses, may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// Ends processes of the job's group that work on the job's trial.
fn end_leftovers(job: &Job) {
    let Some((pid, _)) = noted_process(&job.script) else { return };
    let trial = job.script.parent().and_then(Path::parent).unwrap_or(&job.script).display().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for process in ids.filter(|process| is_of_group(*process, pid)) {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let is_of_job = String::from_utf8_lossy(&line).contains(&trial);
        if let Some(process) = Pid::from_raw(process).filter(|_| is_of_job) {
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
    }
}

fn is_of_group(process: i32, group: i32) -> bool {
    let fields = stat_fields(&PathBuf::from(format!("/proc/{process}/stat")));
    fields.and_then(|fields| fields.get(2)?.parse::<i32>().ok()) == Some(group)
}
