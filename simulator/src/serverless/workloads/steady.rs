//! Workload *steady*: synthetic functions whose gaps between arrivals are nearly regular.

use std::sync::Arc;

use common::config::SteadyConfig;
use common::seed::FastRng;
use common::{RunSeed, Stream};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{FunctionDescription, Span, WorkloadSource};
use crate::serverless::arrivals::{ArrivalProcess, NextArrival};
use crate::serverless::function::{InputScaled, MemoryShares, Work};
use crate::serverless::workload::tier;

/// Where the duration of a synthetic function goes: I/O, network; the rest is CPU.
const IO_SHARE: f64 = 0.3;
const NETWORK_SHARE: f64 = 0.1;
/// Memory of applications in the Azure 2019 trace: Burr(c, k, scale in MB).
const MEMORY_BURR: (f64, f64, f64) = (11.652, 0.221, 107.083);
/// The longest tail of that distribution is cut here, MB.
const LARGEST_MB: f64 = 1024.0;

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
            let peak_memory_mb = draw_memory(&mut rng);
            let default_mb = tier(peak_memory_mb);
            let typical = Work {
                megabits: NETWORK_SHARE * seconds * shares.mbps(default_mb),
                io_seconds: IO_SHARE * seconds,
                cpu_seconds: (1.0 - IO_SHARE - NETWORK_SHARE) * seconds * shares.vcpus(default_mb).min(1.0),
                input_size: 1.0,
            };
            let law = InputScaled { typical, sensitivity: 1.0, input_sigma: config.input_sigma };
            let name = format!("steady-{place}");
            let function = FunctionDescription::new(name, place, peak_memory_mb, Arc::new(law));
            functions.push(FunctionDescription { noise_sigma: config.noise_sigma, ..function });
        }
        Steady { functions, rates, gap_cv: config.gap_cv }
    }
}

/// Memory of an application of the Azure 2019 trace, MB.
fn draw_memory(rng: &mut impl Rng) -> u32 {
    let (c, k, scale) = MEMORY_BURR;
    let memory = scale * ((1.0 - rng.random::<f64>()).powf(-1.0 / k) - 1.0).powf(1.0 / c);
    memory.min(LARGEST_MB).ceil() as u32
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
