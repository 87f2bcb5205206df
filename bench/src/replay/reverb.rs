//! The peer's processes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::load::Load;
use super::process::{Process, free_port};
use super::service::Service;

/// Where the peer's program lies, seen from the repository's root.
const SCRIPT: &str = "bench/peers/replay/reverb_process.py";
/// Importing TensorFlow from a cold disk takes its time.
const START: Duration = Duration::from_secs(120);

/// A server of Reverb.
pub(super) struct Reverb {
    python: PathBuf,
    load: Load,
    port: u16,
    server: [Process; 1],
    folder: TempDir,
}

impl Reverb {
    pub(super) fn start(python: &Path, load: Load) -> Result<Self> {
        let (port, folder) = (free_port()?, tempfile::tempdir()?);
        let mut command = Command::new(python);
        command.args([SCRIPT, "server", "--port", &port.to_string()]);
        command.args(["--max-items", &load.max_items().to_string()]);
        // Its checkpoints go to the folder of temporary files, and it leaves an empty one at every start.
        command.env("TMPDIR", folder.path());
        let server = Process::start("server", command, folder.path())?;
        server.ready(START)?;
        Ok(Reverb { python: python.to_owned(), load, port, server: [server], folder })
    }

    fn client(&self, role: &str, seconds: f64) -> Command {
        let mut command = Command::new(&self.python);
        command.args([SCRIPT, role, "--port", &self.port.to_string(), "--seconds", &seconds.to_string()]);
        command.args(["--steps", &self.load.steps().to_string()]);
        command.args(["--step-bytes", &self.load.step_bytes().to_string()]);
        command
    }
}

impl Service for Reverb {
    fn servers(&self) -> &[Process] {
        &self.server
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn writer(&self, window: usize, seconds: f64) -> Command {
        let mut command = self.client("writer", seconds);
        command.args(["--window", &window.to_string(), "--fill", &self.load.max_items().to_string()]);
        command
    }

    fn sampler(&self, seconds: f64) -> Command {
        self.client("sampler", seconds)
    }

    fn cleaned_bytes(&self) -> Result<u64> {
        Ok(0)
    }
}
