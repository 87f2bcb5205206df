//! The seam between simulations and whoever schedules them.

use common::Action;
use common::trajectory::Scenario;

use crate::error::SchedulerError;
use crate::interests::Interests;
use crate::{serverless, slots};

/// A borrowed look at one cluster at a decision.
#[derive(Clone, Copy)]
pub enum ClusterView<'a> {
    /// Job slots.
    Slots(slots::SlotsView<'a>),
    /// Worker nodes running functions.
    Serverless(serverless::ServerlessView<'a>),
}

impl ClusterView<'_> {
    /// Which scenario it shows.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        match self {
            ClusterView::Slots(_) => Scenario::Slots,
            ClusterView::Serverless(_) => Scenario::Serverless,
        }
    }
}

impl SchedulerError {
    /// The scheduler called `scheduler` was asked about a cluster that it cannot play.
    #[must_use]
    pub fn wrong_scenario(scheduler: &str, view: &ClusterView<'_>) -> Self {
        SchedulerError::WrongScenario { scheduler: scheduler.to_owned(), scenario: view.scenario() }
    }
}

/// A question to a scheduler.
#[derive(Clone, Copy)]
pub struct DecisionRequest<'a> {
    /// Place of the environment in its batch, stable through an episode.
    pub environment: usize,
    /// What it looks like now.
    pub view: ClusterView<'a>,
}

/// Decides for many environments at once: a network does one forward pass for all, a heuristic loops.
pub trait Scheduler: Send {
    /// Its name in tables, unique among known schedulers.
    fn name(&self) -> &str;

    /// What it needs or decides beside starts; its episodes are made with that.
    fn interests(&self) -> Interests {
        Interests::NONE
    }

    /// An environment starts a new episode: forget what was known of it.
    fn episode_started(&mut self, _environment: usize) {}

    /// Fills one action for each request, in order; `actions` arrives empty.
    ///
    /// # Errors
    /// [`SchedulerError::WrongScenario`] for a view of a scenario that it cannot play, [`SchedulerError::Failed`] when
    /// it broke inside.
    fn decide(
        &mut self,
        requests: &[DecisionRequest<'_>],
        actions: &mut Vec<Action>,
    ) -> Result<(), SchedulerError>;
}
