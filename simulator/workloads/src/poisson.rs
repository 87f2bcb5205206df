//! Poisson arrivals, and the exponential gaps that other processes are made of too.

use common::seed::FastRng;
use engine::serverless::{ArrivalProcess, NextArrival};
use rand::Rng as _;

/// Independent exponential gaps.
#[derive(Clone)]
pub(super) struct Poisson {
    /// Arrivals a second.
    rate: f64,
    last: f64,
}

impl Poisson {
    /// `rate` arrivals a second; none at 0.
    pub fn new(rate: f64) -> Self {
        Poisson { rate, last: 0.0 }
    }
}

impl ArrivalProcess for Poisson {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        if self.rate <= 0.0 {
            return None;
        }
        self.last += exponential(rng) / self.rate;
        Some(NextArrival::at(self.last))
    }
}

/// An exponential draw of mean 1.
pub(super) fn exponential(rng: &mut FastRng) -> f64 {
    -(1.0 - rng.random::<f64>()).ln()
}
