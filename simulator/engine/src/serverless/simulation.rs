//! One episode: time, arrivals, starts, completions and decision points.

use std::collections::VecDeque;
use std::sync::Arc;

use common::cluster::{ClusterEvent, GoneReason, TimedEvent};
use common::reward::Reward;
use common::seed::FastRng;
use common::{Action, Arrived, SimTime, Stream};
use rand_distr::{Distribution, StandardNormal};

use super::arrivals::ArrivalStream;
use super::commitments::Commitments;
use super::containers::Containers;
use super::estimates::Estimator;
use super::execution::Execution;
use super::failures::Failures;
use super::jobs::Jobs;
use super::ledger::Ledger;
use super::log_hash::LogHash;
use super::meters::Meters;
use super::outcome::ServerlessOutcome;
use super::pending::Pending;
use super::question::Question;
use super::rules::EpisodeRules;
use super::starting::Starting;
use super::workflows::Runs;
use super::workload::{EpisodeSource, Workload};
use crate::interests::Interests;
use crate::progress::Progress;

/// Stream number of the cold starts of pre-warmed containers.
const PRE_WARMS: u64 = 1 << 41;

/// Decides while the scheduler is not asked: a start, or a wait.
pub type Fallback = fn(&ServerlessSimulation) -> Action;

/// One episode of `serverless`.
#[derive(Clone)]
pub struct ServerlessSimulation {
    pub(super) workload: Arc<Workload>,
    pub(super) rules: EpisodeRules,
    pub(super) arrivals: ArrivalStream,
    pub(super) now: SimTime,
    /// See [`crate::Simulation::arrived`].
    pub(super) arrived: Arrived,
    pub(super) jobs: Jobs,
    pub(super) runs: Runs,
    pub(super) pending: Pending,
    /// (smallest size in MB, number of functions with waiting invocations that have it), ascending; few entries.
    pub(super) waiting_sizes: Vec<(u32, u32)>,
    pub(super) containers: Containers,
    pub(super) execution: Execution,
    /// Under late binding.
    pub(super) starting: Option<Starting>,
    failures: Option<Failures>,
    pub(super) fallback: Fallback,
    pub(super) estimators: Vec<Estimator>,
    pub(super) ledger: Ledger,
    /// A decision round goes on: the scheduler has not chosen *wait* since the last event.
    pub(super) round: bool,
    pub(super) commitments: Commitments,
    /// Set by *wait*.
    pub(super) ask_again_at: Option<SimTime>,
    /// Questions other than about starts, which are asked first.
    pub(super) questions: VecDeque<Question>,
    next_pool_tick: SimTime,
    pre_warm_rng: FastRng,
    pub(super) ended: bool,
    pub(super) events: Vec<TimedEvent>,
    pub(super) log: LogHash,
    pub(super) source: EpisodeSource,
    /// When each function will be called, for references that know the future.
    pub(super) foreseen: Vec<Vec<SimTime>>,
    finished: Vec<u32>,
}

impl ServerlessSimulation {
    /// An episode at time 0.
    #[must_use]
    pub fn new(
        workload: Arc<Workload>,
        rules: EpisodeRules,
        source: EpisodeSource,
        fallback: Fallback,
    ) -> Self {
        let arrivals = workload.arrivals(source);
        let nodes = &workload.cluster.nodes;
        let meters = Meters::new(nodes);
        ServerlessSimulation {
            now: SimTime::ZERO,
            arrivals: arrivals.stream,
            arrived: Arrived::default(),
            jobs: Jobs::default(),
            runs: Runs::default(),
            pending: Pending::new(workload.models.len()),
            waiting_sizes: workload.smallest_sizes().into_iter().map(|size| (size, 0)).collect(),
            containers: Containers::new(&workload.cluster, rules.isolation),
            execution: Execution::new(nodes),
            starting: rules.late_binding.then(|| Starting::new(workload.models.len())),
            failures: rules.failures.as_ref().map(|one| Failures::new(one, nodes.len(), source.episode)),
            estimators: workload.estimators.clone(),
            ledger: Ledger::new(meters, workload.scarcity, rules.counts_from, &arrivals.expected),
            round: false,
            commitments: Commitments::default(),
            ask_again_at: None,
            questions: VecDeque::new(),
            next_pool_tick: rules.asks_from.max(rules.pool_tick),
            pre_warm_rng: source.episode.fast_rng(Stream::Execution, PRE_WARMS),
            ended: false,
            events: Vec::new(),
            log: LogHash::default(),
            foreseen: if rules.interests.foresight { workload.foresee(source) } else { Vec::new() },
            source,
            finished: Vec::new(),
            workload,
            rules,
            fallback,
        }
    }

    /// See [`crate::Simulation::tick`].
    pub fn tick(&mut self) -> Option<Progress> {
        if self.ended {
            return Some(Progress::Finished);
        }
        if !self.questions.is_empty() {
            return Some(Progress::Decision);
        }
        if !self.commitments.is_empty() && !self.asks() {
            self.commitments = Commitments::default();
            self.round = true;
        }
        if self.round && self.can_start() {
            if self.asks() {
                return Some(Progress::Decision);
            }
            self.play_fallback();
            return None;
        }
        self.round = false;
        match self.next_time() {
            Some(at) if at <= self.arrivals.horizon() + self.rules.drain_limit => self.move_to(at),
            _ => self.end(),
        }
        None
    }

