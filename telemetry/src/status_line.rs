//! Progress: a line rewritten in place on a terminal, plain log lines elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const LIVE_PERIOD: Duration = Duration::from_millis(200);
const PLAIN_PERIOD: Duration = Duration::from_secs(10);

/// The text that stands in the terminal's last line now; logs are written above it.
static LIVE: Mutex<String> = Mutex::new(String::new());

/// The status line of this process: at most five updates a second on a terminal, one line every ten seconds otherwise.
#[derive(Debug)]
pub struct StatusLine {
    live: bool,
    last: Option<Instant>,
}

impl Default for StatusLine {
    fn default() -> Self {
        Self::new()
    }
}

impl StatusLine {
    /// Live when stderr is a terminal.
    #[must_use]
    pub fn new() -> Self {
        StatusLine { live: io::stderr().is_terminal(), last: None }
    }

    /// Shows `text()` when it is time to; cheap otherwise.
    pub fn update(&mut self, text: impl FnOnce() -> String) {
        if !self.is_due(Instant::now()) {
            return;
        }
        let text = text();
        if self.live {
            show(&text);
        } else {
            tracing::info!("{text}");
        }
    }

    /// Removes the live line, so that the next output starts on a clean line.
    pub fn clear(&mut self) {
        if self.live {
            show("");
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let period = if self.live { LIVE_PERIOD } else { PLAIN_PERIOD };
        let due = self.last.is_none_or(|last| now.duration_since(last) >= period);
        if due {
            self.last = Some(now);
        }
        due
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.clear();
    }
}

fn show(text: &str) {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    // A status line that cannot be written is no reason to stop working.
    let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
    text.clone_into(&mut live);
}

/// Writes complete lines to stderr, above the live line where there is one.
pub(crate) fn write_above(lines: &[u8]) -> io::Result<()> {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut stderr = io::stderr().lock();
    if live.is_empty() {
        return stderr.write_all(lines);
    }
    stderr.write_all(b"\r\x1b[K")?;
    stderr.write_all(lines)?;
    stderr.write_all(live.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_no_faster_than_their_period() {
        for (live, period) in [(true, LIVE_PERIOD), (false, PLAIN_PERIOD)] {
            let mut line = StatusLine { live, last: None };
            let start = Instant::now();
            assert!(line.is_due(start));
            assert!(!line.is_due(start + period / 2));
            assert!(line.is_due(start + period));
            assert!(!line.is_due(start + period + period / 2));
            line.live = false;
        }
    }
}
