//! Where the files of a study lie.

use std::path::{Path, PathBuf};

use crate::SweepError;
use crate::entry::{CopiedFrom, RunId};

/// What lies in a study's folder before there is a journal, where a coordinator was killed at its very beginning, or people asked early.
const OWN: [&str; 6] = ["lock", "owner", "python", "requests", "study.toml", "trials"];

/// A study's folder:
///
/// ```text
/// study.toml            the study file as it is now
/// lock                  held by the coordinator
/// journal/              everything that was decided and reported
/// configs/0.toml        what evaluations are played on
/// owner                 where Optuna suggests: the name of this folder's coordinator there
/// python                the Python that has Optuna
/// requests/             what people ask of a running coordinator
/// trials/0007/config.toml       the configuration of trial 7
/// trials/0007/seed-2/           the run folder of its training with seed 2, or the results of its evaluation
/// trials/0007/checkpoint-2/     its checkpoint at the second rung, where a population goes on from copies of it
/// trials/0007/jobs/seed-2.3.sh  what the third start of that run executes; beside it .log, .pid and .exit
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    /// The folder, as an absolute path.
    pub folder: PathBuf,
}

impl Layout {
    /// The layout of a folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Layout { folder: std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()) }
    }

    /// Refuses a folder that holds something else than a study.
    ///
    /// # Errors
    /// [`SweepError::Request`], which names it; [`SweepError::Io`].
    pub(crate) fn check_own(&self) -> Result<(), SweepError> {
        let entries =
            std::fs::read_dir(&self.folder).map_err(|source| SweepError::io("read", &self.folder, source))?;
        let mut names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let is_study = self.folder.join("journal").is_dir();
        match names.find(|name| !is_study && !OWN.contains(&name.as_str())) {
            Some(name) => Err(SweepError::Request(format!(
                "{} holds `{name}`, and no study; give an empty folder with --folder",
                self.folder.display()
            ))),
            None => Ok(()),
        }
    }

    /// The study file as it is now.
    #[must_use]
    pub fn study(&self) -> PathBuf {
        self.folder.join("study.toml")
    }

    /// What people ask of a running coordinator.
    #[must_use]
    pub fn requests(&self) -> PathBuf {
        self.folder.join("requests")
    }

    /// The folder of a trial.
    #[must_use]
    pub fn trial(&self, trial: u64) -> PathBuf {
        self.folder.join("trials").join(format!("{trial:04}"))
    }

    /// What an evaluation is played on.
    #[must_use]
    pub fn evaluated(&self, config: usize) -> PathBuf {
        self.folder.join("configs").join(format!("{config}.toml"))
    }

    /// The configuration of a training trial.
    #[must_use]
    pub fn config(&self, trial: u64) -> PathBuf {
        self.trial(trial).join("config.toml")
    }

    /// The run folder of a training, or the results of an evaluation.
    #[must_use]
    pub fn run(&self, run: RunId) -> PathBuf {
        self.trial(run.trial).join(format!("seed-{}", run.seed + 1))
    }

    /// The checkpoint that copies of a trial go on from.
    #[must_use]
    pub fn copied(&self, from: CopiedFrom) -> PathBuf {
        self.trial(from.trial).join(format!("checkpoint-{}", from.rung + 1))
    }

    /// A file of a start of a run: its script, log, process id or exit status.
    #[must_use]
    pub fn job(&self, run: RunId, attempt: u32, extension: &str) -> PathBuf {
        self.trial(run.trial).join("jobs").join(format!("seed-{}.{attempt}.{extension}", run.seed + 1))
    }
}
