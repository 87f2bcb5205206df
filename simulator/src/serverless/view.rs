//! What a scheduler sees of a cluster: specs, estimates, queues and memory; never a true duration (but see `oracle`).

use common::SimTime;
use common::cluster::{ClusterSpec, DurationEstimate, Priority, StartOption, TimedEvent};
use common::ids::{FunctionId, InvocationId, NodeId};

use super::function::MemoryShares;
use super::simulation::ServerlessSimulation;

/// An invocation that waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PendingInvocation {
    /// Which; numbers rise with arrival.
    pub id: InvocationId,
    /// Of which function.
    pub function: FunctionId,
    /// When it came.
    pub arrived: SimTime,
    /// Priority of its function.
    pub priority: Priority,
    /// Input size; 1.0 is typical.
    pub input_size: f64,
}

/// Those that wait for one function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PendingGroup {
    /// Which function.
    pub function: FunctionId,
    /// The oldest of them.
    pub oldest: InvocationId,
    /// When that one came.
    pub arrived: SimTime,
    /// How many wait.
    pub count: u32,
}

/// A worker node now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeState {
    /// Which.
    pub id: NodeId,
    /// Memory that no container holds, MB.
    pub free_mb: u32,
    /// Memory of idle containers, which can be evicted, MB.
    pub evictable_mb: u32,
    /// Memory of containers that start or run, MB.
    pub bound_mb: u32,
    /// vCPUs in use.
    pub cpu_used: f64,
    /// Bandwidth in use, Mbit/s.
    pub network_used: f64,
}

/// What a start on a node would mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The container's memory, MB.
    pub memory_mb: u32,
    /// Whether an idle container of this function and size waits there.
    pub warm: bool,
    /// Idle memory of other containers that would be evicted, MB.
    pub evicts_mb: u32,
}

/// A borrowed look at an episode.
#[derive(Clone, Copy)]
pub struct ServerlessView<'a> {
    simulation: &'a ServerlessSimulation,
}

impl<'a> ServerlessView<'a> {
    pub(super) fn new(simulation: &'a ServerlessSimulation) -> Self {
        ServerlessView { simulation }
    }

    /// Simulated time.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.simulation.now
    }

    /// The fixed part of the cluster.
    #[must_use]
    pub fn spec(&self) -> &'a ClusterSpec {
        self.simulation.workload.cluster()
    }

    /// Number of invocations that wait.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.simulation.pending.len()
    }

    /// All that wait, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = PendingInvocation> + 'a {
        let simulation = self.simulation;
        simulation.pending.iter().map(move |place| {
            let arrival = &simulation.window.arrivals[place as usize];
            PendingInvocation {
                id: InvocationId(u64::from(place)),
                function: FunctionId(arrival.function),
                arrived: arrival.at,
                priority: simulation.workload.cluster.functions[arrival.function as usize].priority,
                input_size: arrival.work.input_size,
            }
        })
    }

    /// Functions that somebody waits for, in no particular order: a rule looks at each once, not at all that wait.
    pub fn groups(&self) -> impl Iterator<Item = PendingGroup> + 'a {
        let simulation = self.simulation;
        simulation.pending.active().iter().map(move |&function| {
            let (oldest, count) = simulation.pending.head(function);
            PendingGroup {
                function: FunctionId(function),
                oldest: InvocationId(u64::from(oldest)),
                arrived: simulation.window.arrivals[oldest as usize].at,
                count,
            }
        })
    }

    /// What history says of a function's durations.
    #[must_use]
    pub fn estimate(&self, function: FunctionId) -> DurationEstimate {
        self.simulation.estimators[function.0 as usize].get()
    }

    /// The invocation of a group that is expected to be shortest, and its expected duration in seconds. From history all of a
    /// group look alike and it is the oldest; under `oracle` it is the truly shortest.
    #[must_use]
    pub fn shortest(&self, group: &PendingGroup) -> (InvocationId, f64) {
        if !self.simulation.rules.oracle {
            return (group.oldest, self.estimate(group.function).mean);
        }
        let simulation = self.simulation;
        let model = &simulation.workload.models[group.function.0 as usize];
        let truth = |place: u32| model.reference_seconds(&simulation.window.arrivals[place as usize].work);
        let line = simulation.pending.line(group.function.0).map(|place| (place, truth(place)));
        let (place, seconds) = line
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
            .expect("a group has at least one invocation");
        (InvocationId(u64::from(place)), seconds)
    }

    /// Containers of a function that start or run now.
    #[must_use]
    pub fn busy_containers(&self, function: FunctionId) -> u32 {
        self.simulation.containers.bound(function.0)
    }

    /// Idle containers of a function on a node.
    #[must_use]
    pub fn idle_containers(&self, function: FunctionId, node: NodeId) -> usize {
        self.simulation.containers.idle_count(function.0, node.0)
    }

    /// Worker nodes, by id.
    pub fn nodes(&self) -> impl Iterator<Item = NodeState> + 'a {
        let simulation = self.simulation;
        (0..simulation.workload.cluster.nodes.len() as u32).map(move |node| {
            let [cpu_used, network_used] = simulation.engine.used(node);
            NodeState {
                id: NodeId(node),
                free_mb: simulation.containers.free_mb(node),
                evictable_mb: simulation.containers.idle_mb(node),
                bound_mb: simulation.containers.bound_mb(node),
                cpu_used,
                network_used,
            }
        })
    }

    /// Largest container that fits on some node now, MB.
    #[must_use]
    pub fn largest_fit_mb(&self) -> u32 {
        self.simulation.containers.largest_fit()
    }

    /// What a start of `function` at size `size` (a place in `size_multiples`) on `node` would mean; `None` where it does
    /// not fit or the size is below the function's peak.
    #[must_use]
    pub fn placement(&self, function: FunctionId, size: usize, node: NodeId) -> Option<Placement> {
        let memory_mb = (*self.simulation.workload.sizes[function.0 as usize].get(size)?)?;
        let containers = &self.simulation.containers;
        if containers.warm(function.0, memory_mb, node.0).is_some() {
            return Some(Placement { memory_mb, warm: true, evicts_mb: 0 });
        }
        let evicts_mb = containers.evicts_mb(memory_mb, node.0)?;
        Some(Placement { memory_mb, warm: false, evicts_mb })
    }

    /// Memory of a size of a function, MB; `None` where it is below the peak.
    #[must_use]
    pub fn size_mb(&self, function: FunctionId, size: usize) -> Option<u32> {
        *self.simulation.workload.sizes[function.0 as usize].get(size)?
    }

    /// CPU and bandwidth that come with memory.
    #[must_use]
    pub fn shares(&self) -> MemoryShares {
        self.simulation.workload.shares
    }

    /// The place in `size_multiples` of a function's default size; where that is not offered, the smallest that is.
    #[must_use]
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
    pub fn events(&self) -> &'a [TimedEvent] {
        &self.simulation.events
    }
}
