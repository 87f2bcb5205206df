//! One episode: time, arrivals, starts, completions, and when somebody has to decide.

use std::sync::Arc;

use common::cluster::{ClusterEvent, GoneReason, TimedEvent};
use common::ids::{FunctionId, InvocationId, NodeId};
use common::trajectory::Reward;
use common::{Action, SimTime};

use super::arrivals::Window;
use super::containers::{Container, Containers, State};
use super::engine::{Engine, Task};
use super::estimates::Estimator;
use super::events::Due;
use super::ledger::{Ending, Ledger, Weights};
use super::meters::Meters;
use super::outcome::{Resource, ServerlessOutcome};
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
struct Live {
    weights: Weights,
    cold: bool,
}

/// One episode of `serverless`.
pub struct ServerlessSimulation {
    pub(super) workload: Arc<Workload>,
    pub(super) rules: EpisodeRules,
    pub(super) window: Window,
    pub(super) now: SimTime,
    /// Place of the next arrival.
    next_arrival: usize,
    live: Vec<Live>,
    pub(super) pending: Pending,
    pub(super) containers: Containers,
    pub(super) engine: Engine,
    pub(super) estimators: Vec<Estimator>,
    ledger: Ledger,
    /// A decision round goes on: nobody said *wait* since the last event.
    round: bool,
    /// Set by *wait*.
    ask_again_at: Option<SimTime>,
    ended: bool,
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

