use std::path::PathBuf;

use common::{ExitCode, ExitStatus};
use durable::DurableError;
use transport::TransportError;

use crate::storage::StorageError;

/// Why a shard could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Of its socket.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A thread could not be started.
    #[error("cannot start the thread {name}: {source}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// A thread of the shard has ended by a fault.
    #[error("the shard's thread {name} has ended")]
    Ended {
        /// Its name.
        name: &'static str,
    },
    /// Its disk.
    #[error(transparent)]
    Storage(StorageError),
    /// Its folder cannot be made.
    #[error("cannot make the shard's folder {} (replay.folder): {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Its folder is another's.
    #[error(transparent)]
    Lock(DurableError),
}

impl ExitStatus for ReplayError {
    fn exit_code(&self) -> ExitCode {
        match self {
            ReplayError::Transport(error) => error.exit_code(),
            ReplayError::Thread { .. } | ReplayError::Ended { .. } => ExitCode::Failure,
            ReplayError::Storage(_) | ReplayError::Folder { .. } => ExitCode::Storage,
            ReplayError::Lock(DurableError::Held { .. }) => ExitCode::Locked,
            ReplayError::Lock(_) => ExitCode::Storage,
        }
    }
}
