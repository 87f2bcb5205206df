use std::collections::BTreeSet;

/// Selects the oldest item, and the same again until it leaves the table.
#[derive(Clone, Debug, Default)]
pub struct Fifo {
    keys: BTreeSet<u64>,
}

impl Fifo {
    /// Adds a key.
    pub fn insert(&mut self, key: u64) {
        self.keys.insert(key);
    }

    /// Removes a key.
    pub fn remove(&mut self, key: u64) {
        self.keys.remove(&key);
    }

    /// The oldest key, which stays.
    #[must_use]
    pub fn select(&self) -> Option<u64> {
        self.keys.first().copied()
    }
}
