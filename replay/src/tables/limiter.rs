//! When actors may send more, and when learners may sample more.

use configuration::{RemoverConfig, TableConfig};

/// Keeps samples and inserts of a table in proportion, as Reverb's does (Cassirer et al. 2021, arXiv 2102.04736), but counted
/// in steps, since trajectories differ in length.
///
/// `owed` = `samples_per_insert` × inserted steps − sampled steps − given up. Inserting is allowed while `owed` is less than
/// the tolerance, or less than what a learner waits for now; sampling while it is more than minus the tolerance. One item
/// may overshoot either. The two are never forbidden at once, since the tolerance is positive.
///
/// Where items leave after `limit` samples, each step that is held has `limit − times sampled` samples left, and their sum
/// `left` is all that can ever be taken without a further insert. `owed` ≤ `left` holds: an insert adds `samples_per_insert`
/// to the one and `limit`, which is no less, to the other; a sample takes 1 from both. Only an item that leaves early can
/// break it. Then `owed` becomes `left`: exactly what can no longer be sampled is given up. (With a limit of 1 and one sample
/// for each insert, `owed` is the number of steps that wait.) Without a limit every item can be sampled again, and nothing is
/// given up. All is counted in whole steps, so that rounding errors do not add up.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    min_items: usize,
    samples_per_insert: Option<f64>,
    tolerance: f64,
    limit: Option<u32>,
    wanted: u64,
    inserted: u64,
    sampled: u64,
    given_up: f64,
    left: u128,
}

impl RateLimiter {
    /// The limiter of an empty table.
    #[must_use]
    pub fn new(config: &TableConfig) -> Self {
        RateLimiter {
            min_items: config.min_items,
            samples_per_insert: config.samples_per_insert,
            tolerance: config.tolerance_steps as f64,
            limit: match config.remover {
                RemoverConfig::TimesSampled(limit) => Some(limit),
                RemoverConfig::Fifo | RemoverConfig::LowestPriority => None,
            },
            wanted: 0,
            inserted: 0,
            sampled: 0,
            given_up: 0.0,
            left: 0,
        }
    }

    /// Counts an item of `steps` steps that was inserted.
    pub fn inserted(&mut self, steps: u64) {
        self.inserted += steps;
        self.left += self.samples_left(steps, 0);
    }

    /// Counts an item of `steps` steps that was restored after a restart. Where items leave after a number of samples, it counts as
    /// just inserted; elsewhere as already sampled at the rate.
    pub fn restored(&mut self, steps: u64) {
        if self.limit.is_some() {
            self.inserted(steps);
        }
    }

    /// Counts an item of `steps` steps that was sampled.
    pub fn sampled(&mut self, steps: u64) {
        self.sampled += steps;
        if self.limit.is_some() {
            self.left = self.left.saturating_sub(u128::from(steps));
        }
    }

    /// Counts an item of `steps` steps that left after `times_sampled` samples.
    pub fn removed(&mut self, steps: u64, times_sampled: u32) {
        if self.limit.is_some() {
            self.left = self.left.saturating_sub(self.samples_left(steps, times_sampled));
            self.given_up += (self.owed() - self.left as f64).max(0.0);
        }
    }

    /// The table is full with `items` items: sampling need not wait for more.
    pub fn full_with(&mut self, items: usize) {
        self.min_items = self.min_items.min(items.max(1));
    }

    /// Sets how many steps a learner waits for now; 0 means that none waits.
    pub fn set_wanted(&mut self, steps: u64) {
        self.wanted = steps;
    }

    /// Whether actors may send more to a table of `items` items.
    #[must_use]
    pub fn may_insert(&self, items: usize) -> bool {
        let ceiling = self.tolerance.max(self.wanted as f64);
        items < self.min_items || self.samples_per_insert.is_none() || self.owed() < ceiling
    }

    /// Whether a learner waits for steps that only further inserts can bring.
    #[must_use]
    pub fn is_short(&self, items: usize) -> bool {
        let due = if self.samples_per_insert.is_some() { self.owed() } else { self.left() };
        self.wanted > 0 && (items < self.min_items || due < self.wanted as f64)
    }

    /// Whether a table of `items` items has enough to be sampled.
    #[must_use]
    pub fn has_enough(&self, items: usize) -> bool {
        items >= self.min_items
    }

    /// Whether another item may be sampled.
    #[must_use]
    pub fn may_sample(&self) -> bool {
        self.samples_per_insert.is_none() || self.owed() > -self.tolerance
    }

    /// Steps that may be sampled now without a further insert.
    #[must_use]
    pub fn available(&self) -> f64 {
        match self.samples_per_insert {
            Some(_) => self.left().min(self.owed() + self.tolerance),
            None => self.left(),
        }
    }

    /// Steps that can be sampled before all items have left; infinite where items stay.
    #[must_use]
    pub fn left(&self) -> f64 {
        if self.limit.is_some() { self.left as f64 } else { f64::INFINITY }
    }

    /// Steps that are owed to learners; negative where they are ahead, 0 without `samples_per_insert`.
    #[must_use]
    pub fn owed(&self) -> f64 {
        let owed = |rate: f64| rate * self.inserted as f64 - self.sampled as f64 - self.given_up;
        self.samples_per_insert.map_or(0.0, owed)
    }

    fn samples_left(&self, steps: u64, times_sampled: u32) -> u128 {
        let times = self.limit.map_or(0, |limit| limit.saturating_sub(times_sampled));
        u128::from(steps) * u128::from(times)
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
