//! Workload *mixed*: classes of functions that want different things (by default short and small, long and large, and heavy
//! in memory), each with its share of the invocations; arrivals are Poisson.

use std::sync::Arc;

use common::{RunSeed, Stream};
use configuration::{ClassConfig, MixedConfig};
use engine::serverless::{
    ArrivalProcess, FunctionDescription, InputScaled, MemoryShares, Span, WorkloadSource,
};
use rand_distr::{Distribution, StandardNormal};

use crate::poisson::Poisson;
use crate::synthetic::{NETWORK_SHARE, typical_work};

/// Stream numbers of the classes lie behind those of the functions' other properties.
const CLASSES: u64 = 6 << 32;

/// The functions of all classes.
pub(super) struct Mixed {
    functions: Vec<FunctionDescription>,
    rates: Vec<f64>,
}

impl Mixed {
    /// Draws the functions.
    pub fn new(config: &MixedConfig, seed: RunSeed, shares: MemoryShares) -> Self {
        let mut mixed = Mixed { functions: Vec::new(), rates: Vec::new() };
        for class in &config.classes {
            mixed.add(class, config, seed, shares);
        }
        mixed
    }

    /// Functions of a class are called equally often.
    fn add(&mut self, class: &ClassConfig, config: &MixedConfig, seed: RunSeed, shares: MemoryShares) {
        for number in 0..class.functions {
            let place = self.functions.len() as u32;
            let mut rng = seed.rng(Stream::Functions, CLASSES + u64::from(place));
            let normal: f64 = StandardNormal.sample(&mut rng);
            let seconds = class.median_seconds * (class.sigma * normal).exp();
            let typical = typical_work(seconds, class.memory_mb, class.parallelism, NETWORK_SHARE, shares);
            let law = InputScaled { typical, sensitivity: 1.0, input_sigma: config.input_sigma };
            let name = format!("{}-{number}", class.name);
            self.functions.push(FunctionDescription {
                noise_sigma: config.noise_sigma,
                parallelism: class.parallelism,
                ..FunctionDescription::new(name, place, class.memory_mb, Arc::new(law))
            });
            self.rates.push(class.share / f64::from(class.functions));
        }
    }
}

impl WorkloadSource for Mixed {
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
        Box::new(Poisson::new(self.rates[subject] * scale))
    }
}
