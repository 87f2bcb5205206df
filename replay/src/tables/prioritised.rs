use rand::{Rng as _, RngCore};

use super::sum_tree::SumTree;
use super::uniform::Uniform;

/// Proportional prioritisation (Schaul et al. 2016, arXiv 1511.05952): item i with probability p_i^α / Σ_k p_k^α, each time
/// independently. Where all masses are 0, each has the same probability.
#[derive(Clone, Debug)]
pub struct Prioritised {
    exponent: f64,
    keys: Uniform,
    masses: SumTree,
}

impl Prioritised {
    /// An empty sampler with exponent α ≥ 0.
    #[must_use]
    pub fn new(exponent: f64) -> Self {
        Prioritised { exponent, keys: Uniform::default(), masses: SumTree::default() }
    }

    /// Adds a key; `priority` is finite and not negative.
    pub fn insert(&mut self, key: u64, priority: f32) {
        let place = self.keys.insert(key);
        self.masses.set(place, self.mass_of(priority));
    }

    /// Removes a key.
    pub fn remove(&mut self, key: u64) {
        let Some(vacated) = self.keys.remove(key) else { return };
        if vacated.place != vacated.last {
            self.masses.set(vacated.place, self.masses.mass(vacated.last));
        }
        self.masses.set(vacated.last, 0.0);
    }

    /// Changes the priority of a key; `priority` is finite and not negative.
    pub fn update(&mut self, key: u64, priority: f32) {
        if let Some(place) = self.keys.place(key) {
            self.masses.set(place, self.mass_of(priority));
        }
    }

    /// Draws a key, which stays; returns its probability, too.
    #[must_use]
    pub fn select(&self, rng: &mut dyn RngCore) -> Option<(u64, f64)> {
        let total = self.masses.total();
        let Some(place) = self.masses.find(rng.random::<f64>() * total) else { return self.keys.select(rng) };
        self.keys.at(place).map(|key| (key, self.masses.mass(place) / total))
    }

    /// Sum of all masses, Σ p^α.
    #[must_use]
    pub fn mass(&self) -> f64 {
        self.masses.total()
    }

    fn mass_of(&self, priority: f32) -> f64 {
        f64::from(priority).powf(self.exponent)
    }
}
