//! A scheduler made of parts: order × size × placement × keep-alive, with or without reservations.

use common::Action;
use common::ids::{FunctionId, NodeId};

use super::keep_alive::{FellIdle, KeepAlive};
use super::order::Order;
use super::placement::Placer;
use super::reservations::Reservations;
use super::size::Size;
use super::starts::Starts;
use engine::serverless::{Question, ServerlessView};
use engine::{ClusterView, DecisionRequest, Interests, Scheduler, SchedulerError};

/// Makes a keep-alive part, one for each environment that is played.
pub type MakeKeepAlive = Box<dyn Fn() -> Box<dyn KeepAlive> + Send>;

/// The parts, put together. Any of them can be one's own.
pub struct Composed {
    name: String,
    starts: Starts,
    make_keep_alive: Option<MakeKeepAlive>,
    interests: Interests,
    /// By environment.
    clusters: Vec<Cluster>,
}

/// What is kept of a cluster from decision to decision.
#[derive(Clone)]
struct Cluster {
    keep_alive: Option<Box<dyn KeepAlive>>,
    reservations: Reservations,
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
        let starts = Starts { order, size, placement, most_reservations: 0 };
        Composed { name, starts, make_keep_alive: keep_alive, interests, clusters: Vec::new() }
    }

    /// The first `most` functions by rank whose container fits nowhere have a node reserved: 1 is EASY backfilling (Lifka
    /// 1995), as many as there are functions is conservative backfilling (Mu'alem and Feitelson 2001).
    #[must_use]
    pub fn with_reservations(mut self, most: usize) -> Self {
        self.starts.most_reservations = most;
        self
    }

    /// Keeps something for each environment up to this one.
    fn make_room(&mut self, environment: usize) {
        let make = self.make_keep_alive.as_ref();
        self.clusters.resize_with(self.clusters.len().max(environment + 1), || Cluster::new(make));
    }

    fn choose(&mut self, environment: usize, view: &ServerlessView<'_>) -> Action {
        self.make_room(environment);
        let Cluster { keep_alive, reservations } = &mut self.clusters[environment];
        let Some(keep_alive) = keep_alive.as_deref_mut() else {
            return self.starts.choose(view, reservations, None);
        };
        keep_alive.observe(view);
        match view.question() {
            Question::Start => self.starts.choose(view, reservations, Some(keep_alive)),
            Question::KeepAlive { container, function, node, memory_mb } => {
                let idle = FellIdle { container, function, node, memory_mb };
                Action::KeepAlive { container, keep_alive: keep_alive.keep(view, &idle) }
            }
            Question::Pools => pre_warm(view, keep_alive),
        }
    }
}

impl Cluster {
    fn new(make_keep_alive: Option<&MakeKeepAlive>) -> Self {
        Cluster { keep_alive: make_keep_alive.map(|make| make()), reservations: Reservations::default() }
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
        if let Some(cluster) = self.clusters.get_mut(environment) {
            *cluster = Cluster::new(self.make_keep_alive.as_ref());
        }
    }

    fn environment_copied(&mut self, from: usize, to: usize) {
        self.make_room(from.max(to));
        self.clusters[to] = self.clusters[from].clone();
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
