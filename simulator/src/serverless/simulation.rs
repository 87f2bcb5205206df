//! One episode: time, arrivals, starts, completions, and when somebody has to decide.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use common::cluster::{ClusterEvent, GoneReason, TimedEvent};
use common::ids::{ContainerId, FunctionId, NodeId};
use common::seed::FastRng;
use common::trajectory::Reward;
use common::{Action, SimTime, Stream};
use rand_distr::{Distribution, StandardNormal};

use super::arrivals::ArrivalStream;
use super::containers::Containers;
use super::engine::Engine;
use super::estimates::Estimator;
use super::failures::Failures;
use super::jobs::Jobs;
use super::ledger::Ledger;
use super::log_hash::LogHash;
use super::meters::Meters;
use super::outcome::ServerlessOutcome;
use super::pending::Pending;
use super::view::ServerlessView;
use super::workflows::Runs;
use super::workload::{EpisodeSource, Workload};
use crate::error::ActionError;
use crate::heuristics::warm_up;
use crate::scheduler::Interests;
use crate::simulation::Progress;

/// Later than anything.
pub(super) const NEVER: SimTime = SimTime(u64::MAX);
/// Stream number of the cold starts of pre-warmed containers.
const PRE_WARMS: u64 = 1 << 41;

/// What varies between episodes of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRules {
    /// Offered load that the arrivals were made for; 1.0 is 100%.
    pub load: f64,
    /// How long an idle container is kept, unless the scheduler decides that.
    pub keep_alive: SimTime,
    /// After a *wait* somebody is asked again after so long at the latest.
    pub ask_again: SimTime,
    /// How often a scheduler that pre-warms and releases is asked about it.
    pub pool_tick: SimTime,
    /// What has not finished so long after the horizon never will.
    pub drain_limit: SimTime,
    /// Network time between zones; requests are dispatched from zone 0.
    pub zone_latency: Vec<Vec<SimTime>>,
    /// Reward and outcome count from here on, and arrivals from here on count.
    pub counts_from: SimTime,
    /// `sjf` plays until here.
    pub asks_from: SimTime,
    /// Schedulers see true durations.
    pub oracle: bool,
    /// Functions of different isolation tags never share a node.
    pub isolation: bool,
    /// Cluster events are recorded.
    pub follow_events: bool,
    /// What the scheduler decides beside starts.
    pub interests: Interests,
}

/// What a scheduler is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who starts, where and with how much: `Start` or `Wait` (and `Release` from who declared that it decides pools).
    Start,
    /// How long is this container kept, which just fell idle: `KeepAlive`, or `Release`.
    KeepAlive {
        /// The container.
        container: ContainerId,
        /// Its function.
        function: FunctionId,
        /// Where it is.
        node: NodeId,
        /// Its memory, MB.
        memory_mb: u32,
    },
    /// Which containers are pre-warmed and released: `PreWarm` and `Release`, until `Wait`.
    Pools,
}

impl Question {
    /// Whether that container's keep-alive is asked for.
    pub(super) fn is_about(&self, asked: ContainerId) -> bool {
        matches!(self, Question::KeepAlive { container, .. } if *container == asked)
    }
}

