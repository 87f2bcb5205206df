//! Backfilling: a function whose container fits nowhere gets a node reserved, so that small containers do not take its memory
//! again and again. One reservation is EASY backfilling (Lifka 1995), as many as there are such functions is conservative
//! backfilling (Mu'alem and Feitelson 2001).

use common::SimTime;
use common::ids::{FunctionId, NodeId};
use engine::serverless::{PendingGroup, Placement, ServerlessView};

use super::order::{Candidate, Order, before};
use super::size::Size;

/// A function gets a reservation once its oldest invocation has waited as many times its estimate.
const PATIENCE: f64 = 1.0;
/// Estimates count at least this for that, seconds.
const SHORTEST: f64 = 0.1;

/// A node that is kept for a function.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reservation {
    function: FunctionId,
    node: NodeId,
    /// When the node is expected to have room.
    room_at: SimTime,
    /// Memory that will be left over then, MB: containers of this size may run longer.
    spare_mb: u32,
    /// Who waits for the node; those of a lower rank go first.
    waits: Candidate,
}

/// The reservations of one cluster, the lowest rank first.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    held: Vec<Reservation>,
    /// Functions that fit nowhere, used again at each decision.
    blocked: Vec<Candidate>,
}

impl Reservations {
    /// Brings the reservations up to date: those of the first `most` functions by rank that fit nowhere. A function keeps its
    /// node until room was expected there.
    pub fn update(&mut self, view: &ServerlessView<'_>, order: &dyn Order, size: Size, most: usize) {
        let largest_mb = view.largest_fit_mb();
        self.blocked.clear();
        for group in view.groups() {
            if demand_mb(view, size, group.function).is_some_and(|demand| demand > largest_mb)
                && has_waited(view, &group)
                && let Some(candidate) = Candidate::of(view, order, &group)
            {
                self.blocked.push(candidate);
            }
        }
        if self.blocked.is_empty() {
            self.held.clear();
            return;
        }
        self.blocked.sort_unstable_by(before);
        let kept = std::mem::take(&mut self.held);
        for &waits in self.blocked.iter().take(most) {
            let keeps = |held: &&Reservation| held.function == waits.function && view.now() <= held.room_at;
            let reservation = match kept.iter().find(keeps) {
                Some(held) => Some(Reservation { waits, ..*held }),
                None => reserve(view, &self.held, waits, size),
            };
            self.held.extend(reservation);
        }
    }

    /// Nodes on which a start of `candidate` would delay the function that has reserved them.
    pub fn closed_to(&self, view: &ServerlessView<'_>, candidate: &Candidate, size: usize) -> Vec<NodeId> {
        let delays = |held: &&Reservation| {
            before(candidate, &held.waits).is_gt()
                && view.placement(candidate.function, size, held.node).is_some_and(|placement| {
                    !held.ends_in_time(view, candidate.function, &placement)
                        && placement.memory_mb > held.spare_mb
                })
        };
        // Nothing is allocated where nothing is closed.
        self.held.iter().filter(delays).map(|held| held.node).collect()
    }

    /// A start was decided: its container takes of the memory that was left over on its node.
    pub fn started(
        &mut self,
        view: &ServerlessView<'_>,
        function: FunctionId,
        placement: &Placement,
        node: NodeId,
    ) {
        for held in self.held.iter_mut().filter(|held| held.node == node) {
            if !held.ends_in_time(view, function, placement) {
                held.spare_mb = held.spare_mb.saturating_sub(placement.memory_mb);
            }
        }
    }
}

impl Reservation {
    /// Whether a start now is expected to end before the node is needed.
    fn ends_in_time(&self, view: &ServerlessView<'_>, function: FunctionId, placement: &Placement) -> bool {
        let estimate = view.estimate(function);
        let cold = if placement.warm { 0.0 } else { estimate.cold_start };
        view.now() + SimTime::from_seconds(cold + estimate.mean) <= self.room_at
    }
}

fn demand_mb(view: &ServerlessView<'_>, size: Size, function: FunctionId) -> Option<u32> {
    view.size_mb(function, size.pick(view, function))
}

fn has_waited(view: &ServerlessView<'_>, group: &PendingGroup) -> bool {
    let waited = view.now().since(group.arrived).seconds();
    waited > PATIENCE * view.estimate(group.function).mean.max(SHORTEST)
}

/// The node that is expected to have room first, beside what `earlier` reservations need there; the lowest of equals. `None`
/// where the container is larger than every node. Isolation tags are not considered.
fn reserve(
    view: &ServerlessView<'_>,
    earlier: &[Reservation],
    waits: Candidate,
    size: Size,
) -> Option<Reservation> {
    let demand = demand_mb(view, size, waits.function)?;
    let mut best: Option<Reservation> = None;
    let mut ends: Vec<(f64, u32)> = Vec::new();
    'nodes: for node in view.nodes().filter(|node| node.up) {
        let reserved = earlier.iter().filter(|held| held.node == node.id);
        let needed = demand + reserved.filter_map(|held| demand_mb(view, size, held.function)).sum::<u32>();
        if needed > view.spec().nodes[node.id.0 as usize].memory_mb {
            continue;
        }
        ends.clear();
        ends.extend(view.busy_on(node.id).map(|busy| (view.remaining_seconds(&busy), busy.memory_mb)));
        ends.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let mut room_mb = node.free_mb + node.evictable_mb;
        let mut seconds = 0.0;
        let mut ends = ends.iter();
        while room_mb < needed {
            let Some(&(end, memory_mb)) = ends.next() else { continue 'nodes };
            (seconds, room_mb) = (end, room_mb + memory_mb);
        }
        let room_at = view.now() + SimTime::from_seconds(seconds);
        if best.is_none_or(|best| room_at < best.room_at) {
            let spare_mb = room_mb - needed;
            best = Some(Reservation { function: waits.function, node: node.id, room_at, spare_mb, waits });
        }
    }
    best
}
