//! The parts that decide about starts: order × size × placement, with or without reservations.

use common::Action;
use common::ids::NodeId;
use engine::serverless::{Line, Placement, ServerlessView};

use super::keep_alive::KeepAlive;
use super::order::{Candidate, Order, ShortestJob, before};
use super::placement::{Placer, WarmFirst};
use super::reservations::Reservations;
use super::size::Size;

/// The parts, put together.
pub(super) struct Starts {
    pub order: Box<dyn Order>,
    pub size: Size,
    pub placement: Box<dyn Placer>,
    /// Number of functions that may have a node reserved.
    pub most_reservations: usize,
}

/// A start that was found.
struct Found {
    candidate: Candidate,
    placement: Placement,
    node: NodeId,
}

impl Starts {
    /// The first start by rank that its placement accepts and no reservation forbids; before it, the idle containers are
    /// released that the keep-alive part would rather see go.
    pub fn choose(
        &self,
        view: &ServerlessView<'_>,
        reservations: &mut Reservations,
        keep_alive: Option<&mut dyn KeepAlive>,
    ) -> Action {
        if self.most_reservations > 0 {
            reservations.update(view, &*self.order, self.size, self.most_reservations);
        }
        let Some(found) = self.find(view, reservations) else { return Action::Wait };
        if found.placement.evicts_mb > 0
            && let Some(keep_alive) = keep_alive
            && let Some(container) = keep_alive.victim(view, found.node)
        {
            return Action::Release { container };
        }
        found.action()
    }

    fn find(&self, view: &ServerlessView<'_>, reservations: &Reservations) -> Option<Found> {
        let candidates = || view.open_lines().filter_map(|line| self.candidate(view, &line));
        let first = candidates().min_by(before)?;
        if let Some(found) = self.place(view, reservations, first) {
            return Some(found);
        }
        // It is to wait: the first of the others that is not.
        let mut best: Option<Found> = None;
        for candidate in candidates() {
            if best.as_ref().is_none_or(|found| before(&candidate, &found.candidate).is_lt())
                && let Some(found) = self.place(view, reservations, candidate)
            {
                best = Some(found);
            }
        }
        best
    }

    /// The invocation of a line that would start, if its size fits anywhere.
    fn candidate(&self, view: &ServerlessView<'_>, line: &Line) -> Option<Candidate> {
        let size = self.size.pick(view, line.function);
        if view.size_mb(line.function, size)? > view.largest_fit_mb() {
            return None;
        }
        Candidate::of(view, &*self.order, line)
    }

    fn place(
        &self,
        view: &ServerlessView<'_>,
        reservations: &Reservations,
        candidate: Candidate,
    ) -> Option<Found> {
        let size = self.size.pick(view, candidate.function);
        let closed = reservations.closed_to(view, candidate.function, size);
        let (placement, node) = self.placement.place(&view.without(&closed), &candidate, size)?;
        Some(Found { candidate, placement, node })
    }
}

impl Found {
    fn action(&self) -> Action {
        Action::Start {
            invocation: self.candidate.invocation,
            memory_mb: self.placement.memory_mb,
            node: self.node,
        }
    }
}

/// What `sjf` does now. It decides while no scheduler is asked, so that clusters are warm when one is.
#[must_use]
pub fn warm_up(view: &ServerlessView<'_>) -> Action {
    let starts = Starts {
        order: Box::new(ShortestJob),
        size: Size::Default,
        placement: Box::new(WarmFirst),
        most_reservations: 0,
    };
    starts.choose(view, &mut Reservations::default(), None)
}
