//! Workload *steady*: synthetic functions whose gaps between arrivals are nearly regular.

use std::sync::Arc;

use common::seed::FastRng;
use common::{RunSeed, Stream};
use configuration::SteadyConfig;
use engine::serverless::{
    ArrivalProcess, FunctionDescription, InputScaled, MemoryShares, NextArrival, Span, WorkloadSource,
};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::measured;
use crate::synthetic::typical_work;

/// The functions with their rates and regularity.
pub(super) struct Steady {
    functions: Vec<FunctionDescription>,
    rates: Vec<f64>,
    gap_cv: f64,
}

impl Steady {
    /// Draws the functions.
    pub fn new(config: &SteadyConfig, seed: RunSeed, shares: MemoryShares) -> Self {
        let mut rates = Vec::new();
        let mut functions = Vec::new();
        for place in 0..config.functions {
            // Behind the stream numbers of the functions' other properties.
            let mut rng = seed.rng(Stream::Functions, (2 << 32) + u64::from(place));
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            let seconds = config.median_seconds * (config.duration_sigma * normal()).exp();
            // Equal work on average: what takes long is called less often.
            rates.push((config.rate_sigma * normal()).exp() / seconds);
            let peak_memory_mb = measured::memory(&mut rng);
            let typical = typical_work(seconds, peak_memory_mb, 1.0, config.network_share, shares);
            let law = InputScaled { typical, sensitivity: 1.0, input_sigma: config.input_sigma };
            let name = format!("steady-{place}");
            let function = FunctionDescription::new(name, place, peak_memory_mb, Arc::new(law));
            functions.push(FunctionDescription { noise_sigma: config.noise_sigma, ..function });
        }
        Steady { functions, rates, gap_cv: config.gap_cv }
    }
}

impl WorkloadSource for Steady {
    fn functions(&self) -> &[FunctionDescription] {
        &self.functions
    }

    fn rates(&self) -> Vec<f64> {
        self.rates.clone()
    }

    fn arrivals(
        &self,
        subject: usize,
        scale: f64,
        _span: Span,
        _episode: RunSeed,
    ) -> Box<dyn ArrivalProcess> {
        Box::new(Renewal { gap: 1.0 / (self.rates[subject] * scale), cv: self.gap_cv, last: None })
    }
}

/// Arrivals with independent gaps, normal and truncated at 0.
#[derive(Clone)]
struct Renewal {
    /// Mean gap, seconds.
    gap: f64,
    cv: f64,
    last: Option<f64>,
}

impl ArrivalProcess for Renewal {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        let at = match self.last {
            // The first gap began before the episode.
            None => self.gap * rng.random::<f64>(),
            Some(last) => last + self.gap * truncated_gap(rng, self.cv),
        };
        self.last = Some(at);
        Some(NextArrival::at(at))
    }
}

/// A normal draw of mean 1, drawn again while it is not positive.
fn truncated_gap(rng: &mut impl Rng, cv: f64) -> f64 {
    loop {
        let normal: f64 = StandardNormal.sample(rng);
        let gap = 1.0 + cv * normal;
        if gap > 0.0 {
            return gap;
        }
    }
}
