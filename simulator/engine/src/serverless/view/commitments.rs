//! What a scheduler sees of its holds and reservations, and when a node is expected to have room.

use common::SimTime;
use common::ids::{FunctionId, NodeId};

use super::ServerlessView;
use crate::serverless::commitments::Reservation;
use crate::serverless::seen::{NodeState, Placement};

impl<'a> ServerlessView<'a> {
    /// Until when the invocations of a function are held back; `None` where they are not. [`SimTime::NEVER`]: until a container of
    /// the function falls idle.
    #[must_use]
    pub fn held_until(&self, function: FunctionId) -> Option<SimTime> {
        self.simulation.commitments.held_until(function.0)
    }

    /// Nodes that are kept by [`common::Action::Reserve`], in the order in which that was decided.
    #[must_use]
    pub fn reservations(&self) -> &'a [Reservation] {
        self.simulation.commitments.reservations()
    }

    /// Whether a start of `function` there is expected to end after the node was to have room for a function that reserved it. A
    /// function with a reservation there is delayed only by those that were made before.
    #[must_use]
    pub fn delays_reservation(&self, function: FunctionId, placement: &Placement, node: NodeId) -> bool {
        let here = self.reservations().iter().filter(|kept| kept.node == node);
        here.take_while(|kept| kept.function != function)
            .any(|kept| kept.until < self.expected_end(function, placement))
    }

    /// When a container that starts now is expected to be idle.
    #[must_use]
    pub fn expected_end(&self, function: FunctionId, placement: &Placement) -> SimTime {
        let estimate = self.estimate(function);
        let cold = if placement.warm { 0.0 } else { estimate.cold_start };
        self.now() + SimTime::from_seconds(cold + estimate.mean)
    }

    /// When `needed_mb` are expected to be free of busy containers on a node, and all containers of other isolation tags idle; `None`
    /// where it has less memory. Costs a sort of the node's busy containers.
    #[must_use]
    pub fn room_expected_at(
        &self,
        node: &NodeState,
        function: FunctionId,
        needed_mb: u32,
    ) -> Option<SimTime> {
        let mut ends: Vec<(f64, u32)> =
            self.busy_on(node.id).map(|busy| (self.remaining_seconds(&busy), busy.memory_mb)).collect();
        ends.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let mut room_mb = node.free_mb + node.evictable_mb;
        let mut seconds = 0.0;
        if self.is_foreign(function, node.id) {
            // All containers of a node have one tag.
            seconds = ends.last().map_or(0.0, |(end, _)| *end);
        }
        let mut ends = ends.into_iter();
        while room_mb < needed_mb {
            let (end, memory_mb) = ends.next()?;
            (seconds, room_mb) = (end.max(seconds), room_mb + memory_mb);
        }
        Some(self.now() + SimTime::from_seconds(seconds))
    }

    /// When a node is expected to have room for a container of `memory_mb` of `function`, beside those that are to start there for
    /// other functions; `None` where it is down or too small.
    #[must_use]
    pub fn reservable_at(&self, function: FunctionId, memory_mb: u32, node: NodeId) -> Option<SimTime> {
        let state = self.node(node);
        let others = self.reservations().iter().filter(|kept| kept.node == node && kept.function != function);
        let needed_mb = memory_mb + others.map(|kept| kept.memory_mb).sum::<u32>();
        state.up.then(|| self.room_expected_at(&state, function, needed_mb))?
    }

    /// Whether an invocation of `function` may start anywhere that is not kept for another.
    pub(in crate::serverless) fn may_start(&self, function: FunctionId) -> bool {
        let sizes = 0..self.spec().size_multiples.len();
        self.held_until(function).is_none()
            && sizes.into_iter().any(|size| {
                self.nodes().any(|node| {
                    let placement = self.placement(function, size, node.id);
                    placement.is_some_and(|placement| !self.delays_reservation(function, &placement, node.id))
                })
            })
    }
}
