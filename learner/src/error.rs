use common::{ExitCode, ExitStatus};

use crate::changes::Change;

/// How many changes an error names.
const LISTED: usize = 8;

fn listed(changes: &[Change]) -> String {
    let mut named: Vec<String> = changes.iter().take(LISTED).map(Change::to_string).collect();
    if changes.len() > LISTED {
        named.push(format!("and {} more", changes.len() - LISTED));
    }
    named.join("; ")
}

/// What ends a learner.
#[derive(Debug, thiserror::Error)]
pub enum LearnerError {
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] tch::TchError),
    /// An operation of all ranks failed.
    #[error(transparent)]
    Ranks(#[from] torch_extension::TorchExtensionError),
    /// A rank was lost.
    #[error(
        "rank {rank} of the learner was lost: {how}; start again on the same run folder to go on from the newest checkpoint"
    )]
    RankLost {
        /// Number of the lost rank.
        rank: usize,
        /// What is known of its end.
        how: String,
    },
    /// The ranks could not be started, or did not meet.
    #[error("{0}")]
    RanksNotMet(String),
    /// A rank received a message that it does not understand.
    #[error("{0}")]
    RankMessage(String),
    /// Ranks would meet beyond loopback.
    #[error(
        "MASTER_ADDR leads to {address}, which is not loopback: ranks neither encrypt nor authenticate; on a network of your own, \
         allow it with `transport.insecure = true`"
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
    /// The state of a learner beside its tensors cannot be read.
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
    /// `--resume` was asked for where there is no run.
    #[error(
        "{folder}: nothing to resume: {why}; name the folder of a run that wrote a checkpoint, or start anew without `--resume`"
    )]
    NothingToResume {
        /// The run folder.
        folder: String,
        /// What is missing.
        why: &'static str,
    },
    /// A run folder holds a run that was trained with something else.
    #[error(
        "{folder}: {}; a run goes on as it began: leave these out (`--resume` alone takes all of it from the folder), or name \
         another run folder",
        listed(changes)
    )]
    OtherRun {
        /// The run folder.
        folder: String,
        /// What is not as it was.
        changes: Vec<Change>,
    },
    /// A fresh run was to start from weights where there is a run already.
    #[error(
        "{folder} holds a run already, which `--init-from` would not touch: name another run folder, or leave `--init-from` out \
         to go on with it"
    )]
    HoldsRun {
        /// The run folder.
        folder: String,
    },
    /// A shutdown ended it.
    #[error("interrupted; the same command goes on from the newest checkpoint")]
    Interrupted,
    /// Too many updates in a row were not finite.
    #[error(
        "training diverged: {skipped} updates in a row had a loss or gradient that is not finite; lower \
         learner.learning_rate or learner.max_gradient_norm"
    )]
    Diverged {
        /// Updates skipped in a row.
        skipped: u32,
    },
    /// The outputs of the networks are not finite.
    #[error(
        "training diverged: {what} not finite after round {round}; lower learner.learning_rate or learner.max_gradient_norm"
    )]
    NotFinite {
        /// What, with its verb.
        what: &'static str,
        /// The round of learning.
        round: u64,
    },
    /// Episodes come, but there is nothing to decide in them.
    #[error(
        "nothing to learn from: {trajectories} trajectories came one after the other, and none holds a decision between \
         alternatives; raise the load or the length of training episodes"
    )]
    NothingToDecide {
        /// Number of trajectories that arrived in succession without such a decision.
        trajectories: u64,
    },
    /// The simulator could not be set up.
    #[error(transparent)]
    Simulator(#[from] workloads::WorkloadError),
    /// An evaluation for validation failed.
    #[error("validation failed: {0}")]
    Validation(#[source] evaluation::EvaluationError),
    /// A trajectory that cannot be read. It is dropped and counted; this is what the log says.
    #[error("a trajectory of actor {actor} cannot be read: {message}")]
    Trajectory {
        /// The actor that sent it.
        actor: common::ids::ActorId,
        /// What is wrong.
        message: String,
    },
    /// A checkpoint was not written, because it could not be restored.
    #[error(
        "training diverged: {file} of the checkpoint would hold numbers that are not finite, so it is not written; go on from the \
         newest one with a lower learner.learning_rate"
    )]
    NotRestorable {
        /// The file.
        file: String,
    },
    /// A file of the run folder could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// File that could not be read or written.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
}

impl LearnerError {
    /// Whether a lost rank may be the cause: exchanges of the backward pass fail as any other tensor operation.
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

    /// Whether the disk has refused to take something, which may pass.
    pub(crate) fn is_of_disk(&self) -> bool {
        matches!(
            self,
            LearnerError::Policy(policy::PolicyError::Write(_))
                | LearnerError::Durable(durable::DurableError::Io { .. })
                | LearnerError::Telemetry(telemetry::TelemetryError::Write { .. })
                | LearnerError::File { .. }
        )
    }

    /// Whether a peer has refused this learner.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, LearnerError::Transport(transport::TransportError::Refused { .. }))
    }

    /// Whether what was learnt is worth nothing.
    pub(crate) fn is_divergence(&self) -> bool {
        matches!(
            self,
            LearnerError::Diverged { .. }
                | LearnerError::NotFinite { .. }
                | LearnerError::NotRestorable { .. }
        )
    }

    /// Whether a shutdown is the cause.
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(
            self,
            LearnerError::Interrupted | LearnerError::Transport(transport::TransportError::Interrupted)
        )
    }
}

impl ExitStatus for LearnerError {
    fn exit_code(&self) -> ExitCode {
        match self {
            LearnerError::RankLost { .. } => ExitCode::RankLost,
            LearnerError::RanksNotMet(_) => ExitCode::Unreachable,
            LearnerError::InsecureRanks { .. } => ExitCode::Security,
            LearnerError::Policy(error) => error.exit_code(),
            LearnerError::OptimizerState(_) | LearnerError::NothingToResume { .. } => ExitCode::Checkpoint,
            LearnerError::Transport(error) => error.exit_code(),
            LearnerError::Durable(error) => error.exit_code(),
            LearnerError::Telemetry(error) => error.exit_code(),
            LearnerError::File { .. } => ExitCode::Storage,
            LearnerError::Config(_)
            | LearnerError::OtherRun { .. }
            | LearnerError::HoldsRun { .. }
            | LearnerError::NothingToDecide { .. } => ExitCode::Config,
            LearnerError::Diverged { .. }
            | LearnerError::NotFinite { .. }
            | LearnerError::NotRestorable { .. } => ExitCode::Diverged,
            LearnerError::Validation(error) => policy::exit_code_within(error).unwrap_or(error.exit_code()),
            LearnerError::Interrupted => ExitCode::Interrupted,
            LearnerError::Simulator(_) => ExitCode::Input,
            _ => ExitCode::Failure,
        }
    }
}
