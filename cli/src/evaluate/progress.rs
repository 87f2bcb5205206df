//! How far an evaluation is.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use evaluation::Advance;
use telemetry::StatusLine;

/// Progress is shown only after an evaluation has taken this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Episodes done and the time that is left, once an evaluation takes more than two seconds.
pub struct ProgressLine {
    started: Instant,
    line: Mutex<StatusLine>,
}

impl Default for ProgressLine {
    fn default() -> Self {
        Self::new()
    }
}

impl ProgressLine {
    /// Starts the clock.
    #[must_use]
    pub fn new() -> Self {
        ProgressLine { started: Instant::now(), line: Mutex::new(StatusLine::new()) }
    }

    /// Shows how far it is, when it is time to.
    pub fn show(&self, advance: Advance) {
        let elapsed = self.started.elapsed();
        // A thread that does not get the lock skips the update: another thread is writing the line.
        let Ok(mut line) = self.line.try_lock() else { return };
        if elapsed < PATIENCE {
            return;
        }
        line.update(|| {
            let Advance { done, all, fraction } = advance;
            let left = match fraction {
                fraction if fraction > 0.0 => {
                    format!("about {} left", short(elapsed.mul_f64((1.0 - fraction).max(0.0) / fraction)))
                }
                _ => "no estimate yet".to_owned(),
            };
            format!("evaluated {done} of {all} episodes in {}, {left}", short(elapsed))
        });
    }
}

/// The two largest units of a duration.
fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let texts = [5, 65, 3660, 90_000].map(|seconds| short(Duration::from_secs(seconds)));
        assert_eq!(texts, ["5 s", "1 min 5 s", "1 h 1 min", "25 h 0 min"]);
    }
}