    /// Whether the scheduler decides at this instant; the fallback rule does before and after.
    pub(super) fn asks(&self) -> bool {
        let asks_until = self.arrivals.horizon() + self.rules.asks_after_horizon;
        self.rules.asks_from <= self.now && self.now <= asks_until
    }

    /// See [`crate::Simulation::stop_asking`].
    pub fn stop_asking(&mut self) {
        self.rules.asks_from = SimTime::NEVER;
        self.rules.interests = Interests::NONE;
        self.questions.clear();
    }

    /// See [`crate::Simulation::take_reward`].
    pub fn take_reward(&mut self) -> Reward {
        self.ledger.take_reward()
    }

    /// Simulated time since the start of the episode.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Simulated time after which no invocation arrives.
    #[must_use]
    pub fn horizon(&self) -> SimTime {
        self.arrivals.horizon()
    }

    /// Offered load; 1.0 is 100%.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.rules.load
    }

    /// See [`crate::Simulation::mixture_part`].
    #[must_use]
    pub fn mixture_part(&self) -> u32 {
        self.rules.mixture_part
    }

    /// What the episode came to so far.
    #[must_use]
    pub fn outcome(&self) -> ServerlessOutcome {
        self.ledger.outcome()
    }

    /// Hash over everything that happened so far: equal for equal episodes, on any number of threads.
    #[must_use]
    pub fn log_hash(&self) -> u64 {
        self.log.value()
    }

    /// Invocations that arrived so far, those of workflow stages included.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.jobs.arrived()
    }

    /// See [`crate::Simulation::urgency`].
    #[must_use]
    pub fn urgency(&self) -> f64 {
        self.ledger.urgency()
    }

    /// See [`crate::Simulation::arrived`].
    #[must_use]
    pub fn arrived_so_far(&self) -> Arrived {
        self.arrived
    }

    pub(super) fn pre_warm_draw(&mut self) -> f32 {
        let normal: f64 = StandardNormal.sample(&mut self.pre_warm_rng);
        normal as f32
    }

    /// When something happens next; `None` when only idle containers are left.
    fn next_time(&mut self) -> Option<SimTime> {
        let (arrival, due) = (self.arrivals.next_time(), self.execution.next_time());
        let mut next = arrival.min(due);
        if next == SimTime::NEVER && self.pending.is_empty() {
            return None;
        }
        if let Some(at) = self.ask_again_at
            && !self.pending.is_empty()
        {
            next = next.min(at);
        }
        if let Some(failures) = &self.failures {
            next = next.min(failures.next_time());
        }
        if self.rules.interests.pools {
            next = next.min(self.next_pool_tick);
        }
        next = self.commitments.next_end().map_or(next, |end| next.min(end));
        Some(self.containers.next_expiry_before(next).unwrap_or(next))
    }

    /// Moves to an instant and lets everything happen that is due then, in this order: invocations that
    /// end, idle containers that expire, failures of nodes, arrivals, cold starts that are over.
    fn move_to(&mut self, at: SimTime) {
        self.now = at;
        self.ledger.advance(at);
        let asked_again = self.ask_again_at.is_some_and(|ask_again| ask_again <= at);
        let mut happened = self.run_engine();
        while let Some(container) = self.containers.expire(at) {
            self.gone(&container, GoneReason::Expired);
            happened = true;
        }
        while let Some(change) = self.failures.as_mut().and_then(|failures| failures.pop_at(at)) {
            self.node_changes(change);
            happened = true;
        }
        while self.arrivals.next_time() == at {
            self.arrive();
            happened = true;
        }
        happened |= self.run_ready();
        happened |= self.commitments.end_due(at);
        if self.rules.interests.pools && self.next_pool_tick <= at {
            if self.asks() {
                self.questions.push_back(Question::Pools);
            }
            self.next_pool_tick = at + self.rules.pool_tick;
        }
        if happened || asked_again {
            self.round = true;
            self.ask_again_at = None;
        }
    }

    /// Lets what is due now happen, but for cold starts that are over; tells whether it opens a decision round.
    fn run_engine(&mut self) -> bool {
        let mut finished = std::mem::take(&mut self.finished);
        self.execution.run_to(self.now, &mut self.ledger.meters, &mut finished);
        let opens = !finished.is_empty();
        finished.drain(..).for_each(|container| self.finish(container));
        self.finished = finished;
        opens
    }

    /// The same for cold starts that are over, which come last within an instant.
    fn run_ready(&mut self) -> bool {
        let mut opens = false;
        while let Some((container, life)) = self.execution.pop_ready(self.now) {
            opens |= self.ready(container, life);
        }
        opens
    }

    pub(super) fn record(&mut self, event: ClusterEvent) {
        // No event is read after the scheduler's last decision.
        if self.rules.interests.events && self.now <= self.arrivals.horizon() + self.rules.asks_after_horizon
        {
            self.events.push(TimedEvent { at: self.now, event });
        }
    }
}
