//! Follows a cluster by its events. The time per event grows at most with the logarithm of the number of containers and
//! invocations.

use std::collections::{BTreeMap, BTreeSet};

use common::SimTime;
use common::cluster::{ClusterEvent, ClusterSpec, DurationEstimate, TimedEvent};
use common::ids::{ContainerId, InvocationId};

use super::container::{Container, Phase, Work};
use super::function::{ARRIVAL_WINDOWS, DecayingRate, FunctionState, NEW_WEIGHT};
use super::node::NodeState;
use super::queue::Queue;
use super::workflows::Workflows;

/// Least expected duration by which a slowdown divides, seconds.
const LEAST_SECONDS: f64 = 0.1;

/// An event that does not fit what came before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackerError {
    /// An event names an invocation that is not pending.
    #[error("an event at {at} names {invocation}, which is not pending")]
    UnknownInvocation {
        /// Simulated time of the event.
        at: SimTime,
        /// The invocation that the event names.
        invocation: InvocationId,
    },
    /// An event names a container that does not exist.
    #[error("an event at {at} names container {container}, which does not exist")]
    UnknownContainer {
        /// Simulated time of the event.
        at: SimTime,
        /// The container that the event names.
        container: ContainerId,
    },
    /// The graph does not know an invocation that could be decided about: an event is missing.
    #[error("at {at} something can be decided about an invocation of which no event told")]
    LostOptions {
        /// Simulated time of the decision.
        at: SimTime,
    },
    /// An event names a function or node that the cluster does not have.
    #[error("an event at {at} names a function or node that the cluster does not have")]
    OutOfRange {
        /// Simulated time of the event.
        at: SimTime,
    },
}

/// Containers by the time at which something is expected of them.
type Agenda = BTreeSet<(SimTime, ContainerId)>;

/// The visible state of a cluster, kept up to date from its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerlessGraph {
    pub(super) spec: ClusterSpec,
    /// Whether states have rows for applications, tenants, zones and the cluster.
    pub(super) levels: bool,
    /// Memory of all nodes, MB.
    pub(super) memory_mb: u64,
    pub(super) functions: Vec<FunctionState>,
    pub(super) nodes: Vec<NodeState>,
    pub(super) queue: Queue,
    pub(super) workflows: Workflows,
    pub(super) containers: BTreeMap<ContainerId, Container>,
    /// Busy containers by the time at which they are due to fall idle.
    pub(super) busy: Agenda,
    /// The busy containers of each function, by the same time.
    pub(super) busy_of: Vec<Agenda>,
    /// Idle containers by (function, node, memory in MB) and time of expiry.
    pub(super) warm: BTreeMap<(usize, usize, u32), Agenda>,
    /// Functions by the time at which they are expected to be called next.
    pub(super) next_calls: BTreeSet<(SimTime, usize)>,
    /// By tenant: memory of its containers that start or run, MB.
    pub(super) bound_of_tenant: Vec<u64>,
    /// Memory that all waiting invocations ask for, MB.
    pub(super) waiting_mb: u64,
    pub(super) arrivals: [DecayingRate; ARRIVAL_WINDOWS.len()],
    /// Fraction of recent starts in the whole cluster that were cold, 0–1.
    pub(super) cold_share: f64,
    /// Moving mean of latency over expected duration of what has finished, at least 1.
    pub(super) slowdown: f64,
    /// Fraction of what has finished lately that missed its objective, 0–1.
    pub(super) missed_share: f64,
}

impl ServerlessGraph {
    /// A cluster in which nothing has happened yet.
    #[must_use]
    pub fn new(spec: &ClusterSpec) -> Self {
        let state =
            |estimate: &DurationEstimate| FunctionState { estimate: *estimate, ..FunctionState::default() };
        let tenants = spec.functions.iter().map(|function| function.tenant as usize + 1).max().unwrap_or(0);
        ServerlessGraph {
            functions: spec.estimates.iter().map(state).collect(),
            nodes: vec![NodeState::default(); spec.nodes.len()],
            queue: Queue::new(spec.functions.len()),
            workflows: Workflows::new(spec),
            busy_of: vec![Agenda::new(); spec.functions.len()],
            bound_of_tenant: vec![0; tenants],
            slowdown: 1.0,
            memory_mb: spec.nodes.iter().map(|node| u64::from(node.memory_mb)).sum(),
            spec: spec.clone(),
            ..ServerlessGraph::default()
        }
    }

    /// States of this graph have rows for applications, tenants, zones and the cluster, as [`super::with_levels`] names them.
    #[must_use]
    pub fn with_levels(self) -> Self {
        ServerlessGraph { levels: true, ..self }
    }

