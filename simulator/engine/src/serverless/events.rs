//! What containers will do by themselves, by time; at one instant in the order in which it was posted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use common::SimTime;

/// A queue of ends, each of a container in one of its lives.
#[derive(Clone, Debug, Default)]
pub(super) struct EventQueue {
    heap: BinaryHeap<Reverse<Posted>>,
    posted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Posted {
    at: SimTime,
    order: u64,
    container: u32,
    life: u32,
}

impl EventQueue {
    pub fn post(&mut self, at: SimTime, container: u32, life: u32) {
        self.posted += 1;
        self.heap.push(Reverse(Posted { at, order: self.posted, container, life }));
    }

    pub fn next_time(&self) -> SimTime {
        self.heap.peek().map_or(SimTime::NEVER, |Reverse(first)| first.at)
    }

    /// Removes the next event that is due by `now`, as (container, life).
    pub fn pop_at(&mut self, now: SimTime) -> Option<(u32, u32)> {
        if self.next_time() > now {
            return None;
        }
        self.heap.pop().map(|Reverse(first)| (first.container, first.life))
    }
}
