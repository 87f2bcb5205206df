use std::collections::BTreeSet;

/// The oldest first. It gives the same item again until that leaves the table.
#[derive(Clone, Debug, Default)]
pub struct Fifo {
    keys: BTreeSet<u64>,
}

impl Fifo {
    /// Takes a key in.
    pub fn insert(&mut self, key: u64) {
        self.keys.insert(key);
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: u64) {
        self.keys.remove(&key);
    }

    /// The oldest key; it stays in.
    #[must_use]
    pub fn select(&self) -> Option<u64> {
        self.keys.first().copied()
    }
}