/// One episode of `serverless`.
pub struct ServerlessSimulation {
    pub(super) workload: Arc<Workload>,
    pub(super) rules: EpisodeRules,
    pub(super) arrivals: ArrivalStream,
    pub(super) now: SimTime,
    pub(super) jobs: Jobs,
    pub(super) runs: Runs,
    pub(super) pending: Pending,
    /// (smallest size in MB, how many functions that somebody waits for have it), ascending; there are few sizes.
    waiting_sizes: Vec<(u32, u32)>,
    pub(super) containers: Containers,
    pub(super) engine: Engine,
    failures: Option<Failures>,
    pub(super) estimators: Vec<Estimator>,
    pub(super) ledger: Ledger,
    /// A decision round goes on: nobody said *wait* since the last event.
    round: bool,
    /// Set by *wait*.
    ask_again_at: Option<SimTime>,
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
    pub(crate) fn new(
        workload: Arc<Workload>,
        rules: EpisodeRules,
        source: EpisodeSource,
        failures: Option<Failures>,
    ) -> Self {
        let arrivals = workload.arrivals(source);
        let nodes = &workload.cluster.nodes;
        let meters = Meters::new(nodes);
        ServerlessSimulation {
            now: SimTime::ZERO,
            arrivals: arrivals.stream,
            jobs: Jobs::default(),
            runs: Runs::default(),
            pending: Pending::new(workload.models.len()),
            waiting_sizes: distinct_sizes(&workload),
            containers: Containers::new(&workload.cluster, rules.isolation),
            engine: Engine::new(nodes),
            failures,
            estimators: workload.estimators.clone(),
            ledger: Ledger::new(meters, workload.scarcity, rules.counts_from, &arrivals.expected),
            round: false,
            ask_again_at: None,
            questions: VecDeque::new(),
            next_pool_tick: rules.asks_from.max(rules.pool_tick),
            pre_warm_rng: source.episode.fast_rng(Stream::Execution, PRE_WARMS),
            ended: false,
            events: Vec::new(),
            log: LogHash::default(),
            foreseen: Vec::new(),
            source,
            finished: Vec::new(),
            workload,
            rules,
        }
    }

    /// What the scheduler decides beside starts; said before the episode is played.
    pub fn set_interests(&mut self, interests: Interests) {
        self.rules.interests = interests;
        self.rules.follow_events |= interests.events;
        if interests.foresight {
            self.foreseen = self.workload.foresee(self.source);
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
        if self.round && self.can_start() {
            if self.now >= self.rules.asks_from {
                return Some(Progress::Decision);
            }
            self.play_warm_up();
            return None;
        }
        self.round = false;
        match self.next_time() {
            Some(at) if at <= self.arrivals.horizon() + self.rules.drain_limit => self.move_to(at),
            _ => self.end(),
        }
        None
    }

    /// See [`crate::Simulation::view`].
    #[must_use]
    pub fn view(&self) -> ServerlessView<'_> {
        ServerlessView::new(self)
    }

    /// What is asked now.
    #[must_use]
    pub fn question(&self) -> Question {
        self.questions.front().copied().unwrap_or(Question::Start)
    }

    /// See [`crate::Simulation::apply`].
    ///
    /// # Errors
    /// When the invocation does not wait, the size is below its peak or no size of it, or the node lacks the memory; when
    /// a container is not idle; when the action is no answer to what was asked.
    pub fn apply(&mut self, action: Action) -> Result<(), ActionError> {
        if self.ended {
            return Err(ActionError::NoDecisionDue);
        }
        let seen = self.events.len();
        let answered = match self.question() {
            Question::Start => self.answer_start(action),
            Question::KeepAlive { container, .. } => self.answer_keep_alive(container, action),
            Question::Pools => self.answer_pools(action),
        };
        if answered.is_ok() {
            // Whoever decided has seen what happened before.
            self.events.drain(..seen);
        }
        answered
    }

    fn answer_start(&mut self, action: Action) -> Result<(), ActionError> {
        match action {
            Action::Wait => self.wait(),
            Action::Start { invocation, memory_mb, node } => {
                let job = self.check(invocation, memory_mb, node)?;
                self.start(job, memory_mb, node.0);
            }
            Action::Release { container } if self.rules.interests.pools => self.release(container)?,
            _ => return Err(ActionError::NotAsked),
        }
        Ok(())
    }

    fn answer_keep_alive(&mut self, asked: ContainerId, action: Action) -> Result<(), ActionError> {
        match action {
            Action::KeepAlive { container, keep_alive } if container == asked => {
                self.keep_alive(container, keep_alive)?;
            }
            Action::Release { container } if container == asked => self.release(container)?,
            _ => return Err(ActionError::NotAsked),
        }
        self.questions.pop_front();
        Ok(())
    }

