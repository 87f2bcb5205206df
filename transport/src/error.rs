use std::path::PathBuf;
use std::time::Duration;

use common::{ExitCode, ExitStatus};

use crate::envelope::WireError;
use crate::message::Refusal;

/// Why a link failed.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The messaging library refused an operation.
    #[error("cannot {operation} {endpoint}: {source}")]
    Socket {
        /// What was tried, as a verb: "bind", "connect".
        operation: &'static str,
        /// The address that was to be used.
        endpoint: String,
        /// The library's error.
        source: zmq::Error,
    },
    /// An address cannot be bound.
    #[error(
        "cannot bind {endpoint}: {source}; another program may listen there, or the address belongs to another machine: stop that \
         program, or give another address"
    )]
    Bind {
        /// The address that was to be used.
        endpoint: String,
        /// The library's error.
        source: zmq::Error,
    },
    /// An address cannot be understood.
    #[error("address `{text}`: {message}")]
    Address {
        /// The address as the user wrote it.
        text: String,
        /// What an address must look like.
        message: &'static str,
    },
    /// An address beyond loopback was to be bound without keys.
    #[error(
        "refusing to bind {endpoint} without encryption: give `transport.keys` (made by `longshore keygen`), bind a \
         loopback address, or allow it with `transport.insecure = true`"
    )]
    InsecureBind {
        /// The address that was to be used.
        endpoint: String,
    },
    /// A key file is missing, unreadable, readable by others, or holds no key.
    #[error("key file {}: {message}", path.display())]
    Key {
        /// Path of the key file.
        path: PathBuf,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A key file cannot be written.
    #[error("key file {} cannot be written: {source}", path.display())]
    KeyFile {
        /// Path of the key file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// CURVE is configured and the linked library cannot do it.
    #[error(
        "keys are configured, but the linked libzmq {version} was built without CURVE; use the system's libzmq (Debian: \
         libzmq3-dev) and build inside the project's folder"
    )]
    NoCurve {
        /// Version of the linked library.
        version: String,
    },
    /// A peer refused the handshake.
    #[error("{endpoint} refused: {message} ({reason})")]
    Refused {
        /// Address of the peer.
        endpoint: String,
        /// The reason, for programs.
        reason: Refusal,
        /// The reason in the peer's words.
        message: String,
    },
    /// No peer could be reached within the deadline.
    #[error(
        "{what} at {endpoints} could not be reached within {after:?} (is it running, and does it have our key?)"
    )]
    Unreachable {
        /// Which peer: "the learner", "every replay shard".
        what: &'static str,
        /// Addresses that were tried.
        endpoints: String,
        /// Time that was waited.
        after: Duration,
    },
    /// Trajectories were not acknowledged within the deadline.
    #[error("{items} trajectories were not acknowledged within {after:?}, by: {shards}")]
    Unflushed {
        /// How many trajectories.
        items: usize,
        /// Addresses of the shards that did not acknowledge.
        shards: String,
        /// Time that was waited.
        after: Duration,
    },
    /// The learner has ended the run: no more trajectories are needed.
    #[error("the run has finished")]
    RunFinished,
    /// The program is shutting down.
    #[error("interrupted")]
    Interrupted,
    /// A message cannot be encoded, or a received one cannot be decoded.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A thread could not be started.
    #[error("cannot start the thread {name}: {source}")]
    Thread {
        /// Name of the thread.
        name: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

impl TransportError {
    pub(crate) fn socket(
        operation: &'static str,
        endpoint: &str,
    ) -> impl FnOnce(zmq::Error) -> TransportError {
        let endpoint = endpoint.to_owned();
        move |source| TransportError::Socket { operation, endpoint, source }
    }
}

impl ExitStatus for TransportError {
    fn exit_code(&self) -> ExitCode {
        match self {
            TransportError::Address { .. } | TransportError::Bind { .. } => ExitCode::Config,
            TransportError::InsecureBind { .. }
            | TransportError::Key { .. }
            | TransportError::NoCurve { .. } => ExitCode::Security,
            TransportError::KeyFile { .. } => ExitCode::Storage,
            TransportError::Refused { .. } => ExitCode::Refused,
            TransportError::Unreachable { .. } | TransportError::Unflushed { .. } => ExitCode::Unreachable,
            TransportError::RunFinished => ExitCode::Success,
            TransportError::Interrupted => ExitCode::Interrupted,
            TransportError::Socket { .. } | TransportError::Wire(_) | TransportError::Thread { .. } => {
                ExitCode::Failure
            }
        }
    }
}
