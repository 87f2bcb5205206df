//! What can go wrong in a study.

use std::io;
use std::path::{Path, PathBuf};

use common::{ExitCode, ExitStatus};
use configuration::ConfigError;
use durable::DurableError;

/// Why a study cannot begin or go on. A run that fails is no error of the study.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The study file, or a configuration that it names, is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal could not be read or written.
    #[error("journal: {0}")]
    Durable(#[source] DurableError),
    /// The journal does not say what a journal says.
    #[error("journal in {}: {message}", folder.display())]
    Journal {
        /// The folder of the journal.
        folder: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A folder holds no study.
    #[error("{} holds no study: {source}; give the folder that `longshore sweep run` made, e.g. sweeps/NAME", folder.display())]
    NoStudy {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A study file that does not go with the study in the folder.
    #[error("{origin}: {message}")]
    Changed {
        /// The study file.
        origin: String,
        /// What may not change, and what to do instead.
        message: String,
    },
    /// What a person asked for cannot be done.
    #[error("{0}")]
    Request(String),
    /// The baseline failed before anything else came to a result.
    #[error("the baseline failed, so every trial would: {why}")]
    Baseline {
        /// Why.
        why: String,
    },
    /// A program that starts or watches runs.
    #[error("{tool}: {message}")]
    Tool {
        /// Its name.
        tool: &'static str,
        /// What it said.
        message: String,
    },
    /// The coordinator was told to end.
    #[error("stopped; `longshore sweep resume {}` goes on", folder.display())]
    Interrupted {
        /// The folder of the study.
        folder: PathBuf,
    },
}

impl SweepError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        SweepError::Io { action, path: path.to_owned(), source }
    }
}

impl ExitStatus for SweepError {
    fn exit_code(&self) -> ExitCode {
        match self {
            SweepError::Config(error) => error.exit_code(),
            SweepError::Durable(error) => error.exit_code(),
            SweepError::Journal { .. } => ExitCode::Input,
            SweepError::NoStudy { .. } => ExitCode::Input,
            SweepError::Io { source, .. } if source.kind() == io::ErrorKind::InvalidData => ExitCode::Input,
            SweepError::Io { source, .. } => ExitCode::of_full_disk(source).unwrap_or(ExitCode::Failure),
            SweepError::Changed { .. } | SweepError::Request(_) => ExitCode::Config,
            SweepError::Baseline { .. } => ExitCode::Failure,
            SweepError::Tool { .. } => ExitCode::Unreachable,
            SweepError::Interrupted { .. } => ExitCode::Interrupted,
        }
    }
}
