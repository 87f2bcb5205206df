//! A process that is measured: it says that it is ready, begins upon a line, says what it did, and ends with its input.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// What `/proc` counts CPU time in: USER_HZ, 100 on every architecture that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a writer or a sampler did; peers print the same fields.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Measurement {
    /// Items inserted and acknowledged, or sampled.
    pub items: u64,
    /// Size of these items, bytes.
    pub bytes: u64,
    /// Measured time, seconds.
    pub seconds: f64,
    /// Median time from an insert until it was acknowledged, ms.
    pub p50_ms: Option<f64>,
    /// Of a hundred inserts the slowest took this long, ms.
    pub p99_ms: Option<f64>,
}

impl Measurement {
    /// Median time from an insert until it was acknowledged, ms; not a number where nothing was acknowledged.
    #[must_use]
    pub fn p50(&self) -> f64 {
        self.p50_ms.unwrap_or(f64::NAN)
    }

    /// The same of the slowest of a hundred.
    #[must_use]
    pub fn p99(&self) -> f64 {
        self.p99_ms.unwrap_or(f64::NAN)
    }
}

/// Ends with this value.
#[derive(Debug)]
pub(super) struct Process {
    /// What it is in figures.
    pub(super) name: &'static str,
    child: Child,
    lines: Receiver<String>,
    errors: PathBuf,
}

impl Process {
    /// Starts it; what it complains of goes to a file in `folder`.
    pub(super) fn start(name: &'static str, mut command: Command, folder: &Path) -> Result<Self> {
        let errors = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&errors)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let read = BufReader::new(stdout).lines().map_while(Result::ok);
                read.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
            });
        }
        Ok(Process { name, child, lines, errors })
    }

    /// Waits until it says that it is ready.
    pub(super) fn ready(&self, deadline: Duration) -> Result<()> {
        self.line(deadline).map(drop)
    }

    /// Tells the process to begin.
    pub(super) fn go(&mut self) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("it has no input")?;
        stdin.write_all(b"go\n").with_context(|| self.complaint())
    }

    /// What it did.
    pub(super) fn measurement(&self, deadline: Duration) -> Result<Measurement> {
        let line = self.line(deadline)?;
        serde_json::from_str(&line).with_context(|| format!("the {} said {line}", self.name))
    }

    /// CPU seconds that all its threads have taken so far, of the program and of the kernel for it.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| self.complaint())?;
        cpu_seconds(&text).with_context(|| format!("{path} has no CPU times"))
    }

    /// The last that it complained of.
    pub(super) fn complaint(&self) -> String {
        let text = fs::read_to_string(&self.errors).unwrap_or_default();
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        format!("the {} failed: {}", self.name, last.trim())
    }

    fn line(&self, deadline: Duration) -> Result<String> {
        match self.lines.recv_timeout(deadline) {
            Ok(line) => Ok(line),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the {} said nothing within {} s", self.name, deadline.as_secs())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!(self.complaint()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system time of a line of `/proc/PID/stat`; the name before them may hold anything but is in brackets.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut time = || times.next()?.parse::<u64>().ok();
    Some((time()? + time()?) as f64 / TICKS_PER_SECOND)
}

/// A port of loopback that was free a moment ago.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port on loopback")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_times_are_found_behind_any_name() {
        let stat = "71 (a) b (c) S 1 71 71 0 -1 4194560 100 0 0 0 150 50 7 8 20 0 3 0 100";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("71 (a"), None);
        assert_eq!(cpu_seconds("71 (a) S 1 2"), None);
    }

    #[test]
    fn a_process_that_fails_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no port left >&2"]);
        let process = Process::start("server", command, folder.path()).unwrap();
        let error = process.ready(Duration::from_secs(20)).unwrap_err();
        assert_eq!(error.to_string(), "the server failed: no port left");
    }

    #[test]
    fn a_process_waits_for_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo ready; read line; echo '{"items": 3, "bytes": 4, "seconds": 0.5}'"#]);
        let mut process = Process::start("writer", command, folder.path()).unwrap();
        process.ready(Duration::from_secs(20)).unwrap();
        process.go().unwrap();
        assert_eq!(process.measurement(Duration::from_secs(20)).unwrap().items, 3);
    }
}
