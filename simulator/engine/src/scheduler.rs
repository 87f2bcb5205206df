//! The trait through which a simulation asks for decisions.

use common::Action;
use common::trajectory::Scenario;

use crate::error::SchedulerError;
use crate::interests::Interests;
use crate::{serverless, slots};

/// What a scheduler may read of one cluster at a decision.
#[derive(Clone, Copy)]
pub enum ClusterView<'a> {
    /// Scenario `slots`: jobs on one machine with visible slots.
    Slots(slots::SlotsView<'a>),
    /// Worker nodes running functions.
    Serverless(serverless::ServerlessView<'a>),
}

impl ClusterView<'_> {
    /// The scenario that is simulated.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        match self {
            ClusterView::Slots(_) => Scenario::Slots,
            ClusterView::Serverless(_) => Scenario::Serverless,
        }
    }

    /// Whether a scheduler with these interests decides what is asked now.
    #[must_use]
    pub fn is_decided_by(&self, interests: Interests) -> bool {
        match self {
            ClusterView::Slots(_) => true,
            ClusterView::Serverless(view) => match view.question() {
                serverless::Question::Start => true,
                serverless::Question::KeepAlive { .. } => interests.keep_alive,
                serverless::Question::Pools => interests.pools,
            },
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
    /// Number of the environment in its batch; it stays the same through an episode.
    pub environment: usize,
    /// Its state now.
    pub view: ClusterView<'a>,
}

/// Decides for many environments at once: a network computes one forward pass for all of them, a rule decides one by one.
pub trait Scheduler: Send {
    /// Its name in tables, unique among known schedulers.
    fn name(&self) -> &str;

    /// What it needs or decides beside starts. Its episodes must be made with these interests.
    fn interests(&self) -> Interests {
        Interests::NONE
    }

    /// An environment starts a new episode: what was kept of the last one must be forgotten.
    fn episode_started(&mut self, _environment: usize) {}

    /// The environment `to` goes on from where `from` is: what is kept of `from` holds for it, too. A scheduler that keeps something
    /// from decision to decision must copy it.
    fn environment_copied(&mut self, _from: usize, _to: usize) {}

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
