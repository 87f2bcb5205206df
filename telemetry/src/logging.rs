//! Logs on stderr, filtered by `RUST_LOG`; warnings that repeat are cut short.

use std::env::VarError;
use std::io::{self, IsTerminal as _, Write};
use std::sync::OnceLock;
use std::time::Instant;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::TelemetryError;
use crate::status_line;
use crate::throttle::{Fate, PERIOD, Throttle};

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Plain text for a terminal.
    #[default]
    Plain,
    /// One JSON object a line (`--log-json`).
    Json,
}

/// The format that this process was set up with; plain before that.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Sends this process's logs to stderr: `info` and above unless `RUST_LOG` says otherwise.
///
/// # Errors
/// [`TelemetryError::Filter`] when `RUST_LOG` is malformed; [`TelemetryError::Logging`] when logs are set up already.
pub fn set_up_logging(format: LogFormat) -> Result<(), TelemetryError> {
    // First of all: what is wrong with the filter is said in the same format.
    let format = *FORMAT.get_or_init(|| format);
    let filter = match std::env::var("RUST_LOG") {
        Err(VarError::NotPresent) => EnvFilter::new("info"),
        Ok(text) => filter(&text)?,
        Err(VarError::NotUnicode(text)) => {
            let value = text.to_string_lossy().into_owned();
            return Err(TelemetryError::Filter { value, problem: "it is not UTF-8".to_owned() });
        }
    };
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Stderr::default()).with_target(false);
    let result = match format {
        LogFormat::Plain => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    result.map_err(|error| TelemetryError::Logging { message: error.to_string() })
}

/// Logs an error past every filter, in the format of this process.
pub(crate) fn log_once(message: &str) {
    let builder = tracing_subscriber::fmt().with_writer(Stderr::default()).with_target(false);
    let log = || tracing::error!("{message}");
    match FORMAT.get().copied().unwrap_or_default() {
        LogFormat::Plain => {
            let subscriber = builder.with_ansi(io::stderr().is_terminal()).finish();
            tracing::subscriber::with_default(subscriber, log);
        }
        LogFormat::Json => {
            tracing::subscriber::with_default(builder.json().flatten_event(true).finish(), log);
        }
    }
}

/// The filter that `RUST_LOG` describes.
fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let fail = |problem: String| TelemetryError::Filter { value: text.to_owned(), problem };
    let directives: Vec<&str> =
        text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.is_empty() {
        return Ok(EnvFilter::new("info"));
    }
    // A lone word that is no level would be the name of a part: a mistyped level would then switch all logs off in silence.
    let is_word = |directive: &str| !directive.contains(['=', '[']);
    let is_level = |directive: &str| directive.parse::<LevelFilter>().is_ok();
    if let Some(word) = directives.iter().find(|one| is_word(one) && !is_level(one)) {
        return Err(fail(format!("`{word}` is no level")));
    }
    directives.join(",").parse::<EnvFilter>().map_err(|error| fail(error.to_string()))
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
    /// Adds a remark to the line, in either format, about lines that were or will be left out.
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

impl LogLine {
    /// Further lines of a message are marked as such, so that no name or path with a line's end in it can pass for a line of the
    /// log. (JSON has no such lines.)
    fn indent(&mut self) {
        let Some((b'\n', message)) = self.bytes.split_last() else { return };
        if message.contains(&b'\n') {
            let lines: Vec<&[u8]> = message.split(|byte| *byte == b'\n').collect();
            self.bytes = lines.join(&b"\n    | "[..]);
            self.bytes.push(b'\n');
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
        self.indent();
        // An error of the log itself cannot be reported anywhere.
        let _ = status_line::write_above(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ExitStatus as _;

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

    #[test]
    fn a_lines_end_in_a_message_begins_no_line_of_the_log() {
        let mut line =
            LogLine { bytes: b"ERROR no file a\n2026-01-01 ERROR forged\n".to_vec(), fate: Fate::LeaveOut };
        line.indent();
        assert_eq!(line.bytes, b"ERROR no file a\n    | 2026-01-01 ERROR forged\n");
    }

    #[test]
    fn filters_are_understood_or_refused_by_name() {
        for right in
            ["", " ", "off", "WARN", "debug,transport=trace", " info , replay=off ", "[rank]=debug", "3"]
        {
            filter(right).unwrap_or_else(|error| panic!("`{right}`: {error}"));
        }
        for wrong in ["debgu", "info,verbose", "replay=loud", "a=b=c", "=", "info;debug", "["] {
            let error = filter(wrong).expect_err(wrong);
            assert_eq!(error.exit_code(), common::ExitCode::Config);
            let text = error.to_string();
            assert!(text.contains(&format!("RUST_LOG=`{wrong}`")) && text.contains("trace"), "{text}");
        }
    }
}