    /// See [`crate::Simulation::advance`].
    pub fn advance(&mut self) -> Progress {
        loop {
            if self.ended {
                return Progress::Finished;
            }
            if self.round && self.can_start() {
                if self.now >= self.rules.asks_from {
                    return Progress::Decision;
                }
                self.play_warm_up();
                continue;
            }
            self.round = false;
            match self.next_time() {
                Some(at) if at <= self.window.horizon + self.rules.drain_limit => self.move_to(at),
                _ => self.end(),
            }
        }
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

    fn arrive(&mut self) {
        let invocation = self.next_arrival;
        self.next_arrival += 1;
        let arrival = &self.window.arrivals[invocation];
        let (function, input_size) = (arrival.function, arrival.work.input_size);
        let reference = self.workload.models[function as usize].reference_seconds(&arrival.work);
        self.live[invocation].weights = self.ledger.arrived(function, reference);
        self.pending.push(invocation as u32, function);
        let invocation = InvocationId(invocation as u64);
        self.record(ClusterEvent::Arrived { invocation, function: FunctionId(function), input_size });
    }

    fn check(&self, invocation: InvocationId, memory_mb: u32, node: NodeId) -> Result<(), ActionError> {
        if !self.pending.contains(invocation.0) {
            return Err(ActionError::NotPending(invocation));
        }
        let function = self.window.arrivals[invocation.0 as usize].function;
        let known_size = self.workload.sizes[function as usize].contains(&Some(memory_mb));
        let known_node = (node.0 as usize) < self.workload.cluster.nodes.len();
        if known_size && known_node && self.containers.evicts_mb(memory_mb, node.0).is_some() {
            return Ok(());
        }
        Err(ActionError::DoesNotFit(invocation))
    }

    fn start(&mut self, id: InvocationId, memory_mb: u32, node: NodeId) {
        let invocation = id.0 as u32;
        let function = self.window.arrivals[invocation as usize].function;
        self.pending.remove(invocation, function);
        let warm = self.containers.warm(function, memory_mb, node.0);
        let price = self.workload.cluster.nodes[node.0 as usize].price_class;
        let container = match warm {
            Some(container) => {
                self.containers.take(container, invocation);
                self.ledger.meters.hold(0.0, -f64::from(memory_mb), price);
                container
            }
            None => {
                self.make_room(memory_mb, node.0);
                self.containers.create(function, memory_mb, node.0, invocation)
            }
        };
        self.ledger.meters.hold(f64::from(memory_mb), 0.0, price);
        let task = self.task(invocation, memory_mb, node.0);
        self.allocate(function, memory_mb, 1.0);
        self.engine.assign(container, task);
        self.live[invocation as usize].cold = warm.is_none();
        let container_id = self.containers.get(container).id;
        let cold = warm.is_none();
        self.record(ClusterEvent::Started { invocation: id, container: container_id, node, memory_mb, cold });
        if cold {
            let draw = self.window.arrivals[invocation as usize].cold_draw;
            let seconds = self.workload.cold_starts[function as usize].seconds(draw);
            self.estimators[function as usize].observe_cold_start(seconds);
            let ready = self.now + SimTime::from_seconds(seconds);
            self.engine.queue.post(ready, Due::Ready { container });
        } else {
            self.engine.begin(self.now, container, &mut self.ledger.meters);
        }
    }

    fn task(&self, invocation: u32, memory_mb: u32, node: u32) -> Task {
        let arrival = &self.window.arrivals[invocation as usize];
        let model = &self.workload.models[arrival.function as usize];
        let mbps = self.workload.shares.mbps(memory_mb);
        let vcpus = self.workload.shares.vcpus(memory_mb).min(model.parallelism);
        let speed = self.workload.cluster.nodes[node as usize].speed;
        Task {
            node,
            transfer_seconds: arrival.work.megabits / mbps,
            mbps,
            io_seconds: arrival.work.io_seconds + self.rules.dispatch[node as usize].seconds(),
            cpu_seconds: arrival.work.cpu_seconds / (speed * vcpus),
            vcpus,
        }
    }

    fn make_room(&mut self, memory_mb: u32, node: u32) {
        while self.containers.free_mb(node) < memory_mb {
            let Some(container) = self.containers.evict_oldest(node) else { return };
            self.gone(&container, GoneReason::Evicted);
        }
    }

    fn finish(&mut self, container: u32) {
        let Container { id, function, node, memory_mb, state, .. } = *self.containers.get(container);
        let State::Bound { invocation } = state else { return };
        let expires = self.now + self.rules.keep_alive;
        self.containers.fall_idle(container, expires);
        let price = self.workload.cluster.nodes[node as usize].price_class;
        self.ledger.meters.hold(-f64::from(memory_mb), f64::from(memory_mb), price);
        self.allocate(function, memory_mb, -1.0);
        self.close(invocation, true);
        let work = &self.window.arrivals[invocation as usize].work;
        let seconds = self.workload.models[function as usize].reference_seconds(work);
        self.estimators[function as usize].observe(seconds);
        let estimate = self.estimators[function as usize].get();
        let invocation = InvocationId(u64::from(invocation));
        self.record(ClusterEvent::Finished { invocation, container: id, expires, estimate });
    }

    /// Books the CPU and bandwidth that come with a container of `memory_mb`, and the memory that its function uses (`sign` 1), or gives them back (−1).
    fn allocate(&mut self, function: u32, memory_mb: u32, sign: f64) {
        let shares = self.workload.shares;
        let peak = self.workload.cluster.functions[function as usize].peak_memory_mb;
        let meters = &mut self.ledger.meters;
        meters.allocated[Resource::Cpu as usize] += sign * shares.vcpus(memory_mb);
        meters.allocated[Resource::Network as usize] += sign * shares.mbps(memory_mb);
        meters.used[Resource::Memory as usize] += sign * f64::from(peak);
    }

    /// An invocation leaves the system.
    fn close(&mut self, invocation: u32, finished: bool) {
        let arrival = &self.window.arrivals[invocation as usize];
        let function = arrival.function as usize;
        let model = &self.workload.models[function];
        let live = self.live[invocation as usize];
        let ending = Ending {
            function: arrival.function,
            latency: self.now.since(arrival.at).seconds(),
            reference: model.reference_seconds(&arrival.work),
            objective: self.workload.cluster.functions[function].slo_factor * model.p95,
            p95: model.p95,
            cold: live.cold,
            counted: arrival.at >= self.rules.counts_from,
            finished,
        };
        self.ledger.ended(&ending, live.weights);
    }

    fn gone(&mut self, container: &Container, reason: GoneReason) {
        let price = self.workload.cluster.nodes[container.node as usize].price_class;
        self.ledger.meters.hold(0.0, -f64::from(container.memory_mb), price);
        self.record(ClusterEvent::Gone { container: container.id, reason });
    }

    /// The drain limit is reached, or everything is done: what is left in the system counts as unfinished.
    fn end(&mut self) {
        self.ended = true;
        let limit = self.window.horizon + self.rules.drain_limit;
        if !self.pending.is_empty() || self.containers.any_bound() {
            self.now = limit;
            self.ledger.advance(limit);
        }
        let waiting: Vec<u32> = self.pending.iter().collect();
        for invocation in waiting.into_iter().chain(self.containers.bound_invocations()) {
            self.close(invocation, false);
        }
    }

    fn record(&mut self, event: ClusterEvent) {
        if self.rules.follow_events {
            self.events.push(TimedEvent { at: self.now, event });
        }
    }
}
