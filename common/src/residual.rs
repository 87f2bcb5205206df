//! The expected remaining time of something that has run for a while and has not ended yet.
//!
//! An estimate of the whole duration says nothing once that time has passed: the longer something has lasted, the longer it is expected to
//! last. Durations are modelled as log-normal with the estimated mean and standard deviation.

use std::f64::consts::SQRT_2;

use crate::cluster::DurationEstimate;

/// Smallest σ: even equal invocations vary, because nodes differ in speed and share their CPUs.
const LEAST_SIGMA: f64 = 0.25;
/// Largest σ that is plausible for a log-normal duration.
const GREATEST_SIGMA: f64 = 3.0;
/// σ of a cold start, of which only the mean is known.
const COLD_START_SIGMA: f64 = 0.4;
/// Smallest duration in seconds, because zero has no logarithm.
const LEAST_MEAN: f64 = 1e-4;
/// From so many standard deviations on, the tail is zero in floating point.
const FAR: f64 = 35.0;

impl DurationEstimate {
    /// Expected remaining seconds of an invocation that has run for `elapsed` seconds.
    #[must_use]
    pub fn remaining(&self, elapsed: f64) -> f64 {
        let mean = self.mean.max(LEAST_MEAN);
        let sigma = (self.deviation / mean).powi(2).ln_1p().sqrt();
        log_normal_remaining(mean, sigma.clamp(LEAST_SIGMA, GREATEST_SIGMA), elapsed)
    }

    /// Expected remaining seconds of a cold start that has taken `elapsed` seconds.
    #[must_use]
    pub fn cold_start_remaining(&self, elapsed: f64) -> f64 {
        log_normal_remaining(self.cold_start.max(LEAST_MEAN), COLD_START_SIGMA, elapsed)
    }
}

/// E[T − elapsed | T > elapsed] of a log-normal T with this mean and σ.
fn log_normal_remaining(mean: f64, sigma: f64, elapsed: f64) -> f64 {
    if elapsed <= 0.0 {
        return mean;
    }
    let mu = mean.ln() - sigma * sigma / 2.0;
    let z = (elapsed.ln() - mu) / sigma;
    if z > FAR {
        return elapsed * sigma / z;
    }
    mean * survival(z - sigma) / survival(z) - elapsed
}

/// Probability that a standard normal variable exceeds `z`.
fn survival(z: f64) -> f64 {
    libm::erfc(z / SQRT_2) / 2.0
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;
    use crate::{RunSeed, Stream};

    fn estimate(mean: f64, deviation: f64) -> DurationEstimate {
        DurationEstimate { mean, deviation, cold_start: 0.2, ..DurationEstimate::default() }
    }

    #[test]
    fn what_has_not_begun_takes_its_mean() {
        assert_eq!(estimate(2.0, 1.0).remaining(0.0), 2.0);
        assert_eq!(estimate(2.0, 1.0).cold_start_remaining(0.0), 0.2);
    }

    #[test]
    fn what_outlived_its_estimate_is_not_about_to_end() {
        let one = estimate(1.0, 1.5);
        let mut last = 0.0;
        for elapsed in [2.0, 5.0, 20.0, 100.0, 1e4, 1e12] {
            let remaining = one.remaining(elapsed);
            assert!(remaining > last && remaining.is_finite(), "{elapsed}: {remaining}");
            last = remaining;
        }
        // Holds also for a function with equal durations so far, and for one without observations.
        assert!(estimate(1.0, 0.0).remaining(3.0) > 0.05);
        assert!(estimate(0.0, 0.0).remaining(3.0) > 0.0);
        assert!(one.cold_start_remaining(5.0) > 0.1);
    }

    #[test]
    fn it_is_the_mean_of_those_that_last_longer() {
        let (mean, sigma): (f64, f64) = (1.0, 1.0);
        let mu = mean.ln() - sigma * sigma / 2.0;
        let deviation = mean * (sigma * sigma).exp_m1().sqrt();
        let mut rng = RunSeed(5).rng(Stream::Execution, 0);
        let mut normal = || {
            let (radius, angle): (f64, f64) = (rng.random(), rng.random());
            (-2.0 * radius.max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
        };
        let draws: Vec<f64> = (0..400_000).map(|_| (mu + sigma * normal()).exp()).collect();
        for elapsed in [0.1, 0.5, 1.0, 3.0] {
            let left: Vec<f64> =
                draws.iter().filter(|&&whole| whole > elapsed).map(|whole| whole - elapsed).collect();
            let sampled = left.iter().sum::<f64>() / left.len() as f64;
            let expected = estimate(mean, deviation).remaining(elapsed);
            assert!((expected / sampled - 1.0).abs() < 0.03, "{elapsed}: {expected} against {sampled}");
        }
    }
}
