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
    /// A container's I/O is done; void when the container is another since.
    IoDone { container: u32, life: u32 },
    /// A cold start is over; void likewise.
    Ready { container: u32, life: u32 },
}

impl Due {
    fn after_arrivals(self) -> bool {
        matches!(self, Due::Ready { .. })
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    heap: BinaryHeap<Reverse<Posted>>,
    posted: u64,
}

/// Ordered by time, then what comes before arrivals, then by posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Posted {
    at: SimTime,
    /// The highest bit is set for what comes after arrivals; the others count postings.
    order: u64,
    due: Due,
}

const AFTER_ARRIVALS: u64 = 1 << 63;

impl EventQueue {
    pub fn post(&mut self, at: SimTime, due: Due) {
        self.posted += 1;
        let order = if due.after_arrivals() { AFTER_ARRIVALS | self.posted } else { self.posted };
        self.heap.push(Reverse(Posted { at, order, due }));
    }

    pub fn next_time(&self) -> Option<SimTime> {
        self.heap.peek().map(|Reverse(first)| first.at)
    }

    /// Takes the next event of this instant that comes before (or, if so asked, also after) arrivals.
    pub fn pop_at(&mut self, now: SimTime, after_arrivals: bool) -> Option<Due> {
        let Reverse(first) = self.heap.peek()?;
        if first.at > now || (first.order >= AFTER_ARRIVALS && !after_arrivals) {
            return None;
        }
        self.heap.pop().map(|Reverse(first)| first.due)
    }
}
