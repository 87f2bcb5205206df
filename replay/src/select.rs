//! Which item comes next: to be given out, or to be removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::ids::PolicyVersion;
use rand::{Rng as _, RngCore};

/// A rule over the keys of a table; serves as sampler and as remover.
pub trait Select {
    /// Takes a key in; keys only grow.
    fn insert(&mut self, key: u64);
    /// Takes a key out; unknown keys are no matter.
    fn remove(&mut self, key: u64);
    /// The next key; it stays in.
    fn select(&self, rng: &mut dyn RngCore) -> Option<u64>;
    /// How many keys are in.
    fn len(&self) -> usize;
    /// Whether no key is in.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The oldest first.
#[derive(Clone, Debug, Default)]
pub struct Fifo {
    keys: BTreeSet<u64>,
}

impl Select for Fifo {
    fn insert(&mut self, key: u64) {
        self.keys.insert(key);
    }
    fn remove(&mut self, key: u64) {
        self.keys.remove(&key);
    }
    fn select(&self, _rng: &mut dyn RngCore) -> Option<u64> {
        self.keys.first().copied()
    }
    fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Each with the same probability, independently each time.
#[derive(Clone, Debug, Default)]
pub struct Uniform {
    keys: Vec<u64>,
    places: HashMap<u64, usize>,
}

impl Select for Uniform {
    fn insert(&mut self, key: u64) {
        if self.places.insert(key, self.keys.len()).is_none() {
            self.keys.push(key);
        }
    }
    fn remove(&mut self, key: u64) {
        let Some(place) = self.places.remove(&key) else { return };
        self.keys.swap_remove(place);
        if let Some(moved) = self.keys.get(place) {
            self.places.insert(*moved, place);
        }
    }
    fn select(&self, rng: &mut dyn RngCore) -> Option<u64> {
        (!self.keys.is_empty()).then(|| self.keys[rng.random_range(0..self.keys.len())])
    }
    fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The keys of each policy version, for learners that take fixed turns.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    versions: BTreeMap<PolicyVersion, BTreeSet<u64>>,
}

impl Turns {
    /// Takes a key of `version` in.
    pub fn insert(&mut self, version: PolicyVersion, key: u64) {
        self.versions.entry(version).or_default().insert(key);
    }

    /// Takes a key of `version` out.
    pub fn remove(&mut self, version: PolicyVersion, key: u64) {
        if let Some(keys) = self.versions.get_mut(&version) {
            keys.remove(&key);
            if keys.is_empty() {
                self.versions.remove(&version);
            }
        }
    }

    /// The oldest key of `version`.
    #[must_use]
    pub fn select(&self, version: PolicyVersion) -> Option<u64> {
        self.versions.get(&version)?.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use common::seed::{RunSeed, Stream};

    use super::*;

    #[test]
    fn fifo_gives_the_oldest_that_is_left() {
        let mut fifo = Fifo::default();
        let rng = &mut RunSeed(1).rng(Stream::Sampling, 0);
        (0..3).for_each(|key| fifo.insert(key));
        fifo.remove(0);
        assert_eq!((fifo.select(rng), fifo.len()), (Some(1), 2));
    }

    /// Chi-square of 20 cells, 19 degrees of freedom: 43.8 is passed by chance once in a thousand (and with a fixed seed
    /// never).
    #[test]
    fn uniform_gives_each_the_same_probability_after_removals() {
        let mut uniform = Uniform::default();
        (0..40).for_each(|key| uniform.insert(key));
        (0..40).filter(|key| key % 2 == 0).for_each(|key| uniform.remove(key));
        let mut rng = RunSeed(7).rng(Stream::Sampling, 0);
        let mut counts: HashMap<u64, f64> = HashMap::new();
        let draws = 20_000;
        for _ in 0..draws {
            *counts.entry(uniform.select(&mut rng).unwrap()).or_default() += 1.0;
        }
        assert!(counts.keys().all(|key| key % 2 == 1));
        let expected = f64::from(draws) / 20.0;
        let chi_square: f64 = counts.values().map(|count| (count - expected).powi(2) / expected).sum();
        assert!(counts.len() == 20 && chi_square < 43.8, "{chi_square}");
    }

    #[test]
    fn turns_keep_versions_apart() {
        let mut turns = Turns::default();
        let version = |number| PolicyVersion { number, ..PolicyVersion::default() };
        turns.insert(version(1), 5);
        turns.insert(version(2), 6);
        assert_eq!((turns.select(version(2)), turns.select(version(3))), (Some(6), None));
        turns.remove(version(2), 6);
        assert_eq!(turns.select(version(2)), None);
    }
}
