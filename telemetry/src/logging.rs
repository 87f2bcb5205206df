//! Logs on stderr, filtered by `RUST_LOG`.

use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::TelemetryError;
use crate::status_line;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Plain,
    /// One JSON object a line (`--log-json`).
    Json,
}

/// Sends this process's logs to stderr: `info` and above unless `RUST_LOG` says otherwise.
///
/// # Errors
/// [`TelemetryError::Logging`] when `RUST_LOG` is malformed or logs are set up already.
pub fn set_up_logging(format: LogFormat) -> Result<(), TelemetryError> {
    let fail = |message: String| TelemetryError::Logging { message };
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => {
            text.parse::<EnvFilter>().map_err(|error| fail(format!("RUST_LOG={text}: {error}")))?
        }
        _ => EnvFilter::new("info"),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Stderr).with_target(false);
    let result = match format {
        LogFormat::Plain => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    result.map_err(|error| fail(error.to_string()))
}

/// Stderr, shared with the live status line: each log line takes its place and the status line moves below.
struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = LogLine;
    fn make_writer(&'a self) -> LogLine {
        LogLine { bytes: Vec::new() }
    }
}

/// One log line, written when it is complete.
struct LogLine {
    bytes: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        // A log that cannot be written has nobody left to tell.
        let _ = status_line::write_above(&self.bytes);
    }
}
