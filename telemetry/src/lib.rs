//! What a service says about itself: logs, metrics, health, progress, and the signals that end it.
//!
//! Nothing here knows what is measured: callers name their metrics (`docs/metrics.md` lists them) and give the text of
//! the status line.

mod health;
mod http;
mod logging;
mod metrics_log;
mod signals;
mod status_line;
mod tensorboard;
mod throttle;

use std::path::PathBuf;

pub use common::Shutdown;
pub use health::{HealthServer, Readiness};
pub use logging::{LogFormat, set_up_logging};
pub use metrics_log::MetricsLog;
pub use signals::shutdown_on_signals;
pub use status_line::StatusLine;
pub use tensorboard::EventFile;

/// Why telemetry could not be set up or written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A file of metrics could not be opened or written.
    #[error("cannot write metrics to {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The address for health checks and metrics cannot be listened on.
    #[error("cannot listen for health checks on {address}: {source}")]
    Listen {
        /// The address as configured.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// `RUST_LOG` cannot be understood, or logging was set up twice.
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
