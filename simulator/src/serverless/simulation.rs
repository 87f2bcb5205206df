//! One episode: time, arrivals, starts, completions, and when somebody has to decide.

use std::sync::Arc;

use common::cluster::{ClusterEvent, GoneReason, TimedEvent};
use common::trajectory::Reward;
use common::{Action, SimTime};

use super::arrivals::Window;
use super::containers::Containers;
use super::engine::Engine;
use super::estimates::Estimator;
use super::events::Due;
use super::ledger::{Ledger, Weights};
use super::meters::Meters;
use super::outcome::ServerlessOutcome;
use super::pending::Pending;
use super::view::ServerlessView;
use super::workload::Workload;
use crate::error::ActionError;
use crate::heuristics::ServerlessRule;
use crate::simulation::Progress;

/// What varies between episodes of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRules {
    /// Offered load that the window was drawn for; 1.0 is 100%.
    pub load: f64,
    /// How long an idle container is kept.
    pub keep_alive: SimTime,
    /// After a *wait* somebody is asked again after so long at the latest.
    pub ask_again: SimTime,
    /// What has not finished so long after the horizon never will.
    pub drain_limit: SimTime,
    /// Network time from the dispatcher to each node.
    pub dispatch: Vec<SimTime>,
    /// Reward and outcome count from here on, and arrivals from here on count.
    pub counts_from: SimTime,
    /// `sjf` plays until here.
    pub asks_from: SimTime,
    /// Schedulers see true durations.
    pub oracle: bool,
    /// Cluster events are recorded.
    pub follow_events: bool,
}

/// What is kept of an invocation in the system.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live {
    pub weights: Weights,
    pub cold: bool,
}

/// One episode of `serverless`.
pub struct ServerlessSimulation {
    pub(super) workload: Arc<Workload>,
    pub(super) rules: EpisodeRules,
    pub(super) window: Window,
    pub(super) now: SimTime,
    /// Place of the next arrival.
    pub(super) next_arrival: usize,
    pub(super) live: Vec<Live>,
    pub(super) pending: Pending,
    pub(super) containers: Containers,
    pub(super) engine: Engine,
    pub(super) estimators: Vec<Estimator>,
    pub(super) ledger: Ledger,
    /// A decision round goes on: nobody said *wait* since the last event.
    round: bool,
    /// Set by *wait*.
    ask_again_at: Option<SimTime>,
    pub(super) ended: bool,
    pub(super) events: Vec<TimedEvent>,
    finished: Vec<u32>,
}

impl ServerlessSimulation {
    /// An episode at time 0.
    #[must_use]
    pub fn new(workload: Arc<Workload>, rules: EpisodeRules, window: Window) -> Self {
        let nodes = &workload.cluster.nodes;
        let functions = workload.models.len();
        let counts = window.counts(functions);
        ServerlessSimulation {
            now: SimTime::ZERO,
            next_arrival: 0,
            live: vec![Live::default(); window.arrivals.len()],
            pending: Pending::new(window.arrivals.len(), functions),
            containers: Containers::new(nodes, functions),
            engine: Engine::new(nodes),
            estimators: workload.estimators.clone(),
            ledger: Ledger::new(Meters::new(nodes), workload.scarcity, rules.counts_from, &counts),
            round: false,
            ask_again_at: None,
            ended: false,
            events: Vec::new(),
            finished: Vec::new(),
            workload,
            rules,
            window,
        }
    }

    /// See [`crate::Simulation::tick`].
    pub fn tick(&mut self) -> Option<Progress> {
        if self.ended {
            return Some(Progress::Finished);
        }
        if self.round && self.can_start() {
            if self.now >= self.rules.asks_from {
                return Some(Progress::Decision);
            }
            self.play_warm_up();
            return None;
        }
        self.round = false;
        match self.next_time() {
            Some(at) if at <= self.window.horizon + self.rules.drain_limit => self.move_to(at),
            _ => self.end(),
        }
        None
    }

