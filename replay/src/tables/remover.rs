//! Which item makes room when there is none, and which has been given often enough.

use std::collections::BTreeSet;

use configuration::RemoverConfig;

/// What a remover judges an item by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Finite and not negative.
    pub priority: f32,
    /// How often the table gave it out.
    pub times_sampled: u32,
}

/// The remover of a table: keys in the order in which they make room, the oldest first among equals.
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

    /// Takes a key in.
    pub fn insert(&mut self, key: u64, standing: Standing) {
        self.order.insert((self.rank(standing), key));
    }

    /// Takes a key out whose standing is `standing`.
    pub fn remove(&mut self, key: u64, standing: Standing) {
        self.order.remove(&(self.rank(standing), key));
    }

    /// The standing of a key changes.
    pub fn change(&mut self, key: u64, from: Standing, to: Standing) {
        if self.rank(from) != self.rank(to) {
            self.remove(key, from);
            self.insert(key, to);
        }
    }

    /// The key that makes room next; it stays in.
    #[must_use]
    pub fn select(&self) -> Option<u64> {
        self.order.first().map(|(_, key)| *key)
    }

    /// Whether an item leaves without being in anybody's way.
    #[must_use]
    pub fn is_spent(&self, standing: Standing) -> bool {
        matches!(self.rule, RemoverConfig::TimesSampled(limit) if standing.times_sampled >= limit)
    }

    /// Lower ranks leave first.
    fn rank(&self, standing: Standing) -> u32 {
        match self.rule {
            RemoverConfig::Fifo => 0,
            // Numbers that are not negative are ordered as their bits are.
            RemoverConfig::LowestPriority => standing.priority.to_bits(),
            RemoverConfig::TimesSampled(_) => u32::MAX - standing.times_sampled,
        }
    }
}

#[cfg(test)]
#[path = "remover_tests.rs"]
mod tests;
