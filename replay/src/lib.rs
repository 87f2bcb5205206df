//! A replay shard: stores trajectories, gives them out, lets the oldest go.
//!
//! One thread owns the socket and writes; another assembles batches, so that a large batch holds up no acknowledgement.
//! They meet in the [`Table`]. Bodies and states are opaque bytes here: only headers are read, and libtorch is not linked.
//! Shards know nothing of each other.

mod claim;
mod limiter;
mod sampling;
mod select;
mod service;
mod sessions;
pub mod storage;
mod table;
pub mod tables;

use common::config::Config;
use common::ids::{RunId, ShardId};
use common::{ExitCode, Shutdown};
use telemetry::Readiness;
use transport::{Endpoint, ShardStats, Transport, TransportError};

pub use limiter::RateLimiter;
pub use select::{Fifo, Select, Turns, Uniform};
pub use service::Shard;
pub use table::{Given, StoredItem, Table, TableBounds};

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
    /// The thread that assembles batches has ended by a fault.
    #[error("the sampling thread has ended")]
    SamplingEnded,
}

impl ReplayError {
    /// The exit status of a program that ends for this reason.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            ReplayError::Transport(error) => error.exit_code(),
            ReplayError::Thread { .. } | ReplayError::SamplingEnded => ExitCode::Failure,
        }
    }
}

/// Serves as shard `shard` at `endpoint` until the learner ends the run or `shutdown` is triggered.
///
/// # Errors
/// See [`ReplayError`].
pub fn run(
    config: &Config,
    shard: ShardId,
    endpoint: Endpoint,
    transport: Transport,
    shutdown: Shutdown,
) -> Result<ReplaySummary, ReplayError> {
    Shard::bind(config, shard, &endpoint, &transport, Readiness::new())?.serve(&shutdown)
}
