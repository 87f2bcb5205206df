//! Functions drawn from measured distributions, in applications of one or more: what *bursty* and *periodic* call.

use std::sync::Arc;

use common::{RunSeed, Stream};
use configuration::SyntheticConfig;
use engine::serverless::{FunctionDescription, InputScaled, MemoryShares, Work, tier};
use rand::Rng;

use crate::measured;
use crate::recorded::{kept_fractions, work};

/// Fraction of a synthetic function's duration that is I/O. What is neither I/O nor data is CPU.
const IO_SHARE: f64 = 0.3;
/// Fraction of a synthetic function's duration that moves data, where nothing else is configured.
pub(super) const NETWORK_SHARE: f64 = 0.1;
/// Stream numbers of the applications lie behind those of the functions' other properties.
const APPLICATIONS: u64 = 4 << 32;

/// The work at input size 1 of a function that takes `seconds` with `memory_mb` and `parallelism` vCPUs at most, a share
/// `network_share` of it for data in and out.
pub(super) fn typical_work(
    seconds: f64,
    memory_mb: u32,
    parallelism: f64,
    network_share: f64,
    shares: MemoryShares,
) -> Work {
    let default_mb = tier(memory_mb);
    Work {
        megabits: network_share * seconds * shares.mbps(default_mb),
        io_seconds: IO_SHARE * seconds,
        cpu_seconds: (1.0 - IO_SHARE - network_share) * seconds * shares.vcpus(default_mb).min(parallelism),
        input_size: 1.0,
    }
}

/// Functions with their arrivals a second.
pub(super) struct Synthetic {
    pub functions: Vec<FunctionDescription>,
    pub rates: Vec<f64>,
}

impl Synthetic {
    /// Draws applications until there are enough functions.
    pub fn draw(config: &SyntheticConfig, seed: RunSeed, shares: MemoryShares) -> Self {
        let mut synthetic = Synthetic { functions: Vec::new(), rates: Vec::new() };
        for application in 0.. {
            let wanted = config.functions as usize - synthetic.functions.len();
            if wanted == 0 {
                break;
            }
            let mut rng = seed.rng(Stream::Functions, APPLICATIONS + u64::from(application));
            synthetic.add_application(application, wanted, &mut rng, config, shares);
        }
        synthetic
    }

    /// At most `wanted` functions, which share the rate of their application at random.
    fn add_application(
        &mut self,
        application: u32,
        wanted: usize,
        rng: &mut impl Rng,
        config: &SyntheticConfig,
        shares: MemoryShares,
    ) {
        let rate = measured::application_rate(rng);
        let size = (measured::application_size(rng) as usize).min(wanted);
        let weights: Vec<f64> = (0..size).map(|_| 0.05 + rng.random::<f64>()).collect();
        let total: f64 = weights.iter().sum();
        for weight in weights {
            let seconds = measured::duration(rng, config.longest_seconds);
            let memory = measured::memory(rng);
            let typical = typical_work(seconds, memory, 1.0, NETWORK_SHARE, shares);
            let law = InputScaled { typical, sensitivity: 1.0, input_sigma: config.input_sigma };
            let place = self.functions.len() as u32;
            let function =
                FunctionDescription::new(format!("function-{place}"), place, memory, Arc::new(law));
            self.functions.push(FunctionDescription {
                application,
                tenant: application,
                noise_sigma: config.noise_sigma,
                ..function
            });
            self.rates.push(rate * weight / total);
        }
    }

    /// Calls functions less often until none has more than its share of the work.
    pub fn limit_shares(&mut self, share: f64) {
        let kept = kept_fractions(&work(&self.functions, |place| self.rates[place]), share);
        self.rates.iter_mut().zip(kept).for_each(|(rate, kept)| *rate *= kept);
    }
}
