//! How long decisions took.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall time of decisions, in logarithmic buckets 4% wide: bucket b begins at 2^(b/16) ns. In records it is a list of
/// (bucket, count).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u16, u64)>", into = "Vec<(u16, u64)>")]
pub struct DecisionTimes {
    counts: BTreeMap<u16, u64>,
}

impl From<Vec<(u16, u64)>> for DecisionTimes {
    fn from(pairs: Vec<(u16, u64)>) -> Self {
        DecisionTimes { counts: pairs.into_iter().collect() }
    }
}

impl From<DecisionTimes> for Vec<(u16, u64)> {
    fn from(times: DecisionTimes) -> Self {
        times.counts.into_iter().collect()
    }
}

const BUCKETS_PER_OCTAVE: f64 = 16.0;

impl DecisionTimes {
    /// Counts `decisions` that took `elapsed` together, each with an equal part.
    pub fn add(&mut self, elapsed: Duration, decisions: usize) {
        let nanoseconds = elapsed.as_nanos() as f64 / decisions.max(1) as f64;
        let bucket = (nanoseconds.max(1.0).log2() * BUCKETS_PER_OCTAVE) as u16;
        *self.counts.entry(bucket).or_default() += decisions as u64;
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &DecisionTimes) {
        for (bucket, count) in &other.counts {
            let known = self.counts.entry(*bucket).or_default();
            *known = known.saturating_add(*count);
        }
    }

    /// Number of decisions counted so far.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.counts.values().fold(0, |all, count| all.saturating_add(*count))
    }

    /// The time that a fraction of the decisions does not exceed, microseconds; 0 without decisions.
    #[must_use]
    pub fn quantile_us(&self, fraction: f64) -> f64 {
        let wanted = fraction * self.decisions() as f64;
        let mut seen = 0_u64;
        for (bucket, count) in &self.counts {
            seen = seen.saturating_add(*count);
            if seen as f64 >= wanted {
                return ((f64::from(*bucket) + 0.5) / BUCKETS_PER_OCTAVE).exp2() / 1000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_survive_merging_and_writing() {
        let mut times = DecisionTimes::default();
        times.add(Duration::from_micros(99), 99);
        let mut slow = DecisionTimes::default();
        slow.add(Duration::from_millis(5), 1);
        times.merge(&slow);
        let text = serde_json::to_string(&times).unwrap();
        let read: DecisionTimes = serde_json::from_str(&text).unwrap();
        assert_eq!(read, times);
        assert_eq!(read.decisions(), 100);
        assert!((read.quantile_us(0.5) - 1.0).abs() < 0.05, "{}", read.quantile_us(0.5));
        assert!((read.quantile_us(1.0) - 5000.0).abs() < 200.0);
    }
}