    /// Applies events in the given order.
    ///
    /// # Errors
    /// [`TrackerError`] for the first event that does not fit; the events before it have been applied.
    pub fn apply(&mut self, events: &[TimedEvent]) -> Result<(), TrackerError> {
        events.iter().try_for_each(|event| self.apply_one(event))
    }

    fn apply_one(&mut self, event: &TimedEvent) -> Result<(), TrackerError> {
        let at = event.at;
        match &event.event {
            ClusterEvent::Arrived { invocation, function, input_size, stage } => {
                let function = function.0 as usize;
                let state = self.functions.get_mut(function).ok_or(TrackerError::OutOfRange { at })?;
                let before = state.next_call();
                state.arrive(at);
                let next = state.next_call();
                before.map(|next| self.next_calls.remove(&(next, function)));
                next.map(|next| self.next_calls.insert((next, function)));
                let rates = self.arrivals.iter_mut().zip(ARRIVAL_WINDOWS);
                rates.for_each(|(rate, window)| rate.add(at, window));
                let (input_size, stage) = (*input_size, *stage);
                self.wait(*invocation, Work { function, arrived: at, input_size, stage, interruptions: 0 });
                Ok(())
            }
            ClusterEvent::Started { invocation, container, node, memory_mb, cold } => {
                let unknown = TrackerError::UnknownInvocation { at, invocation: *invocation };
                let work = self.queue.remove(*invocation).ok_or(unknown)?;
                let node = node.0 as usize;
                self.nodes
                    .get_mut(node)
                    .ok_or(TrackerError::OutOfRange { at })?
                    .note_start(at, work.function);
                self.start(work, *cold);
                let phase = if *cold {
                    Phase::Starting { since: at, work }
                } else {
                    Phase::Busy { since: at, work, cold: false }
                };
                self.put(at, *container, work.function, node, *memory_mb, phase);
                Ok(())
            }
            ClusterEvent::Ready { container, expires } => {
                let phase = match (expires, self.container(at, *container)?.phase) {
                    (Some(expires), _) => Phase::Idle { since: at, expires: *expires },
                    (None, Phase::Starting { work, .. }) => Phase::Busy { since: at, work, cold: true },
                    (None, other) => other,
                };
                self.change(at, *container, phase)
            }
            ClusterEvent::Finished { container, expires, estimate, .. } => {
                self.finish(at, *container, *estimate)?;
                self.change(at, *container, Phase::Idle { since: at, expires: *expires })
            }
            ClusterEvent::PreWarmed { container, function, node, memory_mb } => {
                let (function, node) = (function.0 as usize, node.0 as usize);
                if function >= self.functions.len() || node >= self.nodes.len() {
                    return Err(TrackerError::OutOfRange { at });
                }
                self.put(at, *container, function, node, *memory_mb, Phase::Warming { since: at });
                Ok(())
            }
            ClusterEvent::KeptAlive { container, expires } => {
                let since = match self.container(at, *container)?.phase {
                    Phase::Idle { since, .. } => since,
                    _ => at,
                };
                self.change(at, *container, Phase::Idle { since, expires: *expires })
            }
            ClusterEvent::Interrupted { invocation, container } => {
                let gone = self.remove(at, *container)?;
                if let Some(work) = gone.phase.work() {
                    self.functions[gone.function].pending += 1;
                    self.wait(*invocation, Work { interruptions: work.interruptions + 1, ..*work });
                }
                Ok(())
            }
            ClusterEvent::Rebound { from, to, .. } => self.rebind(at, *from, *to),
            ClusterEvent::NodeDown { node } => self.set_down(at, node.0 as usize, true),
            ClusterEvent::NodeUp { node } => self.set_down(at, node.0 as usize, false),
            ClusterEvent::Gone { container, .. } => self.remove(at, *container).map(|_| ()),
        }
    }

    fn wait(&mut self, invocation: InvocationId, work: Work) {
        if let Some(stage) = work.stage {
            self.workflows.waits(&self.spec, stage);
        }
        self.waiting_mb += u64::from(self.spec.functions[work.function].default_memory_mb);
        self.queue.insert(invocation, work);
    }

    fn start(&mut self, work: Work, cold: bool) {
        if let Some(stage) = work.stage {
            self.workflows.starts(stage);
        }
        self.waiting_mb -= u64::from(self.spec.functions[work.function].default_memory_mb);
        let function = &mut self.functions[work.function];
        function.pending = function.pending.saturating_sub(1);
        let observed = f64::from(u8::from(cold));
        function.cold_share += NEW_WEIGHT * (observed - function.cold_share);
        self.cold_share += NEW_WEIGHT * (observed - self.cold_share);
    }