    fn answer_pools(&mut self, action: Action) -> Result<(), ActionError> {
        match action {
            Action::PreWarm { function, memory_mb, node } => self.pre_warm(function, memory_mb, node),
            Action::Release { container } => self.release(container),
            Action::Wait => {
                self.questions.pop_front();
                Ok(())
            }
            _ => Err(ActionError::NotAsked),
        }
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
        self.arrivals.horizon()
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

    fn wait(&mut self) {
        self.round = false;
        self.ask_again_at = Some(self.now + self.rules.ask_again);
    }

    /// The rule that warms the cluster up decides. Events wait for whoever plays on.
    fn play_warm_up(&mut self) {
        match warm_up(&self.view()) {
            Action::Start { invocation, memory_mb, node } => match self.check(invocation, memory_mb, node) {
                Ok(job) => self.start(job, memory_mb, node.0),
                Err(_) => self.wait(),
            },
            _ => self.wait(),
        }
    }

    pub(super) fn add_pending(&mut self, job: u32, function: u32) {
        self.pending.push(job, function);
        self.function_waits(function);
    }

    pub(super) fn put_back_pending(&mut self, job: u32, function: u32) {
        let jobs = &self.jobs;
        self.pending.put_back(job, function, |one, other| jobs.get(one).id < jobs.get(other).id);
        self.function_waits(function);
    }

    fn function_waits(&mut self, function: u32) {
        if self.pending.head(function).1 == 1 {
            *self.waiting_with_size_of(function) += 1;
        }
    }

    pub(super) fn remove_pending(&mut self, job: u32, function: u32) {
        self.pending.remove(job, function);
        if self.pending.head(function).1 == 0 {
            *self.waiting_with_size_of(function) -= 1;
        }
    }

    fn waiting_with_size_of(&mut self, function: u32) -> &mut u32 {
        let size = self.smallest_size(function);
        let place = self.waiting_sizes.partition_point(|&(other, _)| other < size);
        &mut self.waiting_sizes[place].1
    }

    fn smallest_size(&self, function: u32) -> u32 {
        smallest(&self.workload.sizes[function as usize])
    }

    fn can_start(&self) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let smallest = self.waiting_sizes.iter().find(|(_, functions)| *functions > 0);
        if smallest.is_none_or(|&(size, _)| size > self.containers.largest_fit()) {
            return false;
        }
        !self.containers.isolated() || self.can_start_isolated()
    }

    /// Where tags keep functions apart, memory alone does not tell.
    fn can_start_isolated(&self) -> bool {
        let nodes = self.workload.cluster.nodes.len() as u32;
        self.pending.active().iter().any(|&function| {
            let size = self.smallest_size(function);
            (0..nodes).any(|node| self.containers.evicts_mb(function, size, node).is_some())
        })
    }

    pub(super) fn pre_warm_draw(&mut self) -> f32 {
        let normal: f64 = StandardNormal.sample(&mut self.pre_warm_rng);
        normal as f32
    }

    /// When something happens next; `None` when only idle containers are left.
    fn next_time(&mut self) -> Option<SimTime> {
        let (arrival, due) = (self.arrivals.next_time(), self.engine.next_time());
        let mut next = arrival.min(due);
        if next == NEVER && self.pending.is_empty() {
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
        Some(self.containers.next_expiry_before(next).unwrap_or(next))
    }

    /// Moves to an instant and lets everything happen that is due then, in the order of the definition.
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
        if self.rules.interests.pools && self.next_pool_tick <= at {
            self.questions.push_back(Question::Pools);
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
        self.engine.run_to(self.now, &mut self.ledger.meters, &mut finished);
        let opens = !finished.is_empty();
        finished.drain(..).for_each(|container| self.finish(container));
        self.finished = finished;
        opens
    }

    /// The same for cold starts that are over, which come last within an instant.
    fn run_ready(&mut self) -> bool {
        let mut opens = false;
        while let Some((container, life)) = self.engine.pop_ready(self.now) {
            opens |= self.ready(container, life);
        }
        opens
    }

    pub(super) fn record(&mut self, event: ClusterEvent) {
        if self.rules.follow_events {
            self.events.push(TimedEvent { at: self.now, event });
        }
    }
}

fn smallest(sizes: &[Option<u32>]) -> u32 {
    sizes.iter().flatten().next().copied().unwrap_or(u32::MAX)
}

/// The smallest sizes of all functions, ascending, with nobody waiting.
fn distinct_sizes(workload: &Workload) -> Vec<(u32, u32)> {
    let sizes: BTreeSet<u32> = workload.sizes.iter().map(|sizes| smallest(sizes)).collect();
    sizes.into_iter().map(|size| (size, 0)).collect()
}
