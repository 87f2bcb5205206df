//! Whether a service can do its work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a service still lacks before it can do its work: named conditions, each met or with a reason why not.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<BTreeMap<&'static str, Option<String>>>>,
}

impl Readiness {
    /// No conditions: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that `condition` is met.
    pub fn met(&self, condition: &'static str) {
        self.set(condition, None);
    }

    /// Says why `condition` is not met.
    pub fn unmet(&self, condition: &'static str, reason: impl Into<String>) {
        self.set(condition, Some(reason.into()));
    }

    /// Whether every condition is met.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reasons().is_empty()
    }

    fn set(&self, condition: &'static str, reason: Option<String>) {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner).insert(condition, reason);
    }

    /// The conditions that are not met, each with its reason.
    pub(crate) fn reasons(&self) -> BTreeMap<&'static str, String> {
        let conditions = self.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        conditions.iter().filter_map(|(name, reason)| Some((*name, reason.clone()?))).collect()
    }
}
