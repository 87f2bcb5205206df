//! Warnings that repeat: what a thousand peers or trajectories have in common is said a few times, then counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;

/// Lines that one place in the code may write within [`PERIOD`].
const LINES: u64 = 10;
/// How long lines are counted before the count starts anew.
pub(crate) const PERIOD: Duration = Duration::from_secs(10);

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is written.
    Write,
    /// It is written, as the last one for a while.
    WriteLast,
    /// It is written; so many like it were left out before.
    WriteAfter(u64),
    /// It is left out.
    LeaveOut,
}

/// How much each place in the code wrote of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    places: Mutex<HashMap<Identifier, Recent>>,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    since: Instant,
    lines: u64,
}

impl Throttle {
    /// What becomes of a line that the place `callsite` wants to write at `now`.
    pub(crate) fn judge(&self, callsite: Identifier, now: Instant) -> Fate {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Recent { since: now, lines: 0 };
        let recent = places.entry(callsite).or_insert(fresh);
        let mut left_out = 0;
        if now.duration_since(recent.since) >= PERIOD {
            left_out = recent.lines.saturating_sub(LINES);
            *recent = fresh;
        }
        recent.lines += 1;
        match recent.lines {
            1 if left_out > 0 => Fate::WriteAfter(left_out),
            LINES => Fate::WriteLast,
            lines if lines > LINES => Fate::LeaveOut,
            _ => Fate::Write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places of events like this one.
    macro_rules! place {
        () => {{
            let event = tracing::callsite!(name: "test", kind: tracing::metadata::Kind::EVENT, fields: message);
            tracing::Callsite::metadata(event).callsite()
        }};
    }

    #[test]
    fn a_place_that_repeats_itself_is_cut_short_and_counted() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let (one, other) = (place!(), place!());
        let fates: Vec<Fate> = (0..17_000).map(|_| throttle.judge(one.clone(), start)).collect();
        assert!(fates[..9].iter().all(|fate| *fate == Fate::Write));
        assert_eq!(fates[9], Fate::WriteLast);
        assert!(fates[10..].iter().all(|fate| *fate == Fate::LeaveOut));
        assert_eq!(throttle.judge(other, start), Fate::Write, "others are not cut short");
        assert_eq!(throttle.judge(one.clone(), start + PERIOD), Fate::WriteAfter(16_990));
        assert_eq!(throttle.judge(one, start + PERIOD), Fate::Write);
    }
}
