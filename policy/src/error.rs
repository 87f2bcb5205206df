use std::path::PathBuf;

use common::{ExitCode, ExitStatus};

/// What can go wrong with networks and their files.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] tch::TchError),
    /// A collective operation of the process group, or a kernel, failed.
    #[error(transparent)]
    Ranks(#[from] torch_extension::TorchExtensionError),
    /// The requested GPU is not available.
    #[error(transparent)]
    Cuda(#[from] torch_extension::cuda::CudaError),
    /// A batch that is spread over ranks was evaluated without a process group.
    #[error("a batch that is spread over ranks needs their group")]
    Alone,
    /// Owners do not fit a state or the ranks.
    #[error("a state cannot be spread over ranks: {0}")]
    Partition(#[from] partition::PartitionError),
    /// The rule to start from cannot be one.
    #[error("key `policy.prior`: {0}")]
    Prior(String),
    /// The scheduler to imitate cannot be one.
    #[error("key `learner.imitate`: {0}")]
    Teacher(String),
    /// Weights do not belong to this network or are damaged.
    #[error("weights cannot be used: {0}")]
    Weights(String),
    /// A cluster offers other sizes than the policy was made for.
    #[error(
        "the policy was made for {known} container size(s), and `simulator.serverless.size_multiples` has {offered}; give it as many, or \
         train a policy for them"
    )]
    Sizes {
        /// Number of sizes that the policy chooses from.
        known: usize,
        /// Number of sizes of the cluster.
        offered: usize,
    },
    /// Weights, or values computed from them, are not finite.
    #[error("training diverged: {0} not finite; lower learner.learning_rate or learner.max_gradient_norm")]
    NotFinite(String),
    /// A checkpoint is missing or damaged.
    #[error("{}: {message}", path.display())]
    Checkpoint {
        /// Folder or file.
        path: PathBuf,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A checkpoint could not be written; the previous one is intact.
    #[error("checkpoint not written: {0}")]
    Write(#[from] durable::DurableError),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Path of the file that could not be read or written.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
}

impl ExitStatus for PolicyError {
    fn exit_code(&self) -> ExitCode {
        match self {
            PolicyError::Tensor(_)
            | PolicyError::Ranks(_)
            | PolicyError::Partition(_)
            | PolicyError::Alone => ExitCode::Failure,
            PolicyError::Cuda(_)
            | PolicyError::Prior(_)
            | PolicyError::Teacher(_)
            | PolicyError::Sizes { .. } => ExitCode::Config,
            PolicyError::Weights(_) | PolicyError::Checkpoint { .. } => ExitCode::Checkpoint,
            PolicyError::NotFinite(_) => ExitCode::Diverged,
            PolicyError::Write(error) => error.exit_code(),
            PolicyError::File { source, .. } => ExitCode::of_full_disk(source).unwrap_or(ExitCode::Failure),
        }
    }
}

/// The exit status of the first [`PolicyError`] among `error` and its sources; `None` where there is none.
#[must_use]
pub fn exit_code_within(error: &(dyn std::error::Error + 'static)) -> Option<ExitCode> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref::<PolicyError>())
        .map(ExitStatus::exit_code)
}
