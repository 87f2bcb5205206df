//! Whether a service can do its work, and whether it goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a service says of itself: what it still lacks before it can do its work, and that its loops go on.
#[derive(Clone, Debug, Default)]
pub struct Health {
    said: Arc<Mutex<Said>>,
}

#[derive(Debug, Default)]
struct Said {
    /// Named conditions, each met or with a reason why not.
    conditions: BTreeMap<&'static str, Option<String>>,
    /// Named loops, each with its last beat.
    beats: BTreeMap<&'static str, Beat>,
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    at: Instant,
    patience: Duration,
}

impl Health {
    /// No conditions and no loops: ready and alive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that `condition` is met.
    pub fn met(&self, condition: &'static str) {
        self.said().conditions.insert(condition, None);
    }

    /// Says why `condition` is not met.
    pub fn unmet(&self, condition: &'static str, reason: impl Into<String>) {
        self.said().conditions.insert(condition, Some(reason.into()));
    }

    /// Whether every condition is met.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reasons().is_empty()
    }

    /// Says that a loop goes on, and will say so again within `patience`.
    pub fn beat(&self, what: &'static str, patience: Duration) {
        self.said().beats.insert(what, Beat { at: Instant::now(), patience });
    }

    /// The conditions that are not met, each with its reason.
    pub(crate) fn reasons(&self) -> BTreeMap<&'static str, String> {
        self.said().conditions.iter().filter_map(|(name, reason)| Some((*name, reason.clone()?))).collect()
    }

    /// The loops that are late, each with the time since its last beat.
    pub(crate) fn stuck(&self) -> BTreeMap<&'static str, Duration> {
        let said = self.said();
        let ages = said.beats.iter().map(|(name, beat)| (*name, beat.at.elapsed(), beat.patience));
        ages.filter(|(_, age, patience)| age > patience).map(|(name, age, _)| (name, age)).collect()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
