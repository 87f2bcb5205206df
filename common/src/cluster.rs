//! The events of a serverless cluster: enough to rebuild its visible state, whether a simulator or a real platform sends them.
//! They hold nothing that a scheduler may not know: estimates come from history.

use serde::{Deserialize, Serialize};

use crate::ids::{ContainerId, FunctionId, InvocationId, NodeId};
use crate::time::SimTime;

/// A worker node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// CPU in thousandths of a vCPU.
    pub cpu_millicores: u32,
    /// Memory in MB.
    pub memory_mb: u32,
    /// Network bandwidth in Mbit/s.
    pub network_mbps: u32,
    /// Speed factor against the reference machine.
    pub speed: f64,
    /// Multiplies the price of what runs here.
    #[serde(default = "usual_price")]
    pub price_class: f64,
    /// Zone, a place in the latency matrix.
    #[serde(default)]
    pub zone: u32,
}

/// Price class of a node that names none.
#[must_use]
pub fn usual_price() -> f64 {
    1.0
}

/// Priority class of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// It may wait.
    Low,
    /// Normal priority, the default.
    #[default]
    Normal,
    /// It should not wait.
    High,
}

/// What a platform knows of a function before it ever ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionSpec {
    /// Name, unique in the workload.
    pub name: String,
    /// Application that it belongs to, a running number.
    pub application: u32,
    /// The tenant that owns it, a running number: fairness is between tenants.
    pub tenant: u32,
    /// Memory of its containers where the scheduler decides no size, MB.
    pub default_memory_mb: u32,
    /// Memory that it needs at least, MB; smaller sizes are masked.
    pub peak_memory_mb: u32,
    /// Priority class of all invocations of the function.
    pub priority: Priority,
    /// An objective is violated when latency > this × p95 of the reference duration.
    pub slo_factor: f64,
    /// Functions of different tags must not share a node, where isolation is enforced.
    pub isolation_tag: u32,
    /// Runtime, a place in the list of cold-start distributions.
    pub runtime: u32,
}

/// A workflow: functions that wait for each other's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSpec {
    /// Name, unique in the workload.
    pub name: String,
    /// Stages in topological order: inputs come from earlier ones.
    pub stages: Vec<StageSpec>,
    /// The objective is violated when the end-to-end latency exceeds this × the critical path of reference durations.
    pub slo_factor: f64,
}

/// One stage of a workflow; it becomes pending when all its inputs have finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageSpec {
    /// The function that runs.
    pub function: FunctionId,
    /// The inputs that it waits for.
    pub inputs: Vec<DataEdge>,
}

/// Data that one stage hands to another. It costs bandwidth unless both run on one node.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataEdge {
    /// The producing stage, an earlier place in the list.
    pub from: u32,
    /// Size in Mbit.
    pub megabits: f64,
}

/// An invocation's place in a running workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageOf {
    /// Counts workflow arrivals of the episode.
    pub run: u64,
    /// The workflow, a place in [`ClusterSpec::workflows`].
    pub workflow: u32,
    /// Index of the stage in the workflow.
    pub stage: u32,
}

/// Past durations of a function, warm, at its default size on a reference machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DurationEstimate {
    /// Mean duration, seconds.
    pub mean: f64,
    /// 95th percentile, seconds.
    pub p95: f64,
    /// Standard deviation, seconds.
    pub deviation: f64,
    /// Mean cold-start time, seconds.
    pub cold_start: f64,
}

/// Why a container was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GoneReason {
    /// Its keep-alive time ended.
    Expired,
    /// Its memory was needed.
    Evicted,
    /// A scheduler released it.
    Released,
    /// Its node failed.
    NodeFailed,
}

