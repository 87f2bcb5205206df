use common::{ExitCode, ExitStatus};

/// Why an actor failed.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// The network or its weights cannot be used.
    #[error(transparent)]
    Policy(#[from] policy::PolicyError),
    /// The network could not decide.
    #[error(transparent)]
    Scheduler(#[from] engine::SchedulerError),
    /// The network chose an action that is not possible.
    #[error("the policy chose an action that the cluster refuses: {0}")]
    Action(#[from] engine::ActionError),
    /// The workload could not be loaded.
    #[error(transparent)]
    Simulator(#[from] workloads::WorkloadError),
    /// A link to shards or learner failed.
    #[error(transparent)]
    Transport(#[from] transport::TransportError),
}

impl ExitStatus for ActorError {
    fn exit_code(&self) -> ExitCode {
        match self {
            ActorError::Policy(error) => error.exit_code(),
            ActorError::Simulator(_) => ExitCode::Input,
            ActorError::Transport(error) => error.exit_code(),
            ActorError::Scheduler(error) => policy::exit_code_within(error).unwrap_or(ExitCode::Failure),
            ActorError::Action(_) => ExitCode::Failure,
        }
    }
}
