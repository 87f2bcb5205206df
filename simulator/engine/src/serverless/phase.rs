//! A resource shared by its members: each gets its share × min(1, capacity / Σ shares).
//!
//! All members progress at one common rate, so a clock that runs at that rate (*virtual time*) gives every end in
//! advance: a change of the rate moves the real ends, never their order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use common::SimTime;

/// Half a microsecond, and a little for rounding: ends are due within it.
const TOLERANCE: f64 = 0.51;

#[derive(Clone, Copy, Debug)]
struct Member {
    /// Virtual time of its end.
    ends: f64,
    order: u64,
    container: u32,
    share: f64,
}

impl Ord for Member {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ends.total_cmp(&other.ends).then(self.order.cmp(&other.order))
    }
}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Member {}

/// One node's CPU or network, with those who use it now.
#[derive(Clone, Debug)]
pub(super) struct SharedPhase {
    capacity: f64,
    shares: f64,
    /// Virtual time in microseconds.
    clock: f64,
    updated: SimTime,
    members: BinaryHeap<Reverse<Member>>,
    joined: u64,
}

impl SharedPhase {
    pub fn new(capacity: f64) -> Self {
        SharedPhase {
            capacity,
            shares: 0.0,
            clock: 0.0,
            updated: SimTime::ZERO,
            members: BinaryHeap::new(),
            joined: 0,
        }
    }

    /// Share in use now, in the unit of the capacity (vCPUs or Mbit/s).
    #[inline]
    pub fn used(&self) -> f64 {
        self.shares.min(self.capacity)
    }

    /// Adds `container`, which would take `seconds` alone with its `share`.
    pub fn join(&mut self, now: SimTime, container: u32, seconds: f64, share: f64) {
        self.run_to(now);
        self.joined += 1;
        let ends = self.clock + seconds * 1e6;
        self.members.push(Reverse(Member { ends, order: self.joined, container, share }));
        self.shares += share;
    }

    /// Removes a member that is done by `now` and returns its container.
    pub fn pop_due(&mut self, now: SimTime) -> Option<u32> {
        self.run_to(now);
        if self.members.peek()?.0.ends > self.clock + TOLERANCE {
            return None;
        }
        let Reverse(member) = self.members.pop()?;
        // An empty phase starts anew, free of rounding errors.
        self.shares = if self.members.is_empty() { 0.0 } else { self.shares - member.share };
        Some(member.container)
    }

    /// Time at which the next member is done if nothing changes; [`SimTime::NEVER`] without members.
    pub fn next_due(&self) -> SimTime {
        let Some(Reverse(first)) = self.members.peek() else { return SimTime::NEVER };
        let left = first.ends - self.clock;
        let left = if self.shares <= self.capacity { left } else { left * self.shares / self.capacity };
        // Rounded to the nearest microsecond; what is overdue by a rounding error is due now.
        SimTime(self.updated.0 + (left + 0.5) as u64)
    }

    /// Removes all members.
    pub fn clear(&mut self) {
        self.members.clear();
        self.shares = 0.0;
    }

    fn run_to(&mut self, now: SimTime) {
        let passed = now.since(self.updated).0 as f64;
        self.clock +=
            if self.shares <= self.capacity { passed } else { passed * self.capacity / self.shares };
        self.updated = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_allocation_slows_everybody_alike() {
        let mut cpu = SharedPhase::new(1.0);
        cpu.join(SimTime::ZERO, 1, 1.0, 0.75);
        assert_eq!(cpu.next_due(), SimTime::SECOND);
        // From half a second on two thirds of the speed are left.
        cpu.join(SimTime(500_000), 2, 2.0, 0.75);
        assert_eq!(cpu.next_due(), SimTime(1_250_000));
        assert_eq!(cpu.pop_due(SimTime(1_249_000)), None);
        assert_eq!(cpu.pop_due(SimTime(1_250_000)), Some(1));
        // Half a second of work was done; the rest runs at full speed.
        assert_eq!(cpu.next_due(), SimTime(2_750_000));
    }
}
