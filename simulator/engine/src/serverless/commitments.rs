//! What a scheduler has bound itself to: functions whose invocations it holds back, and nodes that it keeps for functions that
//! fit nowhere (EASY backfilling, Lifka 1995).

use std::collections::BTreeMap;

use common::SimTime;
use common::ids::{FunctionId, NodeId};

/// A node that is kept for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The function that waits for the node.
    pub function: FunctionId,
    /// The node that is kept.
    pub node: NodeId,
    /// Memory of the container that is to start there, MB.
    pub memory_mb: u32,
    /// When the node is expected to have room; the reservation ends then.
    pub until: SimTime,
}

/// Nothing here is kept for a rule that makes no such decisions.
#[derive(Clone, Debug, Default)]
pub(super) struct Commitments {
    /// By function: until when its invocations are held back.
    holds: BTreeMap<u32, SimTime>,
    /// At most one for each function, in the order in which they were made.
    reservations: Vec<Reservation>,
}

impl Commitments {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty() && self.reservations.is_empty()
    }

    pub fn hold(&mut self, function: u32, until: SimTime) {
        self.holds.insert(function, until);
    }

    /// Until when invocations of `function` are held back, where they are.
    pub fn held_until(&self, function: u32) -> Option<SimTime> {
        self.holds.get(&function).copied()
    }

    /// Takes the place of an earlier reservation of the same function.
    pub fn reserve(&mut self, reservation: Reservation) {
        self.reservations.retain(|other| other.function != reservation.function);
        self.reservations.push(reservation);
    }

    pub fn reservations(&self) -> &[Reservation] {
        &self.reservations
    }

    /// Ends the hold of `function`; tells whether there was one.
    pub fn end_hold(&mut self, function: u32) -> bool {
        !self.holds.is_empty() && self.holds.remove(&function).is_some()
    }

    /// An invocation of `function` starts: what was to make it wait or give it room has ended.
    pub fn started(&mut self, function: u32) {
        if !self.is_empty() {
            self.holds.remove(&function);
            self.reservations.retain(|other| other.function.0 != function);
        }
    }

    /// A node went down: nothing is kept there any more.
    pub fn node_down(&mut self, node: u32) {
        self.reservations.retain(|other| other.node.0 != node);
    }

    /// When the next one ends.
    pub fn next_end(&self) -> Option<SimTime> {
        let holds = self.holds.values().copied();
        holds.chain(self.reservations.iter().map(|reservation| reservation.until)).min()
    }

    /// Ends what is due; tells whether anything was.
    pub fn end_due(&mut self, now: SimTime) -> bool {
        if self.is_empty() {
            return false;
        }
        let before = self.holds.len() + self.reservations.len();
        self.holds.retain(|_, until| *until > now);
        self.reservations.retain(|reservation| reservation.until > now);
        before > self.holds.len() + self.reservations.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitments_end_by_time_by_a_start_and_with_their_node() {
        let mut commitments = Commitments::default();
        assert!(commitments.is_empty() && !commitments.end_due(SimTime::NEVER));
        let reservation = |function, node, until| Reservation {
            function: FunctionId(function),
            node: NodeId(node),
            memory_mb: 100,
            until: SimTime(until),
        };
        commitments.hold(1, SimTime(5));
        commitments.hold(2, SimTime::NEVER);
        commitments.reserve(reservation(3, 0, 7));
        commitments.reserve(reservation(4, 1, 9));
        commitments.reserve(reservation(3, 1, 8));
        assert_eq!(commitments.next_end(), Some(SimTime(5)));
        assert!(commitments.end_due(SimTime(5)) && !commitments.end_due(SimTime(6)));
        assert_eq!((commitments.held_until(1), commitments.held_until(2)), (None, Some(SimTime::NEVER)));
        assert_eq!(commitments.reservations(), [reservation(4, 1, 9), reservation(3, 1, 8)]);
        commitments.started(4);
        assert_eq!(commitments.reservations(), [reservation(3, 1, 8)]);
        commitments.node_down(1);
        assert!(commitments.end_hold(2) && !commitments.end_hold(2));
        assert!(commitments.is_empty());
    }
}
