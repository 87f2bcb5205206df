//! Workload *bursty*: Poisson arrivals whose rate is multiplied in spikes of random factor, length and distance. All
//! functions of an application spike together, as they do when what calls the application spikes.

use common::seed::FastRng;
use common::{RunSeed, Stream};
use configuration::{BurstyConfig, SyntheticConfig};
use engine::serverless::{
    ArrivalProcess, FunctionDescription, MemoryShares, NextArrival, Span, WorkloadSource,
};
use rand::Rng as _;

use crate::poisson::exponential;
use crate::synthetic::Synthetic;

/// The functions and their spikes.
pub(super) struct Bursty {
    synthetic: Synthetic,
    spikes: BurstyConfig,
}

impl Bursty {
    /// Draws the functions.
    pub fn new(
        spikes: &BurstyConfig,
        functions: &SyntheticConfig,
        seed: RunSeed,
        shares: MemoryShares,
    ) -> Self {
        let mut synthetic = Synthetic::draw(functions, seed, shares);
        synthetic.limit_shares(functions.max_function_share);
        Bursty { synthetic, spikes: spikes.clone() }
    }
}

impl WorkloadSource for Bursty {
    fn functions(&self) -> &[FunctionDescription] {
        &self.synthetic.functions
    }

    fn rates(&self) -> Vec<f64> {
        self.synthetic.rates.clone()
    }

    fn arrivals(&self, subject: usize, scale: f64, _span: Span, episode: RunSeed) -> Box<dyn ArrivalProcess> {
        let application = u64::from(self.synthetic.functions[subject].application);
        let spikes = Spikes::begin(&self.spikes, episode.fast_rng(Stream::Scenario, 1 + application));
        let baseline = self.synthetic.rates[subject] * scale / mean_factor(&self.spikes);
        Box::new(Spiking { baseline, spikes, now: 0.0 })
    }
}

/// Mean rate over the baseline.
fn mean_factor(config: &BurstyConfig) -> f64 {
    let factor = (config.factors[0] + config.factors[1]) / 2.0;
    (config.gap_seconds + config.spike_seconds * factor) / (config.gap_seconds + config.spike_seconds)
}

/// Spikes and gaps in turn.
#[derive(Clone)]
struct Spikes {
    config: BurstyConfig,
    rng: FastRng,
    /// Of the rate over the baseline, now; 1 in a gap.
    factor: f64,
    in_spike: bool,
    /// When the spike or gap ends.
    end: f64,
}

impl Spikes {
    /// Begins in a spike with its long-run probability; the rest of an exponential length is distributed as the whole.
    fn begin(config: &BurstyConfig, mut rng: FastRng) -> Self {
        let share = config.spike_seconds / (config.spike_seconds + config.gap_seconds);
        let in_gap = rng.random::<f64>() >= share;
        let mut spikes = Spikes { config: config.clone(), rng, factor: 1.0, in_spike: in_gap, end: 0.0 };
        spikes.turn();
        spikes
    }

    /// From a spike to a gap, or the other way.
    fn turn(&mut self) {
        self.in_spike = !self.in_spike;
        let mean = if self.in_spike { self.config.spike_seconds } else { self.config.gap_seconds };
        let [low, high] = self.config.factors;
        self.factor = if self.in_spike { low + (high - low) * self.rng.random::<f64>() } else { 1.0 };
        self.end += mean * exponential(&mut self.rng);
    }
}

/// Poisson arrivals at a rate that spikes.
#[derive(Clone)]
struct Spiking {
    /// Arrivals a second in gaps.
    baseline: f64,
    spikes: Spikes,
    now: f64,
}

impl ArrivalProcess for Spiking {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        // Arrivals to be expected until the next one comes.
        let mut left = exponential(rng);
        loop {
            let rate = self.baseline * self.spikes.factor;
            let until_turn = (self.spikes.end - self.now) * rate;
            if left < until_turn {
                self.now += left / rate;
                return Some(NextArrival::at(self.now));
            }
            left -= until_turn;
            self.now = self.spikes.end;
            self.spikes.turn();
        }
    }
}
