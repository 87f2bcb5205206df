use std::path::PathBuf;

use common::ExitStatus;
use common::{Action, ExitCode};
use engine::{ActionError, SchedulerError, SetUpError};
use heuristics::UnknownScheduler;

/// Why an evaluation could not be done.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// No rule has that name.
    #[error(transparent)]
    Unknown(#[from] UnknownScheduler),
    /// A scheduler could not decide.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// A scheduler decided something impossible.
    #[error("scheduler `{scheduler}` chose {action:?}: {cause}")]
    Action {
        /// Canonical name of the scheduler.
        scheduler: String,
        /// What it chose.
        action: Action,
        /// Why that is impossible.
        cause: ActionError,
    },
    /// A scheduler gave another number of decisions than it was asked for.
    #[error("scheduler `{scheduler}` gave {given} decisions for {asked} requests")]
    DecisionCount {
        /// Canonical name of the scheduler.
        scheduler: String,
        /// Decisions that it gave.
        given: usize,
        /// Requests that it got.
        asked: usize,
    },
    /// A contender that has no meaning in this scenario.
    #[error("reference `{reference}` has no meaning on workload `{workload}`")]
    NoReference {
        /// Name of the reference.
        reference: String,
        /// Name of the workload.
        workload: String,
    },
    /// The configuration is of another scenario.
    #[error("the configuration plays scenario `{found}`, not `{expected}`")]
    WrongScenario {
        /// What it plays.
        found: common::trajectory::Scenario,
        /// What it should play.
        expected: common::trajectory::Scenario,
    },
    /// A simulation could not be made.
    #[error(transparent)]
    Simulator(#[from] SetUpError),
    /// A file could not be read, or is none that can be.
    #[error("{}: {cause}", path.display())]
    Read {
        /// File that could not be read.
        path: PathBuf,
        /// What the system says, or what is wrong with the file.
        cause: std::io::Error,
    },
    /// A value of a JSON file is wrong.
    #[error("{}: `{key}`: {message}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Path of the wrong value in the file, e.g. `sequences[0].jobs[2].length`.
        key: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A results folder holds something else than was asked for.
    #[error("{}: {message}", path.display())]
    OtherResults {
        /// File that differs from what was asked for.
        path: PathBuf,
        /// What differs and what would be right.
        message: String,
    },
    /// A row of a file of a results folder is malformed.
    #[error("{}: row {row}: {message}", path.display())]
    Results {
        /// Malformed file of the results folder.
        path: PathBuf,
        /// Row in the file, from 1.
        row: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A results folder lacks what was asked about.
    #[error("{0}")]
    Missing(String),
    /// No episode of a workload at a load had anything to count.
    #[error(
        "workload `{workload}` at {load}% load: nothing was counted in {seeds} episodes, so there is nothing to compare; {remedy}"
    )]
    NothingCounted {
        /// Name of the workload.
        workload: String,
        /// Offered load, percent.
        load: f64,
        /// Episodes that were played.
        seeds: u32,
        /// What to change.
        remedy: &'static str,
    },
    /// A results folder could not be written, or another process writes to it.
    #[error(transparent)]
    Durable(#[from] durable::DurableError),
    /// A results folder could not be appended to.
    #[error("cannot append to {}: {cause}", path.display())]
    Append {
        /// File that could not be appended to.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The evaluation was interrupted before its end.
    #[error("interrupted")]
    Interrupted,
    /// A picture could not be drawn.
    #[error("the picture could not be drawn: {0}")]
    Picture(String),
}

impl ExitStatus for EvaluationError {
    fn exit_code(&self) -> ExitCode {
        match self {
            EvaluationError::Unknown(_)
            | EvaluationError::NoReference { .. }
            | EvaluationError::WrongScenario { .. }
            | EvaluationError::Scheduler(SchedulerError::WrongScenario { .. })
            | EvaluationError::Missing(_)
            | EvaluationError::NothingCounted { .. }
            | EvaluationError::OtherResults { .. } => ExitCode::Config,
            EvaluationError::Simulator(_)
            | EvaluationError::Read { .. }
            | EvaluationError::Key { .. }
            | EvaluationError::Results { .. } => ExitCode::Input,
            EvaluationError::Durable(error) => error.exit_code(),
            EvaluationError::Append { .. } => ExitCode::Storage,
            EvaluationError::Interrupted => ExitCode::Interrupted,
            _ => ExitCode::Failure,
        }
    }
}
