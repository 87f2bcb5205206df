//! Follows a cluster by its events. The time per event grows at most with the logarithm of the number of containers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::SimTime;
use common::cluster::{ClusterEvent, ClusterSpec, DurationEstimate, TimedEvent};
use common::ids::{ContainerId, InvocationId};

/// Time constants over which arrival rates are averaged, seconds.
pub(super) const ARRIVAL_WINDOWS: [f64; 4] = [1.0, 10.0, 60.0, 600.0];
/// Weight of a new observation in the moving averages over starts and arrival gaps, a fraction.
const START_WEIGHT: f64 = 0.05;

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
    /// An event names a function or node that the cluster does not have.
    #[error("an event at {at} names a function or node that the cluster does not have")]
    OutOfRange {
        /// Simulated time of the event.
        at: SimTime,
    },
}

/// An average rate of events that decays exponentially from the last event on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct DecayingRate {
    value: f64,
    at: SimTime,
}

impl DecayingRate {
    /// Events a second, averaged over about `window` seconds.
    pub(super) fn value(&self, now: SimTime, window: f64) -> f64 {
        self.value * (-now.since(self.at).seconds() / window).exp()
    }

    fn add(&mut self, now: SimTime, window: f64) {
        self.value = self.value(now, window) + 1.0 / window;
        self.at = now;
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FunctionState {
    pub(super) estimate: DurationEstimate,
    pub(super) arrivals: [DecayingRate; ARRIVAL_WINDOWS.len()],
    pub(super) last_arrival: Option<SimTime>,
    /// Moving mean (seconds) and mean square (seconds²) of the gaps between arrivals.
    pub(super) gap: [f64; 2],
    /// Fraction of recent starts that were cold, 0–1.
    pub(super) cold_share: f64,
    pub(super) pending: u32,
    pub(super) busy: u32,
    pub(super) idle: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct NodeState {
    /// Memory of containers that start or run, MB.
    pub(super) bound_mb: u32,
    /// Memory of idle containers, MB.
    pub(super) idle_mb: u32,
    pub(super) busy: u32,
    pub(super) idle: u32,
    /// The node has failed; nothing can start on it.
    pub(super) down: bool,
    /// Rate of container starts, averaged over about 60 seconds.
    pub(super) starts: DecayingRate,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) function: usize,
    pub(super) arrived: SimTime,
    pub(super) input_size: f64,
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    Starting {
        since: SimTime,
        work: Pending,
    },
    /// The container starts in advance, without an invocation.
    Warming {
        since: SimTime,
    },
    Busy {
        since: SimTime,
        work: Pending,
    },
    Idle {
        expires: SimTime,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Container {
    pub(super) function: usize,
    pub(super) node: usize,
    pub(super) memory_mb: u32,
    pub(super) phase: Phase,
}

impl Container {
    /// Seconds until the container is expected to fall idle, given how long it has been busy; `None` when it is idle.
    pub(super) fn remaining(&self, estimate: &DurationEstimate, now: SimTime) -> Option<f64> {
        match self.phase {
            Phase::Starting { since, .. } => {
                Some(estimate.cold_start_remaining(now.since(since).seconds()) + estimate.mean)
            }
            Phase::Warming { since } => Some(estimate.cold_start_remaining(now.since(since).seconds())),
            Phase::Busy { since, .. } => Some(estimate.remaining(now.since(since).seconds())),
            Phase::Idle { .. } => None,
        }
    }
}

/// Idle containers of one function on one node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct IdleGroup {
    pub(super) count: u32,
    pub(super) first_expiry: SimTime,
}

/// The visible state of a cluster, kept up to date from its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerlessGraph {
    pub(super) spec: ClusterSpec,
    pub(super) functions: Vec<FunctionState>,
    pub(super) nodes: Vec<NodeState>,
    waiting: HashMap<InvocationId, Pending>,
    /// Containers in the order of their ids, so that states do not depend on hashing.
    containers: BTreeMap<ContainerId, Container>,
    /// Idle containers by (function, node), those that expire first at the front.
    idle: BTreeMap<(usize, usize), BTreeSet<(SimTime, ContainerId)>>,
    pub(super) arrivals: [DecayingRate; ARRIVAL_WINDOWS.len()],
    /// Fraction of recent starts in the whole cluster that were cold, 0–1.
    pub(super) cold_share: f64,
}

impl ServerlessGraph {
    /// A cluster in which nothing has happened yet.
    #[must_use]
    pub fn new(spec: &ClusterSpec) -> Self {
        let state =
            |estimate: &DurationEstimate| FunctionState { estimate: *estimate, ..FunctionState::default() };
        ServerlessGraph {
            functions: spec.estimates.iter().map(state).collect(),
            nodes: vec![NodeState::default(); spec.nodes.len()],
            spec: spec.clone(),
            ..ServerlessGraph::default()
        }
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
            ClusterEvent::Arrived { invocation, function, input_size, .. } => {
                let function = function.0 as usize;
                let state = self.functions.get_mut(function).ok_or(TrackerError::OutOfRange { at })?;
                state.arrive(at);
                let rates = self.arrivals.iter_mut().zip(ARRIVAL_WINDOWS);
                rates.for_each(|(rate, window)| rate.add(at, window));
                self.waiting.insert(*invocation, Pending { function, arrived: at, input_size: *input_size });
                Ok(())
            }
            ClusterEvent::Started { invocation, container, node, memory_mb, cold } => {
                let unknown = TrackerError::UnknownInvocation { at, invocation: *invocation };
                let work = self.waiting.remove(invocation).ok_or(unknown)?;
                self.start(at, *container, node.0 as usize, *memory_mb, *cold, work)
            }
            ClusterEvent::Ready { container, expires } => self.ready(at, *container, *expires),
            ClusterEvent::Finished { container, expires, estimate, .. } => {
                let found = self.container_mut(at, *container)?;
                let function = found.function;
                self.functions[function].estimate = *estimate;
                self.fall_idle(at, *container, *expires)
            }
            ClusterEvent::PreWarmed { container, function, node, memory_mb } => {
                self.pre_warm(at, *container, function.0 as usize, node.0 as usize, *memory_mb)
            }
            ClusterEvent::KeptAlive { container, expires } => {
                self.delist(*container);
                let found = self.container_mut(at, *container)?;
                found.phase = Phase::Idle { expires: *expires };
                let (function, node) = (found.function, found.node);
                self.enlist(*container, function, node, *expires);
                Ok(())
            }
            ClusterEvent::Interrupted { invocation, container } => {
                let gone = self.remove(at, *container)?;
                if let Phase::Starting { work, .. } | Phase::Busy { work, .. } = gone.phase {
                    self.functions[gone.function].pending += 1;
                    self.waiting.insert(*invocation, work);
                }
                Ok(())
            }
            ClusterEvent::Rebound { from, to, .. } => self.rebind(at, *from, *to),
            ClusterEvent::NodeDown { node } => self.set_down(at, node.0 as usize, true),
            ClusterEvent::NodeUp { node } => self.set_down(at, node.0 as usize, false),
            ClusterEvent::Gone { container, .. } => self.remove(at, *container).map(|_| ()),
        }
    }

    fn ready(
        &mut self,
        at: SimTime,
        container: ContainerId,
        expires: Option<SimTime>,
    ) -> Result<(), TrackerError> {
        let found = self.container_mut(at, container)?;
        if let Phase::Starting { work, .. } = found.phase {
            found.phase = Phase::Busy { since: at, work };
        }
        expires.map_or(Ok(()), |expires| self.fall_idle(at, container, expires))
    }

    fn fall_idle(
        &mut self,
        at: SimTime,
        container: ContainerId,
        expires: SimTime,
    ) -> Result<(), TrackerError> {
        let found = self.container_mut(at, container)?;
        found.phase = Phase::Idle { expires };
        let Container { function, node, memory_mb, .. } = *found;
        self.enlist(container, function, node, expires);
        let (function, node) = (&mut self.functions[function], &mut self.nodes[node]);
        function.busy = function.busy.saturating_sub(1);
        function.idle += 1;
        node.fall_idle(memory_mb);
        Ok(())
    }

    fn pre_warm(
        &mut self,
        at: SimTime,
        container: ContainerId,
        function: usize,
        node: usize,
        memory_mb: u32,
    ) -> Result<(), TrackerError> {
        let state = self.functions.get_mut(function).ok_or(TrackerError::OutOfRange { at })?;
        self.nodes.get_mut(node).ok_or(TrackerError::OutOfRange { at })?.bind_new(memory_mb);
        state.busy += 1;
        let phase = Phase::Warming { since: at };
        self.containers.insert(container, Container { function, node, memory_mb, phase });
        Ok(())
    }

    fn set_down(&mut self, at: SimTime, node: usize, down: bool) -> Result<(), TrackerError> {
        self.nodes.get_mut(node).ok_or(TrackerError::OutOfRange { at })?.down = down;
        Ok(())
    }

    fn start(
        &mut self,
        at: SimTime,
        container: ContainerId,
        node: usize,
        memory_mb: u32,
        cold: bool,
        work: Pending,
    ) -> Result<(), TrackerError> {
        self.delist(container);
        let function = &mut self.functions[work.function];
        let state = self.nodes.get_mut(node).ok_or(TrackerError::OutOfRange { at })?;
        function.pending = function.pending.saturating_sub(1);
        function.busy += 1;
        if cold {
            state.bind_new(memory_mb);
        } else {
            function.idle = function.idle.saturating_sub(1);
            state.bind_idle(memory_mb);
        }
        state.starts.add(at, 60.0);
        let observed = f64::from(u8::from(cold));
        function.cold_share += START_WEIGHT * (observed - function.cold_share);
        self.cold_share += START_WEIGHT * (observed - self.cold_share);
        let phase = if cold { Phase::Starting { since: at, work } } else { Phase::Busy { since: at, work } };
        self.containers.insert(container, Container { function: work.function, node, memory_mb, phase });
        Ok(())
    }

    /// The invocation of the starting container `from` moves to `to`, which is idle or starts for another one.
    fn rebind(&mut self, at: SimTime, from: ContainerId, to: ContainerId) -> Result<(), TrackerError> {
        let Phase::Starting { since, work } = self.container_mut(at, from)?.phase else {
            return Err(TrackerError::UnknownContainer { at, container: from });
        };
        // Its place among the idle is found by its phase.
        self.delist(to);
        let found = self.container_mut(at, to)?;
        let (node, memory_mb, before) = (found.node, found.memory_mb, found.phase);
        let left = match before {
            Phase::Starting { since: own, work: other } => {
                found.phase = Phase::Starting { since: own, work };
                Phase::Starting { since, work: other }
            }
            _ => {
                found.phase = Phase::Busy { since: at, work };
                let function = &mut self.functions[work.function];
                function.idle = function.idle.saturating_sub(1);
                function.busy += 1;
                self.nodes[node].bind_idle(memory_mb);
                Phase::Warming { since }
            }
        };
        self.container_mut(at, from)?.phase = left;
        Ok(())
    }

    fn remove(&mut self, at: SimTime, container: ContainerId) -> Result<Container, TrackerError> {
        self.delist(container);
        let gone =
            self.containers.remove(&container).ok_or(TrackerError::UnknownContainer { at, container })?;
        let (function, node) = (&mut self.functions[gone.function], &mut self.nodes[gone.node]);
        if matches!(gone.phase, Phase::Idle { .. }) {
            function.idle = function.idle.saturating_sub(1);
            node.drop_idle(gone.memory_mb);
        } else {
            function.busy = function.busy.saturating_sub(1);
            node.drop_busy(gone.memory_mb);
        }
        Ok(gone)
    }

    fn container_mut(&mut self, at: SimTime, container: ContainerId) -> Result<&mut Container, TrackerError> {
        self.containers.get_mut(&container).ok_or(TrackerError::UnknownContainer { at, container })
    }

    pub(super) fn pending(&self, invocation: InvocationId) -> Option<&Pending> {
        self.waiting.get(&invocation)
    }

    pub(super) fn all_pending(&self) -> impl Iterator<Item = &Pending> {
        self.waiting.values()
    }

    pub(super) fn all_containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.values()
    }