    /// Learns from an invocation that has just finished in `container`.
    fn finish(
        &mut self,
        at: SimTime,
        container: ContainerId,
        estimate: DurationEstimate,
    ) -> Result<(), TrackerError> {
        let Container { function, node, phase, .. } = *self.container(at, container)?;
        let before = std::mem::replace(&mut self.functions[function].estimate, estimate);
        let Some(work) = phase.work() else { return Ok(()) };
        let latency = at.since(work.arrived).seconds();
        let slowdown = (latency / before.mean.max(LEAST_SECONDS)).max(1.0);
        let missed = latency > self.spec.functions[function].slo_factor * before.p95;
        self.slowdown += NEW_WEIGHT * (slowdown - self.slowdown);
        self.missed_share += NEW_WEIGHT * (f64::from(u8::from(missed)) - self.missed_share);
        if let Some(stage) = work.stage {
            self.workflows.finishes(stage, node);
        }
        Ok(())
    }

    /// The invocation of the starting container `from` moves to `to`, which is idle or starts for another one.
    fn rebind(&mut self, at: SimTime, from: ContainerId, to: ContainerId) -> Result<(), TrackerError> {
        let Phase::Starting { since, work } = self.container(at, from)?.phase else {
            return Err(TrackerError::UnknownContainer { at, container: from });
        };
        let (left, taken) = match self.container(at, to)?.phase {
            Phase::Starting { since: own, work: other } => {
                (Phase::Starting { since, work: other }, Phase::Starting { since: own, work })
            }
            _ => (Phase::Warming { since }, Phase::Busy { since: at, work, cold: true }),
        };
        self.change(at, from, left)?;
        self.change(at, to, taken)
    }

    fn set_down(&mut self, at: SimTime, node: usize, down: bool) -> Result<(), TrackerError> {
        self.nodes.get_mut(node).ok_or(TrackerError::OutOfRange { at })?.down = down;
        Ok(())
    }

    fn container(&self, at: SimTime, container: ContainerId) -> Result<&Container, TrackerError> {
        self.containers.get(&container).ok_or(TrackerError::UnknownContainer { at, container })
    }

    fn change(&mut self, at: SimTime, id: ContainerId, phase: Phase) -> Result<(), TrackerError> {
        let Container { function, node, memory_mb, .. } = *self.container(at, id)?;
        self.put(at, id, function, node, memory_mb, phase);
        Ok(())
    }

    fn remove(&mut self, at: SimTime, id: ContainerId) -> Result<Container, TrackerError> {
        let gone = self.containers.remove(&id).ok_or(TrackerError::UnknownContainer { at, container: id })?;
        self.delist(at, id, &gone);
        Ok(gone)
    }

    /// Sets what a container does; a container that is not known yet appears.
    fn put(
        &mut self,
        at: SimTime,
        id: ContainerId,
        function: usize,
        node: usize,
        memory_mb: u32,
        phase: Phase,
    ) {
        let mut container = Container { function, node, memory_mb, phase, due: SimTime::ZERO };
        container.due = container.expected_end(&self.functions[function].estimate);
        if let Some(before) = self.containers.insert(id, container) {
            self.delist(at, id, &before);
        }
        self.enlist(at, id, &container);
    }

    fn enlist(&mut self, at: SimTime, id: ContainerId, container: &Container) {
        let &Container { function, node, memory_mb, phase, due } = container;
        if let Phase::Idle { expires, .. } = phase {
            self.nodes[node].enlist(id, expires, memory_mb);
            self.functions[function].idle += 1;
            self.warm.entry((function, node, memory_mb)).or_default().insert((expires, id));
        } else {
            self.nodes[node].bind(at, memory_mb);
            self.functions[function].busy += 1;
            self.bound_of_tenant[self.spec.functions[function].tenant as usize] += u64::from(memory_mb);
            self.busy.insert((due, id));
            self.busy_of[function].insert((due, id));
        }
    }

    fn delist(&mut self, at: SimTime, id: ContainerId, container: &Container) {
        let &Container { function, node, memory_mb, phase, due } = container;
        if let Phase::Idle { expires, .. } = phase {
            self.nodes[node].delist(id, expires, memory_mb);
            self.functions[function].idle -= 1;
            let key = (function, node, memory_mb);
            if let Some(agenda) = self.warm.get_mut(&key) {
                agenda.remove(&(expires, id));
                if agenda.is_empty() {
                    self.warm.remove(&key);
                }
            }
        } else {
            self.nodes[node].unbind(at, memory_mb);
            self.functions[function].busy -= 1;
            self.bound_of_tenant[self.spec.functions[function].tenant as usize] -= u64::from(memory_mb);
            self.busy.remove(&(due, id));
            self.busy_of[function].remove(&(due, id));
        }
    }

    /// Number of invocations that wait.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.queue.len()
    }

    /// Number of edges of the whole graph, each counted once: from a function to each node with idle containers of it, by size;
    /// from a busy container to its node and to its function; and from a waiting invocation to its function.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.warm.len() + 2 * self.busy.len() + self.queue.len()
    }
}
