//! When a shard may take more, and when it may give.

/// Keeps actors from running far ahead of the learner, and uniform samples from coming out of too few items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimiter {
    /// Steps that may wait unsampled before credits are withheld.
    pub max_waiting_steps: u64,
    /// Items that must be stored before any are sampled uniformly.
    pub min_items: usize,
}

impl RateLimiter {
    /// Whether more may come while `waiting` steps wait and a learner waits for `wanted`. What the learner waits for is
    /// always let in: otherwise a request for more than the limit would wait for ever.
    #[must_use]
    pub fn may_insert(&self, waiting: u64, wanted: u64) -> bool {
        waiting < self.max_waiting_steps.max(wanted)
    }

    /// Whether `items` stored are enough to sample among.
    #[must_use]
    pub fn may_sample(&self, items: usize) -> bool {
        items > 0 && items >= self.min_items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_wait_for_the_learner_but_never_both_for_each_other() {
        let limiter = RateLimiter { max_waiting_steps: 100, min_items: 2 };
        assert!(limiter.may_insert(99, 0));
        assert!(!limiter.may_insert(100, 0));
        for wanted in [101, 5000, u64::MAX] {
            assert!(limiter.may_insert(100, wanted));
            assert!(limiter.may_insert(wanted - 1, wanted));
            assert!(!limiter.may_insert(wanted, wanted));
        }
    }

    #[test]
    fn sampling_begins_with_enough_items() {
        let limiter = RateLimiter { max_waiting_steps: 1, min_items: 2 };
        assert_eq!([0, 1, 2, 3].map(|items| limiter.may_sample(items)), [false, false, true, true]);
    }
}