/// Something that happened in the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ClusterEvent {
    /// An invocation arrived and is pending.
    Arrived {
        /// Id of the invocation.
        invocation: InvocationId,
        /// Function that is called.
        function: FunctionId,
        /// Input size, 1.0 is typical.
        input_size: f64,
        /// Its place in a workflow, where it is part of one.
        stage: Option<StageOf>,
    },
    /// A pending invocation was bound to a container.
    Started {
        /// Id of the invocation.
        invocation: InvocationId,
        /// Container that runs the invocation.
        container: ContainerId,
        /// Node that hosts the container.
        node: NodeId,
        /// The container's memory, MB.
        memory_mb: u32,
        /// Whether it waits for a cold start first.
        cold: bool,
    },
    /// A cold container became ready: its invocation begins to run, or it falls idle where it was pre-warmed.
    Ready {
        /// Id of the container.
        container: ContainerId,
        /// When it will be removed unless it is used, where it was pre-warmed.
        expires: Option<SimTime>,
    },
    /// An invocation finished; its container fell idle.
    Finished {
        /// Id of the invocation.
        invocation: InvocationId,
        /// Its container, idle now.
        container: ContainerId,
        /// When the container will be removed unless it is used.
        expires: SimTime,
        /// The estimate for its function, this observation included.
        estimate: DurationEstimate,
    },
    /// A container was started before an invocation needed it.
    PreWarmed {
        /// Id of the container.
        container: ContainerId,
        /// Function that the container can run.
        function: FunctionId,
        /// Node that hosts the container.
        node: NodeId,
        /// Its memory, MB.
        memory_mb: u32,
    },
    /// An idle container's keep-alive was decided.
    KeptAlive {
        /// Id of the container.
        container: ContainerId,
        /// When it will be removed unless it is used.
        expires: SimTime,
    },
    /// A node failed while it ran an invocation: the container is gone, and the invocation is pending again.
    Interrupted {
        /// Id of the invocation.
        invocation: InvocationId,
        /// The container that is gone.
        container: ContainerId,
    },
    /// A node failed; its containers are gone already.
    NodeDown {
        /// Id of the node.
        node: NodeId,
    },
    /// Late binding: an invocation whose container still starts moved to another one of its function that is ready. An
    /// invocation that the other one was started for takes the first container in exchange; else that one goes on starting,
    /// for no invocation.
    Rebound {
        /// Id of the invocation.
        invocation: InvocationId,
        /// Its function.
        function: FunctionId,
        /// The container that starts.
        from: ContainerId,
        /// The container in which the invocation runs now.
        to: ContainerId,
    },
    /// A node came back, empty.
    NodeUp {
        /// Id of the node.
        node: NodeId,
    },
    /// A container was removed.
    Gone {
        /// Id of the container.
        container: ContainerId,
        /// Why the container was removed.
        reason: GoneReason,
    },
}

/// A [`ClusterEvent`] with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimedEvent {
    /// Simulated time of the event.
    pub at: SimTime,
    /// What happened.
    pub event: ClusterEvent,
}

/// The fixed part of a cluster: what an observer needs before the first event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Worker nodes, by [`NodeId`].
    pub nodes: Vec<NodeSpec>,
    /// Functions, by [`FunctionId`].
    pub functions: Vec<FunctionSpec>,
    /// Workflows made of these functions.
    pub workflows: Vec<WorkflowSpec>,
    /// Estimates of each function when the episode starts.
    pub estimates: Vec<DurationEstimate>,
    /// The sizes that a scheduler may choose from, as multiples of a function's default memory, ascending.
    pub size_multiples: Vec<f64>,
}

/// A start that is possible now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StartOption {
    /// A pending invocation.
    pub invocation: InvocationId,
    /// Place in [`ClusterSpec::size_multiples`].
    pub size: u32,
    /// The container's memory, MB.
    pub memory_mb: u32,
    /// Node that would host the container.
    pub node: NodeId,
    /// Whether an idle container of this function and size waits there.
    pub warm: bool,
    /// Idle memory of other containers that would be evicted, MB.
    pub evicts_mb: u32,
}
