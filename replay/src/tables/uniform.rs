use rand::{Rng as _, RngCore};

use super::keys::KeyMap;

/// Each with the same probability, independently each time.
///
/// Keys lie without gaps, so that a place can be drawn: the last one moves into the place of one that leaves.
#[derive(Clone, Debug, Default)]
pub struct Uniform {
    keys: Vec<u64>,
    places: KeyMap<usize>,
}

/// A key was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacated {
    /// Where it was; the key that was last is there now, unless it was this one.
    pub place: usize,
    /// The place that is no longer used.
    pub last: usize,
}

impl Uniform {
    /// Takes a key in that is not in yet; returns its place.
    pub fn insert(&mut self, key: u64) -> usize {
        let place = self.keys.len();
        self.places.insert(key, place);
        self.keys.push(key);
        place
    }

    /// Takes a key out; `None` where it is not in.
    pub fn remove(&mut self, key: u64) -> Option<Vacated> {
        let place = self.places.remove(&key)?;
        self.keys.swap_remove(place);
        if let Some(moved) = self.keys.get(place) {
            self.places.insert(*moved, place);
        }
        Some(Vacated { place, last: self.keys.len() })
    }

    /// Draws a key and says with which probability; it stays in.
    #[must_use]
    pub fn select(&self, rng: &mut dyn RngCore) -> Option<(u64, f64)> {
        let count = self.keys.len();
        (count > 0).then(|| (self.keys[rng.random_range(0..count)], 1.0 / count as f64))
    }

    /// Where a key is.
    #[must_use]
    pub fn place(&self, key: u64) -> Option<usize> {
        self.places.get(&key).copied()
    }

    /// The key at a place.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<u64> {
        self.keys.get(place).copied()
    }
}
