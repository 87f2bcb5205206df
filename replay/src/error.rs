use std::path::PathBuf;

use common::{ExitCode, ExitStatus};
use durable::DurableError;
use transport::TransportError;

use crate::storage::StorageError;

/// Why a shard could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Its socket, or a peer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A thread could not be started.
    #[error("cannot start the thread {name}: {source}")]
    Thread {
        /// Name of the thread.
        name: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// A thread of the shard has panicked.
    #[error("the shard's thread {name} has ended unexpectedly")]
    Ended {
        /// Name of the thread.
        name: &'static str,
    },
    /// Its disk cannot be read or written.
    #[error(transparent)]
    Storage(StorageError),
    /// Its folder cannot be created.
    #[error("cannot make the shard's folder {} (replay.folder): {source}", path.display())]
    Folder {
        /// Path of the folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Its folder is held by another process.
    #[error(transparent)]
    Lock(DurableError),
}

impl ExitStatus for ReplayError {
    fn exit_code(&self) -> ExitCode {
        match self {
            ReplayError::Transport(error) => error.exit_code(),
            ReplayError::Thread { .. } | ReplayError::Ended { .. } => ExitCode::Failure,
            ReplayError::Storage(_) | ReplayError::Folder { .. } => ExitCode::Storage,
            ReplayError::Lock(error) => error.exit_code(),
        }
    }
}
