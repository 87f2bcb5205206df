//! What a platform knows of durations, in seconds: running statistics of what it observed, never the truth.

use common::cluster::DurationEstimate;

/// From so many observations on, old ones fade: each new one weighs 1/FADE.
const FADE: f64 = 1000.0;
/// Step of the quantile's random walk, as a fraction of its value.
const QUANTILE_STEP: f64 = 0.05;
/// Level of the tracked quantile.
const LEVEL: f64 = 0.95;

/// Statistics of one function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimator {
    estimate: DurationEstimate,
    /// Observed durations. No scheduler sees it: below the longest history it tells how rare a function is.
    observations: u64,
    variance: f64,
    cold_starts: f64,
    /// Factors of the tracked quantile's two steps.
    step_up: f64,
    step_down: f64,
}

impl Estimator {
    /// Starts from what is known: `observed` durations in seconds, `prior` where there is none, and the mean cold start
    /// of the function's runtime.
    pub fn from_history(observed: &mut [f64], prior: &DurationEstimate, cold_start: f64) -> Self {
        if observed.is_empty() {
            let estimate = DurationEstimate { cold_start, ..*prior };
            return Estimator::new(estimate, 0, prior.deviation * prior.deviation);
        }
        observed.sort_by(f64::total_cmp);
        let count = observed.len() as f64;
        let mean = observed.iter().sum::<f64>() / count;
        let variance = observed.iter().map(|seconds| (seconds - mean).powi(2)).sum::<f64>() / count;
        let p95 = observed[((count * LEVEL) as usize).min(observed.len() - 1)];
        let estimate = DurationEstimate { mean, p95, deviation: variance.sqrt(), cold_start };
        Estimator::new(estimate, observed.len() as u64, variance)
    }

    fn new(estimate: DurationEstimate, observations: u64, variance: f64) -> Self {
        let step = |below: f64| (QUANTILE_STEP * (LEVEL - below)).exp();
        let (step_up, step_down) = (step(0.0), step(1.0));
        Estimator { estimate, observations, variance, cold_starts: 1.0, step_up, step_down }
    }

    /// What is known now.
    #[inline]
    pub fn get(&self) -> DurationEstimate {
        self.estimate
    }

    /// Takes in a finished invocation's duration, converted to the default size and reference speed (a platform
    /// measures CPU time, bytes and waiting, so it can convert), in seconds.
    pub fn observe(&mut self, seconds: f64) {
        let estimate = &mut self.estimate;
        self.observations += 1;
        let weight = 1.0 / (self.observations as f64).min(FADE);
        if self.observations == 1 {
            estimate.p95 = seconds;
            estimate.mean = seconds;
        }
        let difference = seconds - estimate.mean;
        estimate.mean += weight * difference;
        self.variance = (1.0 - weight) * (self.variance + weight * difference * difference);
        estimate.deviation = self.variance.sqrt();
        // Robbins–Monro on the logarithm: at rest where a fraction LEVEL of the values lies below.
        estimate.p95 *= if seconds <= estimate.p95 { self.step_down } else { self.step_up };
    }

    /// Takes in a cold start, in seconds.
    pub fn observe_cold_start(&mut self, seconds: f64) {
        self.cold_starts += 1.0;
        self.estimate.cold_start += (seconds - self.estimate.cold_start) / self.cold_starts.min(FADE);
    }
}

#[cfg(test)]
mod tests {
    use common::{RunSeed, Stream};
    use rand::Rng;

    use super::*;

    #[test]
    fn it_finds_mean_deviation_and_quantile() {
        let mut estimator = Estimator::from_history(&mut [], &DurationEstimate::default(), 0.1);
        let mut rng = RunSeed(1).rng(Stream::Execution, 0);
        for _ in 0..20_000 {
            estimator.observe(rng.random::<f64>());
        }
        let estimate = estimator.get();
        assert!((estimate.mean - 0.5).abs() < 0.05, "{estimate:?}");
        assert!((estimate.deviation - 0.2887).abs() < 0.03, "{estimate:?}");
        assert!((estimate.p95 - 0.95).abs() < 0.08, "{estimate:?}");
    }
}
