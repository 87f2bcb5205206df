//! How fast the run goes and how far it is: the status line and its figures.

use std::time::{Duration, Instant};

/// Weight of the past in the smoothed rates.
const SMOOTHING: f64 = 0.8;

/// Rates and newest figures of a learner.
#[derive(Debug)]
pub struct Pace {
    started: Instant,
    last: Instant,
    steps: u64,
    spent_at_start: Option<f64>,
    steps_per_second: Option<f64>,
    updates_per_second: Option<f64>,
    mean_return: Option<f64>,
    lag: Option<f64>,
    slowdown: Option<f64>,
}

impl Pace {
    /// `steps` were learnt from before.
    #[must_use]
    pub fn new(steps: u64, now: Instant) -> Self {
        Pace {
            started: now,
            last: now,
            steps,
            spent_at_start: None,
            steps_per_second: None,
            updates_per_second: None,
            mean_return: None,
            lag: None,
            slowdown: None,
        }
    }

    /// A batch was learnt from; `steps` in all now.
    pub fn learnt(&mut self, steps: u64, updates: u64, mean_return: f64, lag: f64) {
        let now = Instant::now();
        let seconds = now.duration_since(self.last).as_secs_f64().max(1e-9);
        let smooth = |old: Option<f64>, new: f64| {
            Some(old.map_or(new, |old| SMOOTHING * old + (1.0 - SMOOTHING) * new))
        };
        self.steps_per_second = smooth(self.steps_per_second, (steps - self.steps) as f64 / seconds);
        self.updates_per_second = smooth(self.updates_per_second, updates as f64 / seconds);
        (self.last, self.steps) = (now, steps);
        (self.mean_return, self.lag) = (Some(mean_return), Some(lag));
    }

    /// The policy was validated.
    pub fn validated(&mut self, slowdown: f64) {
        self.slowdown = Some(slowdown);
    }

    /// Time to the end, estimated from how fast the budget was spent so far; `spent` is the fraction of it that is.
    pub fn remaining(&mut self, spent: f64) -> Option<Duration> {
        let first = *self.spent_at_start.get_or_insert(spent);
        let elapsed = self.started.elapsed().as_secs_f64();
        (spent > first).then(|| Duration::from_secs_f64(elapsed * (1.0 - spent) / (spent - first)))
    }

    /// For the metrics.
    #[must_use]
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("perf/env_steps_per_second", self.steps_per_second.unwrap_or(0.0)),
            ("perf/updates_per_second", self.updates_per_second.unwrap_or(0.0)),
            ("train/return", self.mean_return.unwrap_or(0.0)),
            ("data/lag", self.lag.unwrap_or(0.0)),
        ]
    }

    /// The status line.
    #[must_use]
    pub fn line(&self, steps: u64, gathered: usize, wanted: usize, remaining: Option<Duration>) -> String {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let remaining = remaining
            .map_or("-".to_owned(), |time| format!("{}m{:02}s", time.as_secs() / 60, time.as_secs() % 60));
        format!(
            "steps {steps} | {} env steps/s | {} updates/s | return {} an episode | eval slowdown {} | lag {} versions | batch {gathered}/{wanted} | ETA {remaining}",
            number(self.steps_per_second, 0),
            number(self.updates_per_second, 1),
            number(self.mean_return, 1),
            number(self.slowdown, 3),
            number(self.lag, 1),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_yet_is_a_dash() {
        let mut pace = Pace::new(7, Instant::now());
        assert!(pace.line(7, 0, 9, None).contains("return - an episode"), "{}", pace.line(7, 0, 9, None));
        pace.learnt(9, 1, -3.25, 2.0);
        assert!(pace.line(9, 0, 9, None).contains("return -3.2 an episode"), "{}", pace.line(9, 0, 9, None));
    }
}
