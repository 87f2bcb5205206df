//! What a service says about itself: logs, metrics, health, progress, and the signals that end it.
//!
//! [`run_program`] is the main function of every program: arguments, logging, the last error and the exit status.
//!
//! Nothing here knows what is measured: callers name their metrics (`docs/metrics.md` lists them) and give the text of
//! the status line.

mod descriptors;
mod error;
mod growing_file;
mod health;
mod health_server;
mod hparams;
mod logging;
mod metrics_log;
mod output;
mod program;
mod signals;
mod status_line;
mod tensorboard;
mod throttle;

pub use common::Shutdown;
pub use error::TelemetryError;
pub use health::Health;
pub use health_server::HealthServer;
pub use hparams::SessionStatus;
pub use logging::{LogFormat, set_up_logging};
pub use metrics_log::MetricsLog;
pub use output::{Output, OutputError, is_cut_short, is_of_output, stdout};
pub use program::{Failure, Program, run_program};
pub use signals::shutdown_on_signals;
pub use status_line::StatusLine;
pub use tensorboard::EventFile;
