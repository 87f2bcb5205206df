//! Backfilling: a function whose container fits nowhere gets a node reserved, so that small containers do not take its memory
//! again and again. One reservation is EASY backfilling (Lifka 1995), as many as there are such functions is conservative
//! backfilling (Mu'alem and Feitelson 2001).
//!
//! Two things differ from a batch queue, both measured (docs/schedulers.md): the order is no queue, so a function that goes
//! before the waiting one in it may not delay it either; and memory that is expected to be left over on the node is not given
//! away, because durations are estimates.

use common::SimTime;
use common::ids::{FunctionId, NodeId};
use engine::serverless::ServerlessView;

use super::order::{Candidate, Order, before};
use super::size::Size;

/// A node that is kept for a function.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reservation {
    function: FunctionId,
    node: NodeId,
    /// When the node is expected to have room.
    room_at: SimTime,
}

/// The reservations of one cluster, those of functions with a lower rank first.
#[derive(Clone, Debug, Default)]
pub(super) struct Reservations {
    held: Vec<Reservation>,
    /// Functions that fit nowhere; its memory is used again at each decision.
    blocked: Vec<Candidate>,
}

impl Reservations {
    /// Brings the reservations up to date: those of the first `most` functions by rank that fit nowhere. A function keeps its
    /// node until room was expected there.
    pub fn update(&mut self, view: &ServerlessView<'_>, order: &dyn Order, size: Size, most: usize) {
        self.blocked.clear();
        for line in view.open_lines() {
            if fits_nowhere(view, size, line.function)
                && let Some(candidate) = Candidate::of(view, order, &line)
            {
                self.blocked.push(candidate);
            }
        }
        self.blocked.sort_unstable_by(before);
        let kept = std::mem::take(&mut self.held);
        for waits in self.blocked.iter().take(most) {
            let keeps = |held: &&Reservation| held.function == waits.function && view.now() <= held.room_at;
            let reservation = match kept.iter().find(keeps) {
                Some(held) => Some(*held),
                None => reserve(view, &self.held, waits.function, size),
            };
            self.held.extend(reservation);
        }
    }

    /// Nodes on which a start of `function` would delay the function that has reserved them.
    pub fn closed_to(&self, view: &ServerlessView<'_>, function: FunctionId, size: usize) -> Vec<NodeId> {
        let delays = |held: &&Reservation| {
            view.placement(function, size, held.node)
                .is_some_and(|placement| held.room_at < view.expected_end(function, &placement))
        };
        // An empty vector allocates nothing.
        self.held.iter().filter(delays).map(|held| held.node).collect()
    }
}

/// Whether a function can start on no node, although a container of its size is offered.
fn fits_nowhere(view: &ServerlessView<'_>, size: Size, function: FunctionId) -> bool {
    let place = size.pick(view, function);
    let Some(demand) = view.size_mb(function, place) else { return false };
    // Where tags keep functions apart, room alone does not say that one can start.
    demand > view.largest_fit_mb()
        || view.isolates() && view.nodes().all(|node| view.placement(function, place, node.id).is_none())
}

fn demand_mb(view: &ServerlessView<'_>, size: Size, function: FunctionId) -> Option<u32> {
    view.size_mb(function, size.pick(view, function))
}

/// The node that is expected to have room first, beside what `earlier` reservations need there; the lowest of equals. `None`
/// where no node is large enough.
fn reserve(
    view: &ServerlessView<'_>,
    earlier: &[Reservation],
    function: FunctionId,
    size: Size,
) -> Option<Reservation> {
    let demand = demand_mb(view, size, function)?;
    let mut best: Option<Reservation> = None;
    for node in view.nodes().filter(|node| node.up) {
        let reserved = earlier.iter().filter(|held| held.node == node.id);
        let needed = demand + reserved.filter_map(|held| demand_mb(view, size, held.function)).sum::<u32>();
        let Some(room_at) = view.room_expected_at(&node, function, needed) else { continue };
        if best.is_none_or(|best| room_at < best.room_at) {
            best = Some(Reservation { function, node: node.id, room_at });
        }
    }
    best
}
