//! When idle containers go. Each has at most one entry unless its time is cut short: an entry that comes up too early is
//! put back, so a container that is used again and again costs nothing until its first time is over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use common::SimTime;
use common::ids::ContainerId;

/// (when, place, who) of each entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Expiries {
    heap: BinaryHeap<Reverse<(SimTime, ContainerId, u32)>>,
    /// By place: the container and time of its entry.
    posted: Vec<Option<(ContainerId, SimTime)>>,
}

impl Expiries {
    /// A container is to go at `expires` unless it is used.
    pub fn post(&mut self, expires: SimTime, place: u32, id: ContainerId) {
        if self.posted.len() <= place as usize {
            self.posted.resize(place as usize + 1, None);
        }
        match self.posted[place as usize] {
            // An entry that comes up earlier will be put back.
            Some((posted, at)) if posted == id && at <= expires => {}
            _ => self.push(expires, place, id),
        }
    }

    /// Whether any entry, valid or not, lies before `limit`: cheap to ask.
    pub fn may_be_before(&self, limit: SimTime) -> bool {
        self.heap.peek().is_some_and(|Reverse((at, ..))| *at < limit)
    }

    /// The first that is to go, with its place; `idle_until` tells until when the container of a place is kept, if it is
    /// the one asked about and idle.
    pub fn first(
        &mut self,
        idle_until: impl Fn(u32, ContainerId) -> Option<SimTime>,
    ) -> Option<(SimTime, u32)> {
        loop {
            let &Reverse((at, id, place)) = self.heap.peek()?;
            let current = self.posted[place as usize] == Some((id, at));
            let expires = idle_until(place, id);
            if current && expires == Some(at) {
                return Some((at, place));
            }
            self.heap.pop();
            if !current {
                continue;
            }
            self.posted[place as usize] = None;
            if let Some(expires) = expires {
                self.push(expires, place, id);
            }
        }
    }

    fn push(&mut self, expires: SimTime, place: u32, id: ContainerId) {
        self.posted[place as usize] = Some((id, expires));
        self.heap.push(Reverse((expires, id, place)));
    }
}