    /// See [`crate::Simulation::view`].
    #[must_use]
    pub fn view(&self) -> ServerlessView<'_> {
        ServerlessView::new(self)
    }

    /// See [`crate::Simulation::apply`].
    ///
    /// # Errors
    /// When the invocation does not wait, the size is below its peak or no size of it, or the node lacks the memory.
    pub fn apply(&mut self, action: Action) -> Result<(), ActionError> {
        if self.ended {
            return Err(ActionError::NoDecisionDue);
        }
        match action {
            Action::Wait => self.wait(),
            Action::Start { invocation, memory_mb, node } => {
                self.check(invocation, memory_mb, node)?;
                self.events.clear();
                self.start(invocation, memory_mb, node);
            }
            _ => return Err(ActionError::NotAsked),
        }
        Ok(())
    }

    /// See [`crate::Simulation::take_reward`].
    pub fn take_reward(&mut self) -> Reward {
        self.ledger.take_reward()
    }

    /// Simulated time.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// No arrival comes later.
    #[must_use]
    pub fn horizon(&self) -> SimTime {
        self.window.horizon
    }

    /// Offered load; 1.0 is 100%.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.rules.load
    }

    /// What the episode came to so far.
    #[must_use]
    pub fn outcome(&self) -> ServerlessOutcome {
        self.ledger.outcome()
    }

    fn wait(&mut self) {
        self.events.clear();
        self.round = false;
        self.ask_again_at = Some(self.now + self.rules.ask_again);
    }

    /// The rule that warms the cluster up decides.
    fn play_warm_up(&mut self) {
        let action = ServerlessRule::Sjf.choose(&self.view());
        // Events wait for whoever plays on, so they are not cleared here.
        match action {
            Action::Start { invocation, memory_mb, node } => self.start(invocation, memory_mb, node),
            _ => {
                self.round = false;
                self.ask_again_at = Some(self.now + self.rules.ask_again);
            }
        }
    }

    fn can_start(&self) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let largest = self.containers.largest_fit();
        let smallest = |function: u32| self.workload.sizes[function as usize].iter().flatten().next();
        self.pending.active().iter().any(|&function| smallest(function).is_some_and(|&size| size <= largest))
    }

    fn next_time(&mut self) -> Option<SimTime> {
        let arrival = self.window.arrivals.get(self.next_arrival).map(|arrival| arrival.at);
        if arrival.is_none() && self.pending.is_empty() && self.engine.queue.next_time().is_none() {
            // Only idle containers are left.
            return None;
        }
        let ask_again = self.ask_again_at.filter(|_| !self.pending.is_empty());
        let expiry = self.containers.next_expiry();
        [arrival, self.engine.queue.next_time(), expiry, ask_again].into_iter().flatten().min()
    }

    /// Moves to an instant and lets everything happen that is due then, in the order of the definition.
    fn move_to(&mut self, at: SimTime) {
        self.now = at;
        self.ledger.advance(at);
        let asked_again = self.ask_again_at.is_some_and(|ask_again| ask_again <= at);
        let mut happened = self.run_due(false);
        while let Some(container) = self.containers.expire(at) {
            self.gone(&container, GoneReason::Expired);
            happened = true;
        }
        while self.window.arrivals.get(self.next_arrival).is_some_and(|arrival| arrival.at == at) {
            self.arrive();
            happened = true;
        }
        happened |= self.run_due(true);
        if happened || asked_again {
            self.round = true;
            self.ask_again_at = None;
        }
    }

    /// Lets events of this instant happen; tells whether one was of those that open a decision round.
    fn run_due(&mut self, after_arrivals: bool) -> bool {
        let mut opens = false;
        while let Some(due) = self.engine.queue.pop_at(self.now, after_arrivals) {
            match due {
                Due::Phase { node, resource, posting } => {
                    let mut finished = std::mem::take(&mut self.finished);
                    let meters = &mut self.ledger.meters;
                    self.engine.phase_due(self.now, (node, resource, posting), meters, &mut finished);
                    opens |= !finished.is_empty();
                    finished.drain(..).for_each(|container| self.finish(container));
                    self.finished = finished;
                }
                Due::IoDone { container } => {
                    self.engine.io_done(self.now, container, &mut self.ledger.meters)
                }
                Due::Ready { container } => {
                    opens = true;
                    let id = self.containers.get(container).id;
                    self.record(ClusterEvent::Ready { container: id });
                    self.engine.begin(self.now, container, &mut self.ledger.meters);
                }
            }
        }
        opens
    }

    pub(super) fn record(&mut self, event: ClusterEvent) {
        if self.rules.follow_events {
            self.events.push(TimedEvent { at: self.now, event });
        }
    }
}
