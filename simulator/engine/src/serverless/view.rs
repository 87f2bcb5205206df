//! What a scheduler sees of a cluster: specs, estimates, queues and memory; never a true duration (but see `oracle`).

use common::SimTime;
use common::cluster::{ClusterSpec, DurationEstimate, StageOf, StartOption, TimedEvent};
use common::ids::{FunctionId, InvocationId, NodeId};

use super::containers::{Container, State};
use super::function::MemoryShares;
use super::question::Question;
use super::seen::{
    BusyContainer, IdleContainer, InputData, NodeState, PendingGroup, PendingInvocation, Placement,
};
use super::simulation::ServerlessSimulation;
use super::workflows::upward_ranks;

/// What a scheduler may read of an episode at a decision.
#[derive(Clone, Copy)]
pub struct ServerlessView<'a> {
    simulation: &'a ServerlessSimulation,
    /// Nodes on which nothing is offered; few.
    closed: &'a [NodeId],
}

impl ServerlessSimulation {
    /// See [`crate::Simulation::view`].
    #[must_use]
    pub fn view(&self) -> ServerlessView<'_> {
        ServerlessView { simulation: self, closed: &[] }
    }
}

impl<'a> ServerlessView<'a> {
    /// The same view without placements on `closed` nodes; the search costs as much as they are many.
    #[must_use]
    #[inline]
    pub fn without(self, closed: &'a [NodeId]) -> ServerlessView<'a> {
        ServerlessView { closed, ..self }
    }

    #[inline]
    fn is_closed(&self, node: NodeId) -> bool {
        !self.closed.is_empty() && self.closed.contains(&node)
    }

    /// Simulated time since the start of the episode.
    #[must_use]
    #[inline]
    pub fn now(&self) -> SimTime {
        self.simulation.now
    }

    /// The fixed part of the cluster.
    #[must_use]
    #[inline]
    pub fn spec(&self) -> &'a ClusterSpec {
        self.simulation.workload.cluster()
    }

    /// Number of invocations that wait.
    #[must_use]
    #[inline]
    pub fn pending_count(&self) -> usize {
        self.simulation.pending.len()
    }