    /// Number of invocations that wait.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.waiting.len()
    }

    /// (function, node, group) of all idle containers, by function and node.
    pub(super) fn idle_groups(&self) -> impl Iterator<Item = (usize, usize, IdleGroup)> {
        self.idle.iter().map(|(&(function, node), containers)| {
            let first_expiry = containers.first().map_or(SimTime::ZERO, |(expires, _)| *expires);
            (function, node, IdleGroup { count: containers.len() as u32, first_expiry })
        })
    }

    /// Number of edges of the whole graph, each counted once: from a function to each node with idle containers of it,
    /// from a busy container to its node and to its function, and from a waiting invocation to its function.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        let idle: usize = self.functions.iter().map(|function| function.idle as usize).sum();
        self.idle.len() + 2 * (self.containers.len() - idle) + self.waiting.len()
    }

    fn enlist(&mut self, id: ContainerId, function: usize, node: usize, expires: SimTime) {
        self.idle.entry((function, node)).or_default().insert((expires, id));
    }

    /// Removes an idle container from its group; does nothing for a container that is not idle.
    fn delist(&mut self, id: ContainerId) {
        let Some(Container { function, node, phase: Phase::Idle { expires }, .. }) = self.containers.get(&id)
        else {
            return;
        };
        let key = (*function, *node);
        if let Some(group) = self.idle.get_mut(&key) {
            group.remove(&(*expires, id));
            if group.is_empty() {
                self.idle.remove(&key);
            }
        }
    }

    /// Busy containers with the seconds until each is expected to fall idle, in ascending order of these.
    pub(super) fn busy(&self, now: SimTime) -> Vec<(f64, &Container)> {
        let mut busy: Vec<(f64, &Container)> = self
            .containers
            .values()
            .filter_map(|container| {
                let estimate = &self.functions[container.function].estimate;
                Some((container.remaining(estimate, now)?, container))
            })
            .collect();
        // The sort is stable and the containers come in the order of their ids, so equal times give a fixed order.
        busy.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        busy
    }
}

