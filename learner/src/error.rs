use common::ExitCode;

/// What ends a learner.
#[derive(Debug, thiserror::Error)]
pub enum LearnerError {
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] tch::TchError),
    /// An operation of all ranks failed.
    #[error(transparent)]
    Ranks(#[from] torch_extension::TorchExtensionError),
    /// A rank is gone.
    #[error(
        "rank {rank} of the learner was lost: {how}; start again on the same run folder to go on from the newest checkpoint"
    )]
    RankLost {
        /// Which.
        rank: usize,
        /// What is known of its end.
        how: String,
    },
    /// The ranks could not be started, or did not meet.
    #[error("{0}")]
    NoGroup(String),
    /// Ranks do not understand each other.
    #[error("{0}")]
    Group(String),
    /// Ranks would meet beyond loopback.
    #[error(
        "MASTER_ADDR leads to {address}, which is not loopback: ranks neither encrypt nor ask who comes; on a network of your \
         own, allow it with `transport.insecure = true`"
    )]
    InsecureRanks {
        /// Where they would meet.
        address: std::net::SocketAddr,
    },
    /// Networks or checkpoints.
    #[error(transparent)]
    Policy(#[from] policy::PolicyError),
    /// The optimiser's saved state does not fit.
    #[error("the optimiser's state cannot be used: {0}")]
    OptimizerState(String),
    /// What a learner keeps beside its tensors cannot be read.
    #[error("the learner's state cannot be read: {0}")]
    State(serde_json::Error),
    /// Metrics could not be written.
    #[error(transparent)]
    Telemetry(#[from] telemetry::TelemetryError),
    /// Links to shards and actors.
    #[error(transparent)]
    Transport(#[from] transport::TransportError),
    /// The run folder is held by another learner, or the disk refused.
    #[error(transparent)]
    Durable(#[from] durable::DurableError),
    /// The configuration asks for something that does not go together.
    #[error("{0}")]
    Config(String),
    /// A run was to go on where there is none.
    #[error(
        "{folder}: nothing to resume: {why}; name the folder of a run that wrote a checkpoint, or start anew without `--resume`"
    )]
    NothingToResume {
        /// The run folder.
        folder: String,
        /// What is missing.
        why: &'static str,
    },
    /// Too many updates in a row were not finite.
    #[error("training diverged: {skipped} updates in a row had a loss or gradient that is not finite")]
    Diverged {
        /// Updates skipped in a row.
        skipped: u32,
    },
    /// The simulator could not be set up.
    #[error(transparent)]
    Simulator(#[from] simulator::SimulatorError),
    /// Validation failed.
    #[error("validation failed: {0}")]
    Validation(String),
    /// A trajectory that cannot be read. It is dropped and counted; this is what the log says.
    #[error("a trajectory of actor {actor} cannot be read: {message}")]
    Trajectory {
        /// Who sent it.
        actor: common::ids::ActorId,
        /// What is wrong.
        message: String,
    },
    /// A file of the run folder could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
}

impl LearnerError {
    /// Whether a lost rank may be behind it: the backward's exchanges fail as any other tensor operation.
    pub(crate) fn is_of_ranks(&self) -> bool {
        use policy::PolicyError;
        matches!(
            self,
            LearnerError::Ranks(_)
                | LearnerError::RankLost { .. }
                | LearnerError::Tensor(_)
                | LearnerError::Policy(PolicyError::Ranks(_) | PolicyError::Tensor(_))
        )
    }

    /// The exit status of a learner that ends with this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            LearnerError::RankLost { .. } => ExitCode::RankLost,
            LearnerError::NoGroup(_) => ExitCode::Unreachable,
            LearnerError::InsecureRanks { .. } => ExitCode::Security,
            LearnerError::Policy(error) => error.exit_code(),
            LearnerError::OptimizerState(_) | LearnerError::NothingToResume { .. } => ExitCode::Checkpoint,
            LearnerError::Transport(error) => error.exit_code(),
            LearnerError::Durable(error) => error.exit_code(),
            LearnerError::Telemetry(error) => error.exit_code(),
            LearnerError::File { .. } => ExitCode::Storage,
            LearnerError::Config(_) => ExitCode::Config,
            LearnerError::Diverged { .. } => ExitCode::Diverged,
            LearnerError::Simulator(_) => ExitCode::Input,
            _ => ExitCode::Failure,
        }
    }
}
