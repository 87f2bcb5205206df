//! Why telemetry could not be set up or written.

use std::path::PathBuf;

use common::ExitStatus;

/// Why telemetry could not be set up or written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A file of metrics could not be opened or written.
    #[error("cannot write metrics to {}: {source}", path.display())]
    Write {
        /// File that could not be written.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The address for health checks and metrics cannot be listened on.
    #[error(
        "cannot listen for health checks on {address} (key `metrics_address`): {source}; another program may listen there, or the \
         address is not of this machine: end it, or give another address"
    )]
    Listen {
        /// The address as configured.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// `RUST_LOG` cannot be understood.
    #[error(
        "RUST_LOG=`{value}` cannot be understood: {problem}; give a level (off, error, warn, info, debug, trace), or a level \
         for a part, e.g. RUST_LOG=info,transport=debug"
    )]
    Filter {
        /// As it is set.
        value: String,
        /// What is wrong.
        problem: String,
    },
    /// Logging was set up twice.
    #[error("cannot set up logging: {message}")]
    Logging {
        /// What is wrong.
        message: String,
    },
    /// Something of the process itself (a thread, a signal handler, the metrics registry) could not be had.
    #[error("cannot set up {what}: {message}")]
    Process {
        /// What was wanted.
        what: &'static str,
        /// What the system says.
        message: String,
    },
}

impl ExitStatus for TelemetryError {
    fn exit_code(&self) -> common::ExitCode {
        match self {
            TelemetryError::Write { .. } => common::ExitCode::Storage,
            TelemetryError::Filter { .. } | TelemetryError::Listen { .. } => common::ExitCode::Config,
            TelemetryError::Logging { .. } | TelemetryError::Process { .. } => common::ExitCode::Failure,
        }
    }
}
