//! What will happen, by time. At one instant completions come first and containers that become ready last (expiries and
//! arrivals, which lie in queues of their own, between them).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use common::SimTime;

/// What a node's shared resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shared {
    Network,
    Cpu,
}

/// Something that happens by itself. The order of the variants is the order within an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Somebody in a shared phase is done; void when the phase has been posted anew since.
    Phase { node: u32, resource: Shared, posting: u32 },
    /// A container's I/O is done.
    IoDone { container: u32 },
    /// A cold start is over.
    Ready { container: u32 },
}

impl Due {
    fn before_arrivals(self) -> bool {
        !matches!(self, Due::Ready { .. })
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    /// (time, whether it comes after arrivals, order of posting, what).
    heap: BinaryHeap<Reverse<(SimTime, bool, u64, Due)>>,
    posted: u64,
}

impl EventQueue {
    pub fn post(&mut self, at: SimTime, due: Due) {
        self.posted += 1;
        self.heap.push(Reverse((at, !due.before_arrivals(), self.posted, due)));
    }

    pub fn next_time(&self) -> Option<SimTime> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next event of this instant that comes before (or, if so asked, also after) arrivals.
    pub fn pop_at(&mut self, now: SimTime, after_arrivals: bool) -> Option<Due> {
        let Reverse((at, after, ..)) = self.heap.peek()?;
        if *at > now || (*after && !after_arrivals) {
            return None;
        }
        self.heap.pop().map(|Reverse((.., due))| due)
    }
}
