use std::collections::BTreeSet;

use common::ids::PolicyVersion;

/// Items that were not sampled yet, by policy version: for learners in lockstep.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    waiting: BTreeSet<(PolicyVersion, u64)>,
}

impl Turns {
    /// Adds a key of `version`.
    pub fn insert(&mut self, version: PolicyVersion, key: u64) {
        self.waiting.insert((version, key));
    }

    /// Removes a key of `version`.
    pub fn remove(&mut self, version: PolicyVersion, key: u64) {
        self.waiting.remove(&(version, key));
    }

    /// The oldest key of `version`.
    #[must_use]
    pub fn select(&self, version: PolicyVersion) -> Option<u64> {
        self.waiting.range((version, 0)..=(version, u64::MAX)).next().map(|(_, key)| *key)
    }
}