    /// All that wait, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = PendingInvocation> + 'a {
        let simulation = self.simulation;
        simulation.pending.iter().map(move |place| {
            let job = simulation.jobs.get(place);
            PendingInvocation {
                id: job.id,
                function: FunctionId(job.function),
                arrived: job.arrived,
                priority: simulation.workload.cluster.functions[job.function as usize].priority,
                input_size: job.work.input_size,
            }
        })
    }

    /// What is asked now.
    #[must_use]
    #[inline]
    pub fn question(&self) -> Question {
        self.simulation.question()
    }

    /// Functions with waiting invocations, in no order. A rule looks at each function, not at each invocation.
    #[inline]
    pub fn groups(&self) -> impl Iterator<Item = PendingGroup> + 'a {
        let simulation = self.simulation;
        simulation.pending.active().iter().map(move |&function| {
            let (oldest, count) = simulation.pending.head(function);
            PendingGroup {
                function: FunctionId(function),
                oldest: simulation.jobs.get(oldest).id,
                arrived: simulation.jobs.get(oldest).arrived,
                count,
            }
        })
    }

    /// What history says of a function's durations.
    #[must_use]
    #[inline]
    pub fn estimate(&self, function: FunctionId) -> DurationEstimate {
        self.simulation.estimators[function.0 as usize].get()
    }

    /// The invocation of a group that is expected to be shortest, and its expected duration in seconds. From history all of a
    /// group look alike and it is the oldest; under `oracle` it is the truly shortest.
    ///
    /// # Panics
    /// When the group is empty; [`ServerlessView::groups`] never returns such a group.
    #[must_use]
    #[inline]
    pub fn shortest(&self, group: &PendingGroup) -> (InvocationId, f64) {
        if !self.simulation.rules.oracle {
            return (group.oldest, self.estimate(group.function).mean);
        }
        let jobs = &self.simulation.jobs;
        let line = self.simulation.pending.line(group.function.0);
        let shortest = line.map(|place| jobs.get(place)).min_by(|a, b| a.reference.total_cmp(&b.reference));
        let shortest = shortest.expect("a group has at least one invocation");
        (shortest.id, shortest.reference)
    }

    /// The place of an invocation in its workflow, if it has one and is in the system.
    #[must_use]
    pub fn stage(&self, invocation: InvocationId) -> Option<StageOf> {
        let stage = self.simulation.jobs.get(self.simulation.jobs.find(invocation)?).stage?;
        Some(self.simulation.runs.stage_of(stage))
    }

    /// Expected length of the longest path from an invocation to the end of its workflow, itself included, in seconds (HEFT's
    /// upward rank on estimates); of one that is in none, its own estimate.
    #[must_use]
    pub fn remaining_path_seconds(&self, invocation: InvocationId, function: FunctionId) -> f64 {
        let own = self.estimate(function).mean;
        let Some(StageOf { workflow, stage, .. }) = self.stage(invocation) else { return own };
        let spec = &self.spec().workflows[workflow as usize];
        let mbps = self.simulation.workload.shares.mbps_per_vcpu;
        upward_ranks(spec, |function| self.estimate(FunctionId(function)).mean, mbps)[stage as usize]
    }

    /// Time of a function's next call, for references that know the future; `None` when no call follows.
    #[must_use]
    pub fn foreseen_arrival(&self, function: FunctionId) -> Option<SimTime> {
        let times = self.simulation.foreseen.get(function.0 as usize)?;
        times.get(times.partition_point(|&at| at <= self.simulation.now)).copied()
    }

    /// Data of earlier stages that an invocation needs, and where it lies.
    pub fn inputs(&self, invocation: InvocationId) -> impl Iterator<Item = InputData> + 'a {
        let simulation = self.simulation;
        let job = simulation.jobs.find(invocation).map(|place| simulation.jobs.get(place));
        job.and_then(|job| job.stage).into_iter().flat_map(move |(run, stage)| {
            let run = simulation.runs.get(run);
            let spec = &simulation.workload.cluster.workflows[run.workflow as usize];
            let inputs = spec.stages[stage as usize].inputs.iter();
            inputs.map(move |edge| InputData { node: NodeId(run.node_of(edge)), megabits: edge.megabits })
        })
    }

    /// Number of containers of a function that start or run now.
    #[must_use]
    #[inline]
    pub fn busy_containers(&self, function: FunctionId) -> u32 {
        self.simulation.containers.bound(function.0)
    }

    /// Number of idle containers of a function on a node.
    #[must_use]
    #[inline]
    pub fn idle_containers(&self, function: FunctionId, node: NodeId) -> u32 {
        self.simulation.containers.idle_count(function.0, node.0)
    }

    /// Nodes on which a function has idle containers, in no particular order, with their number.
    #[inline]
    pub fn warm_nodes(&self, function: FunctionId) -> impl Iterator<Item = (NodeId, u32)> + 'a {
        self.simulation.containers.warm_nodes(function.0).iter().map(|warm| (NodeId(warm.node), warm.count))
    }

    /// Nodes on which a container of that function and size (a place in `size_multiples`) waits, in no particular order.
    #[inline]
    pub fn warm_placements(
        &self,
        function: FunctionId,
        size: usize,
    ) -> impl Iterator<Item = (Placement, NodeId)> + 'a {
        let containers = &self.simulation.containers;
        let memory_mb = self.size_mb(function, size);
        let view = *self;
        containers.warm_nodes(function.0).iter().filter_map(move |warm| {
            let memory_mb = memory_mb.filter(|_| !view.is_closed(NodeId(warm.node)))?;
            // Nearly always the last one used has the size that is wanted.
            let found = containers.get(warm.newest).memory_mb == memory_mb
                || containers.warm(function.0, memory_mb, warm.node).is_some();
            found.then_some((Placement { memory_mb, warm: true, evicts_mb: 0 }, NodeId(warm.node)))
        })
    }

    /// Idle containers of a node, the longest idle first.
    #[inline]
    pub fn idle_on(&self, node: NodeId) -> impl Iterator<Item = IdleContainer> + 'a {
        let containers = &self.simulation.containers;
        containers.idle_on(node.0).filter_map(|place| {
            let container = containers.get(place);
            let State::Idle { expires } = container.state else { return None };
            let function = FunctionId(container.function);
            let Container { id, memory_mb, since, .. } = *container;
            Some(IdleContainer { id, function, memory_mb, expires, since })
        })
    }

    /// Containers of a node that start cold or run, in no particular order.
    #[inline]
    pub fn busy_on(&self, node: NodeId) -> impl Iterator<Item = BusyContainer> + 'a {
        let containers = &self.simulation.containers;
        containers.busy_on(node.0).iter().map(|&place| {
            let container = containers.get(place);
            BusyContainer {
                id: container.id,
                function: FunctionId(container.function),
                memory_mb: container.memory_mb,
                since: container.since,
                starting: !container.booted,
                bound: matches!(container.state, State::Bound { .. }),
            }
        })
    }

    /// Seconds until a busy container is expected to be idle, given how long it has been busy. From estimates, also under
    /// `oracle`; the node's speed and the other containers on it are not considered.
    #[must_use]
    pub fn remaining_seconds(&self, container: &BusyContainer) -> f64 {
        let estimate = self.estimate(container.function);
        let elapsed = self.now().since(container.since).seconds();
        if !container.starting {
            return estimate.remaining(elapsed);
        }
        let runs = if container.bound { estimate.mean } else { 0.0 };
        estimate.cold_start_remaining(elapsed) + runs
    }

    /// The node with most free memory, the lowest of them; and its free memory in MB. In O(log n).
    #[must_use]
    #[inline]
    pub fn roomiest_node(&self) -> (NodeId, u32) {
        let (node, free_mb) = self.simulation.containers.roomiest();
        (NodeId(node), free_mb)
    }

    /// Memory of a node that no container holds, MB.
    #[must_use]
    #[inline]
    pub fn free_mb(&self, node: NodeId) -> u32 {
        self.simulation.containers.free_mb(node.0)
    }

    /// Memory of a node's idle containers, MB.
    #[must_use]
    #[inline]
    pub fn evictable_mb(&self, node: NodeId) -> u32 {
        self.simulation.containers.idle_mb(node.0)
    }

    /// Worker nodes, by id.
    #[inline]
    pub fn nodes(&self) -> impl Iterator<Item = NodeState> + 'a {
        let simulation = self.simulation;
        let view = *self;
        (0..simulation.workload.cluster.nodes.len() as u32).map(move |node| view.node(NodeId(node)))
    }

    /// One of them.
    #[must_use]
    #[inline]
    pub fn node(&self, node: NodeId) -> NodeState {
        let NodeId(place) = node;
        let [cpu_used, network_used] = self.simulation.execution.used(place);
        let containers = &self.simulation.containers;
        NodeState {
            id: node,
            free_mb: containers.free_mb(place),
            evictable_mb: containers.idle_mb(place),
            bound_mb: containers.bound_mb(place),
            up: containers.is_up(place),
            cpu_used,
            network_used,
        }
    }

    /// Largest container that fits on some node now, MB.
    #[must_use]
    #[inline]
    pub fn largest_fit_mb(&self) -> u32 {
        self.simulation.containers.largest_fit()
    }

    /// What a start of `function` at size `size` (a place in `size_multiples`) on `node` would mean; `None` where it does
    /// not fit or the size is below the function's peak.
    #[must_use]
    #[inline]
    pub fn placement(&self, function: FunctionId, size: usize, node: NodeId) -> Option<Placement> {
        let memory_mb = (*self.simulation.workload.sizes[function.0 as usize].get(size)?)?;
        if self.is_closed(node) {
            return None;
        }
        let containers = &self.simulation.containers;
        if containers.warm(function.0, memory_mb, node.0).is_some() {
            return Some(Placement { memory_mb, warm: true, evicts_mb: 0 });
        }
        let evicts_mb = containers.evicts_mb(function.0, memory_mb, node.0)?;
        Some(Placement { memory_mb, warm: false, evicts_mb })
    }

    /// Memory of a size of a function, MB; `None` where it is below the peak.
    #[must_use]
    #[inline]
    pub fn size_mb(&self, function: FunctionId, size: usize) -> Option<u32> {
        *self.simulation.workload.sizes[function.0 as usize].get(size)?
    }

    /// CPU and bandwidth that come with memory.
    #[must_use]
    #[inline]
    pub fn shares(&self) -> MemoryShares {
        self.simulation.workload.shares
    }

    /// The place in `size_multiples` of a function's default size; where that is not offered, the smallest that is.
    #[must_use]
    #[inline]
    pub fn default_size(&self, function: FunctionId) -> usize {
        let default = self.spec().functions[function.0 as usize].default_memory_mb;
        let sizes = &self.simulation.workload.sizes[function.0 as usize];
        let place = sizes.iter().position(|&size| size == Some(default));
        place.or_else(|| sizes.iter().position(Option::is_some)).unwrap_or(0)
    }

    /// Possible starts of the oldest pending invocation of each function, for those `window` functions that can start
    /// somewhere and whose oldest has waited longest; sorted by (invocation, size, node). Those behind it in the line of the
    /// same function look alike but for having waited less, so nothing is lost, and a burst of one function cannot
    /// hide the others. It is never empty when a decision is due and `window` is not 0.
    pub fn start_options(&self, window: usize, out: &mut Vec<StartOption>) {
        out.clear();
        let mut groups: Vec<PendingGroup> = self.groups().collect();
        groups.sort_unstable_by_key(|group| group.oldest);
        let mut shown = 0;
        for group in groups {
            if shown == window {
                break;
            }
            let before = out.len();
            self.starts_of(&group, out);
            shown += usize::from(out.len() > before);
        }
    }

    fn starts_of(&self, group: &PendingGroup, out: &mut Vec<StartOption>) {
        for size in 0..self.spec().size_multiples.len() {
            for node in (0..self.spec().nodes.len() as u32).map(NodeId) {
                let Some(placement) = self.placement(group.function, size, node) else { continue };
                out.push(StartOption {
                    invocation: group.oldest,
                    size: size as u32,
                    memory_mb: placement.memory_mb,
                    node,
                    warm: placement.warm,
                    evicts_mb: placement.evicts_mb,
                });
            }
        }
    }

    /// What happened since the last decision, where events are followed.
    #[must_use]
    #[inline]
    pub fn events(&self) -> &'a [TimedEvent] {
        &self.simulation.events
    }
}
