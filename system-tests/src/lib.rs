//! Whole-system tests live in `tests/`; here is what they share: starting the real programs and watching their logs.

mod faulty_disk;
mod shards;
mod small_disk;
mod traffic;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use faulty_disk::{Fault, FaultyDisk};
pub use shards::{REPLAYED, ShardProcess, free_port};
pub use small_disk::SmallDisk;
pub use traffic::{RUN, SCHEMA, STEPS, Traffic, impatient};

/// The folder of the programs that were built with these tests.
#[must_use]
pub fn programs() -> PathBuf {
    let mut folder = std::env::current_exe().expect("a running test has a path");
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    folder
}

/// The project's root, from which the programs are run.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the project").to_owned()
}

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be started: the programs are built by `cargo build --release --workspace --bins`.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Output {
    command(program, arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"))
}

fn command<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Command {
    let mut command = Command::new(programs().join(program));
    command.args(arguments).current_dir(root()).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// A program in the background; killed when it is dropped.
#[derive(Debug)]
pub struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts a program with its logs in `folder`; a log that is there is continued.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start<S: AsRef<OsStr>>(folder: &Path, name: &str, program: &str, arguments: &[S]) -> Self {
        Self::start_in(folder, name, program, arguments, &[])
    }

    /// The same with variables of the environment.
    ///
    /// # Panics
    /// As [`Service::start`].
    pub fn start_in<S: AsRef<OsStr>>(
        folder: &Path,
        name: &str,
        program: &str,
        arguments: &[S],
        environment: &[(&str, &str)],
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file =
            File::options().create(true).append(true).open(&log).expect("the test's folder can be written");
        let mut command = command(program, arguments);
        let child = command.envs(environment.iter().copied()).stdout(Stdio::null()).stderr(file).spawn();
        let child = child.unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        Service { name: name.to_owned(), child, log }
    }

    /// The process id (PID).
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that the program has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log holds `text` at least `times` times.
    ///
    /// # Panics
    /// After `patience`, with the log.
    pub fn wait_for(&self, text: &str, times: usize, patience: Duration) {
        let start = Instant::now();
        while self.log().matches(text).count() < times {
            assert!(
                start.elapsed() < patience,
                "{} never logged `{text}` ×{times}:\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Memory that it has in use now, in bytes; 0 when it has ended.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let kilobytes =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        kilobytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) << 10
    }

    /// Kills the process with SIGKILL, as `kill -9` does.
    ///
    /// # Errors
    /// When it had ended already.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Waits for its end and returns the exit status.
    ///
    /// # Panics
    /// After `patience`, with the log.
    pub fn wait(&mut self, patience: Duration) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            assert!(start.elapsed() < patience, "{} did not end:\n{}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}
