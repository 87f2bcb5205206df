//! A replay shard: stores trajectories, gives them out, lets them go.
//!
//! What it does is in [`Core`], which knows no socket, clock or disk. One thread owns the socket ([`Shard`]); where
//! trajectories are to survive a crash, another writes to the disk. Bodies and states are
//! opaque bytes here: only headers are read, and libtorch is not linked. Shards know nothing of each other.

mod claim;
mod core;
mod effect;
mod item;
mod journal;
mod peers;
mod persistence;
mod report;
mod requests;
mod service;
mod sessions;
pub mod storage;
pub mod tables;
mod weights;

use std::path::PathBuf;

use common::ExitCode;
use common::ids::RunId;
use durable::DurableError;
use transport::TransportError;

pub use claim::Claim;
pub use core::Core;
pub use effect::{Change, Effect, Outgoing, Reply};
pub use item::{Content, Item};
pub use journal::{Journal, Remembered, RememberedItem};
pub use report::ShardStats;
pub use service::Shard;
pub use sessions::SessionKey;
use storage::StorageError;

/// What a shard did in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplaySummary {
    /// The run that claimed it.
    pub run: Option<RunId>,
    /// Whether the learner ended the run (rather than the operator the shard).
    pub run_finished: bool,
    /// Its counts.
    pub stats: ShardStats,
}

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

impl ReplayError {
    /// The exit status of a program that ends for this reason.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            ReplayError::Transport(error) => error.exit_code(),
            ReplayError::Thread { .. } | ReplayError::Ended { .. } => ExitCode::Failure,
            ReplayError::Storage(_) | ReplayError::Folder { .. } => ExitCode::Storage,
            ReplayError::Lock(DurableError::Held { .. }) => ExitCode::Locked,
            ReplayError::Lock(_) => ExitCode::Storage,
        }
    }
}