impl FunctionState {
    fn arrive(&mut self, at: SimTime) {
        self.arrivals.iter_mut().zip(ARRIVAL_WINDOWS).for_each(|(rate, window)| rate.add(at, window));
        if let Some(last) = self.last_arrival {
            let gap = at.since(last).seconds();
            let [mean, square] = &mut self.gap;
            *mean += START_WEIGHT * (gap - *mean);
            *square += START_WEIGHT * (gap * gap - *square);
        }
        self.last_arrival = Some(at);
        self.pending += 1;
    }

    /// Coefficient of variation of the gaps between arrivals, no unit; 0 before the second arrival.
    pub(super) fn gap_variation(&self) -> f64 {
        let [mean, square] = self.gap;
        if mean <= 0.0 { 0.0 } else { (square - mean * mean).max(0.0).sqrt() / mean }
    }
}

impl NodeState {
    fn bind_new(&mut self, memory_mb: u32) {
        self.bound_mb += memory_mb;
        self.busy += 1;
    }

    fn bind_idle(&mut self, memory_mb: u32) {
        self.bind_new(memory_mb);
        self.drop_idle(memory_mb);
    }

    fn fall_idle(&mut self, memory_mb: u32) {
        self.drop_busy(memory_mb);
        self.idle_mb += memory_mb;
        self.idle += 1;
    }

    fn drop_idle(&mut self, memory_mb: u32) {
        self.idle_mb = self.idle_mb.saturating_sub(memory_mb);
        self.idle = self.idle.saturating_sub(1);
    }

    fn drop_busy(&mut self, memory_mb: u32) {
        self.bound_mb = self.bound_mb.saturating_sub(memory_mb);
        self.busy = self.busy.saturating_sub(1);
    }
}
