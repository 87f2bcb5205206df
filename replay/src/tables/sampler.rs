//! Which item is sampled next.

use configuration::SamplerConfig;
use rand::RngCore;

use super::fifo::Fifo;
use super::prioritised::Prioritised;
use super::uniform::Uniform;

/// The sampler of a table.
#[derive(Clone, Debug)]
pub enum Sampler {
    /// Selects the oldest.
    Fifo(Fifo),
    /// Draws any with the same probability.
    Uniform(Uniform),
    /// Draws by priority.
    Prioritised(Prioritised),
}

impl Sampler {
    /// An empty sampler.
    #[must_use]
    pub fn new(config: SamplerConfig) -> Self {
        match config {
            SamplerConfig::Fifo => Sampler::Fifo(Fifo::default()),
            SamplerConfig::Uniform => Sampler::Uniform(Uniform::default()),
            SamplerConfig::Prioritised { exponent } => Sampler::Prioritised(Prioritised::new(exponent)),
        }
    }

    /// Adds a key, larger than all before.
    pub fn insert(&mut self, key: u64, priority: f32) {
        match self {
            Sampler::Fifo(fifo) => fifo.insert(key),
            Sampler::Uniform(uniform) => drop(uniform.insert(key)),
            Sampler::Prioritised(prioritised) => prioritised.insert(key, priority),
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: u64) {
        match self {
            Sampler::Fifo(fifo) => fifo.remove(key),
            Sampler::Uniform(uniform) => drop(uniform.remove(key)),
            Sampler::Prioritised(prioritised) => prioritised.remove(key),
        }
    }

    /// Changes the priority of a key.
    pub fn update(&mut self, key: u64, priority: f32) {
        if let Sampler::Prioritised(prioritised) = self {
            prioritised.update(key, priority);
        }
    }

    /// Selects the next key, which stays; returns its probability, too.
    #[must_use]
    pub fn select(&self, rng: &mut dyn RngCore) -> Option<(u64, f64)> {
        match self {
            Sampler::Fifo(fifo) => fifo.select().map(|key| (key, 1.0)),
            Sampler::Uniform(uniform) => uniform.select(rng),
            Sampler::Prioritised(prioritised) => prioritised.select(rng),
        }
    }
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
