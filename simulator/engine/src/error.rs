use common::ids::{ContainerId, FunctionId, InvocationId};

/// Why a simulation refused an action. The simulation is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The invocation is not pending, or not visible.
    #[error("invocation {0} cannot be started: it is not among those that wait")]
    NotPending(InvocationId),
    /// It does not fit there now.
    #[error("invocation {0} does not fit now")]
    DoesNotFit(InvocationId),
    /// A reservation was asked for where none is possible.
    #[error(
        "nothing can be reserved for invocation {0} there: it fits now, the node is down or too small, or the size is not offered"
    )]
    NothingToReserve(InvocationId),
    /// A hold without an end.
    #[error("invocation {0} cannot be held: the time is 0, or no container of its function starts or runs")]
    NothingToAwait(InvocationId),
    /// Nothing runs and nothing came for long: waiting would only burn time.
    #[error("waiting is not allowed now: nothing runs and nothing has arrived for thousands of steps")]
    MayNotWait,
    /// The container does not exist, or is not idle.
    #[error("container {0} is not idle")]
    NotIdle(ContainerId),
    /// No such size of the function, no such node, not enough free memory there, or its isolation tag keeps it away.
    #[error(
        "function {0} cannot be pre-warmed there now: its size must be offered and free memory must hold it"
    )]
    CannotPreWarm(FunctionId),
    /// The scenario has no such action, or does not ask for it.
    #[error("this scenario does not ask for this kind of action")]
    NotAsked,
    /// The episode is over, or no decision was due.
    #[error("no decision is due")]
    NoDecisionDue,
}

/// Why a scheduler could not decide.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// It was built for another scenario.
    #[error("scheduler `{scheduler}` does not play scenario `{scenario}`")]
    WrongScenario {
        /// Canonical name of the scheduler.
        scheduler: String,
        /// The scenario that it was asked about.
        scenario: common::trajectory::Scenario,
    },
    /// Something inside failed, e.g. a network's forward pass.
    #[error("scheduler `{scheduler}` failed: {source}")]
    Failed {
        /// Canonical name of the scheduler.
        scheduler: String,
        /// Underlying error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl common::ExitStatus for SchedulerError {
    fn exit_code(&self) -> common::ExitCode {
        match self {
            SchedulerError::WrongScenario { .. } => common::ExitCode::Config,
            SchedulerError::Failed { .. } => common::ExitCode::Failure,
        }
    }
}

/// Why a simulation could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// Rates cannot be scaled.
    #[error(
        "no invocation arrives in the minutes that the load is scaled on; choose others (`scale_minutes`)"
    )]
    NoArrivals,
    /// A function needs more memory than any node has, or than any offered size gives.
    #[error(
        "function `{function}` needs {peak_mb} MB; no offered size of it fits on a node (the largest has {largest_mb} MB)"
    )]
    FunctionTooLarge {
        /// Name of the function.
        function: String,
        /// Peak memory of the function, MB.
        peak_mb: u32,
        /// Memory of the largest node, MB.
        largest_mb: u32,
    },
    /// A list of jobs that this machine can never run.
    #[error("job {job}: {message}")]
    Job {
        /// Id of the job.
        job: InvocationId,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl common::ExitStatus for SetUpError {
    fn exit_code(&self) -> common::ExitCode {
        common::ExitCode::Input
    }
}
