use rand::{Rng as _, RngCore};

use super::keys::KeyMap;

/// Draws each key with the same probability, independently each time.
///
/// Keys lie without gaps, so that a place can be drawn: the last one moves to the place of one that is removed.
#[derive(Clone, Debug, Default)]
pub struct Uniform {
    keys: Vec<u64>,
    places: KeyMap<usize>,
}

/// What has changed when a key was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacated {
    /// Its place, which the last key has now, unless it was the last itself.
    pub place: usize,
    /// The last place, which is free now.
    pub last: usize,
}

impl Uniform {
    /// Adds a key that is not there yet; returns its place.
    pub fn insert(&mut self, key: u64) -> usize {
        let place = self.keys.len();
        self.places.insert(key, place);
        self.keys.push(key);
        place
    }

    /// Removes a key; `None` where it is not there.
    pub fn remove(&mut self, key: u64) -> Option<Vacated> {
        let place = self.places.remove(&key)?;
        self.keys.swap_remove(place);
        if let Some(moved) = self.keys.get(place) {
            self.places.insert(*moved, place);
        }
        Some(Vacated { place, last: self.keys.len() })
    }

    /// Draws a key, which stays; returns its probability, too.
    #[must_use]
    pub fn select(&self, rng: &mut dyn RngCore) -> Option<(u64, f64)> {
        let count = self.keys.len();
        (count > 0).then(|| (self.keys[rng.random_range(0..count)], 1.0 / count as f64))
    }

    /// The place of a key.
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
