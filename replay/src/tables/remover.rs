//! Which item leaves when room is needed, and which has been sampled often enough.

use std::collections::BTreeSet;

use configuration::RemoverConfig;

/// What a remover knows of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Its priority, finite and not negative.
    pub priority: f32,
    /// How often it was sampled from this table.
    pub times_sampled: u32,
}

/// The remover of a table: keys in the order in which they leave, the oldest first among equals.
#[derive(Clone, Debug)]
pub struct Remover {
    rule: RemoverConfig,
    order: BTreeSet<(u32, u64)>,
}

impl Remover {
    /// An empty remover.
    #[must_use]
    pub fn new(rule: RemoverConfig) -> Self {
        Remover { rule, order: BTreeSet::new() }
    }

    /// Adds a key.
    pub fn insert(&mut self, key: u64, standing: Standing) {
        self.order.insert((self.rank(standing), key));
    }

    /// Removes a key whose standing is `standing`.
    pub fn remove(&mut self, key: u64, standing: Standing) {
        self.order.remove(&(self.rank(standing), key));
    }

    /// Changes the standing of a key.
    pub fn change(&mut self, key: u64, from: Standing, to: Standing) {
        if self.rank(from) != self.rank(to) {
            self.remove(key, from);
            self.insert(key, to);
        }
    }

    /// The key that leaves next when room is needed; it stays until it is removed.
    #[must_use]
    pub fn select(&self) -> Option<u64> {
        self.order.first().map(|(_, key)| *key)
    }

    /// Whether an item leaves though no room is needed.
    #[must_use]
    pub fn is_spent(&self, standing: Standing) -> bool {
        matches!(self.rule, RemoverConfig::TimesSampled(limit) if standing.times_sampled >= limit)
    }

    /// Lower ranks leave first.
    fn rank(&self, standing: Standing) -> u32 {
        match self.rule {
            RemoverConfig::Fifo => 0,
            // Bits of floats that are not negative are ordered as the floats are.
            RemoverConfig::LowestPriority => standing.priority.to_bits(),
            RemoverConfig::TimesSampled(_) => u32::MAX - standing.times_sampled,
        }
    }
}

#[cfg(test)]
#[path = "remover_tests.rs"]
mod tests;
