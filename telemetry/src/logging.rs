//! Logs on stderr, filtered by `RUST_LOG`; warnings that repeat are cut short.

use std::io::{self, IsTerminal as _, Write};
use std::time::Instant;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::TelemetryError;
use crate::status_line;
use crate::throttle::{Fate, PERIOD, Throttle};

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
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Stderr::default()).with_target(false);
    let result = match format {
        LogFormat::Plain => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    result.map_err(|error| fail(error.to_string()))
}

/// Stderr, shared with the live status line: each log line takes its place and the status line moves below.
#[derive(Default)]
struct Stderr {
    throttle: Throttle,
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { bytes: Vec::new(), fate: Fate::Write }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> LogLine {
        let repeats = *metadata.level() <= Level::WARN;
        let judge = || self.throttle.judge(metadata.callsite(), Instant::now());
        LogLine { bytes: Vec::new(), fate: if repeats { judge() } else { Fate::Write } }
    }
}

/// One log line, written when it is complete.
struct LogLine {
    bytes: Vec<u8>,
    fate: Fate,
}

impl LogLine {
    /// Says on the line itself, of either format, what was or will be left out.
    fn remark(&mut self) {
        let (key, remark) = match self.fate {
            Fate::WriteAfter(count) => ("left_out_before", format!("{count} lines like this were left out")),
            Fate::WriteLast => {
                ("left_out", format!("more lines like this are left out for {} s", PERIOD.as_secs()))
            }
            Fate::Write | Fate::LeaveOut => return,
        };
        let line = self.bytes.trim_ascii_end().len();
        self.bytes.truncate(line);
        if self.bytes.first() == Some(&b'{') && self.bytes.pop() == Some(b'}') {
            self.bytes.extend_from_slice(format!(",\"{key}\":\"{remark}\"}}\n").as_bytes());
        } else {
            self.bytes.extend_from_slice(format!(" ({remark})\n").as_bytes());
        }
    }
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.fate != Fate::LeaveOut {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        if self.fate == Fate::LeaveOut {
            return;
        }
        self.remark();
        // A log that cannot be written has nobody left to tell.
        let _ = status_line::write_above(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remarked(text: &str, fate: Fate) -> String {
        let mut line = LogLine { bytes: text.as_bytes().to_vec(), fate };
        line.remark();
        let bytes = std::mem::take(&mut line.bytes);
        line.fate = Fate::LeaveOut;
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_remark_keeps_the_format_of_its_line() {
        assert_eq!(remarked("WARN dropped\n", Fate::Write), "WARN dropped\n");
        let after = remarked("WARN dropped\n", Fate::WriteAfter(7));
        assert_eq!(after, "WARN dropped (7 lines like this were left out)\n");
        let json = remarked("{\"level\":\"WARN\"}\n", Fate::WriteLast);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(read["left_out"].as_str().unwrap().contains("left out for 10 s"), "{json}");
    }
}
