//! A scheduler made of parts: order × size × placement × keep-alive.

use common::Action;
use common::ids::{FunctionId, NodeId};

use super::keep_alive::{FellIdle, KeepAlive};
use super::order::{Candidate, Order, ShortestJob};
use super::placement::{Placer, WarmFirst};
use super::size::Size;
use engine::serverless::{PendingGroup, Placement, Question, ServerlessView};
use engine::{ClusterView, DecisionRequest, Interests, Scheduler, SchedulerError};

/// Makes a keep-alive part, one for each environment that is played.
pub type MakeKeepAlive = Box<dyn Fn() -> Box<dyn KeepAlive> + Send>;

/// The parts, put together. Any of them can be one's own.
pub struct Composed {
    name: String,
    starts: Starts,
    make_keep_alive: Option<MakeKeepAlive>,
    interests: Interests,
    /// Keep-alive parts, one per environment.
    keep_alive: Vec<Box<dyn KeepAlive>>,
}

/// The parts that decide about starts.
struct Starts {
    pub order: Box<dyn Order>,
    pub size: Size,
    pub placement: Box<dyn Placer>,
}

/// A start that was found.
struct Found {
    pub candidate: Candidate,
    pub placement: Placement,
    pub node: NodeId,
}

impl Composed {
    /// Without a keep-alive part containers are kept as the configuration says.
    #[must_use]
    pub fn new(
        name: String,
        order: Box<dyn Order>,
        size: Size,
        placement: Box<dyn Placer>,
        keep_alive: Option<MakeKeepAlive>,
    ) -> Self {
        let interests = keep_alive.as_ref().map_or(Interests::default(), |make| make().interests());
        let starts = Starts { order, size, placement };
        Composed { name, starts, make_keep_alive: keep_alive, interests, keep_alive: Vec::new() }
    }

    fn choose(&mut self, environment: usize, view: &ServerlessView<'_>) -> Action {
        let Some(make) = &self.make_keep_alive else { return self.starts.choose(view) };
        while self.keep_alive.len() <= environment {
            self.keep_alive.push(make());
        }
        let keep_alive = &mut *self.keep_alive[environment];
        keep_alive.observe(view);
        match view.question() {
            Question::Start => self.starts.choose_with(view, keep_alive),
            Question::KeepAlive { container, function, node, memory_mb } => {
                let idle = FellIdle { container, function, node, memory_mb };
                Action::KeepAlive { container, keep_alive: keep_alive.keep(view, &idle) }
            }
            Question::Pools => pre_warm(view, keep_alive),
        }
    }
}

impl Scheduler for Composed {
    fn name(&self) -> &str {
        &self.name
    }

    fn interests(&self) -> Interests {
        self.interests
    }

    fn episode_started(&mut self, environment: usize) {
        if let (Some(make), Some(place)) = (&self.make_keep_alive, self.keep_alive.get_mut(environment)) {
            *place = make();
        }
    }

    fn decide(
        &mut self,
        requests: &[DecisionRequest<'_>],
        actions: &mut Vec<Action>,
    ) -> Result<(), SchedulerError> {
        for request in requests {
            let ClusterView::Serverless(view) = request.view else {
                return Err(SchedulerError::wrong_scenario(&self.name, &request.view));
            };
            actions.push(self.choose(request.environment, &view));
        }
        Ok(())
    }
}

impl Starts {
    /// The first start by rank that its placement accepts.
    pub fn choose(&self, view: &ServerlessView<'_>) -> Action {
        self.find(view).map_or(Action::Wait, |found| found.action())
    }

    /// The same, after those idle containers are released that the keep-alive part would rather see go.
    fn choose_with(&self, view: &ServerlessView<'_>, keep_alive: &mut dyn KeepAlive) -> Action {
        let Some(found) = self.find(view) else { return Action::Wait };
        if found.placement.evicts_mb > 0
            && let Some(container) = keep_alive.victim(view, found.node)
        {
            return Action::Release { container };
        }
        found.action()
    }

    fn find(&self, view: &ServerlessView<'_>) -> Option<Found> {
        let candidates = || view.groups().filter_map(|group| self.candidate(view, &group));
        let first = candidates().min_by(before)?;
        if let Some(found) = self.place(view, first) {
            return Some(found);
        }
        // It is to wait: the first of the others that is not.
        let mut best: Option<Found> = None;
        for candidate in candidates() {
            if best.as_ref().is_none_or(|found| before(&candidate, &found.candidate).is_lt())
                && let Some(found) = self.place(view, candidate)
            {
                best = Some(found);
            }
        }
        best
    }

    /// Who of a group would start, if its size fits anywhere.
    fn candidate(&self, view: &ServerlessView<'_>, group: &PendingGroup) -> Option<Candidate> {
        let size = self.size.pick(view, group.function);
        if view.size_mb(group.function, size)? > view.largest_fit_mb() {
            return None;
        }
        let (rank, invocation) = self.order.rank(view, group)?;
        Some(Candidate { invocation, function: group.function, arrived: group.arrived, rank })
    }

    fn place(&self, view: &ServerlessView<'_>, candidate: Candidate) -> Option<Found> {
        let size = self.size.pick(view, candidate.function);
        let (placement, node) = self.placement.place(view, &candidate, size)?;
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
    let starts = Starts { order: Box::new(ShortestJob), size: Size::Default, placement: Box::new(WarmFirst) };
    starts.choose(view)
}

fn before(one: &Candidate, other: &Candidate) -> std::cmp::Ordering {
    one.rank.total_cmp(&other.rank).then(one.invocation.cmp(&other.invocation))
}

/// Starts a container in memory that is free, on the node with most of it; where none is free nothing is started early.
fn pre_warm(view: &ServerlessView<'_>, keep_alive: &mut dyn KeepAlive) -> Action {
    while let Some(wanted) = keep_alive.pre_warm(view) {
        if let Some((memory_mb, node)) = free_place(view, wanted.function, wanted.size) {
            return Action::PreWarm { function: wanted.function, memory_mb, node };
        }
    }
    Action::Wait
}

fn free_place(view: &ServerlessView<'_>, function: FunctionId, size: usize) -> Option<(u32, NodeId)> {
    let (node, free_mb) = view.roomiest_node();
    let memory_mb = view.size_mb(function, size)?;
    let fits = memory_mb <= free_mb && view.placement(function, size, node)?.evicts_mb == 0;
    fits.then_some((memory_mb, node))
}
