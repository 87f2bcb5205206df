//! Simulated time.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A point or a length of simulated time, in whole microseconds. (In `slots` a step is one second.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SimTime(pub u64);

impl SimTime {
    /// The start of an episode.
    pub const ZERO: SimTime = SimTime(0);
    /// Later than anything.
    pub const NEVER: SimTime = SimTime(u64::MAX);
    /// One second: 1,000,000 µs.
    pub const SECOND: SimTime = SimTime(1_000_000);

    /// The time of so many seconds, rounded to the nearest microsecond; negative and NaN become zero.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Self {
        // Truncating is far faster than `round`; processors have an instruction for i64.
        SimTime(((seconds * 1e6 + 0.5) as i64).max(0) as u64)
    }

    /// The time of so many whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        SimTime(millis * 1000)
    }

    /// The time in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as i64 as f64 * 1e-6
    }

    /// The time from `earlier` to `self`, zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: SimTime) -> SimTime {
        SimTime(self.0.saturating_sub(earlier.0))
    }
}

impl Add for SimTime {
    type Output = SimTime;
    fn add(self, other: SimTime) -> SimTime {
        SimTime(self.0 + other.0)
    }
}

impl Sub for SimTime {
    type Output = SimTime;
    fn sub(self, other: SimTime) -> SimTime {
        SimTime(self.0 - other.0)
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.6}s", self.seconds())
    }
}
