//! The plain values that a view hands to a scheduler.

use common::SimTime;
use common::cluster::Priority;
use common::ids::{ContainerId, FunctionId, InvocationId, NodeId};

/// An invocation that waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PendingInvocation {
    /// Its number; numbers rise with arrival.
    pub id: InvocationId,
    /// The function that it calls.
    pub function: FunctionId,
    /// When it arrived.
    pub arrived: SimTime,
    /// Priority of its function.
    pub priority: Priority,
    /// Input size; 1.0 is typical.
    pub input_size: f64,
}

/// The waiting invocations of one function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Function that all invocations of the line call.
    pub function: FunctionId,
    /// The one that arrived first.
    pub oldest: InvocationId,
    /// When that one arrived.
    pub arrived: SimTime,
    /// Number of waiting invocations, at least 1.
    pub count: u32,
}

/// A worker node at the moment of the decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeState {
    /// Its number, which is its place in the cluster's list of nodes.
    pub id: NodeId,
    /// Memory that no container holds, MB.
    pub free_mb: u32,
    /// Memory of idle containers, which can be evicted, MB.
    pub evictable_mb: u32,
    /// Memory of containers that start or run, MB.
    pub bound_mb: u32,
    /// Whether it is up; nothing can start on a node that is down.
    pub up: bool,
    /// vCPUs in use, at most those of the node.
    pub cpu_used: f64,
    /// Bandwidth in use, Mbit/s.
    pub network_used: f64,
}

/// A container that is kept warm for its function's next invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleContainer {
    /// Id of the container.
    pub id: ContainerId,
    /// The function that it can run.
    pub function: FunctionId,
    /// Its memory, MB.
    pub memory_mb: u32,
    /// When it is removed unless it is used before.
    pub expires: SimTime,
    /// Since when it has been idle.
    pub since: SimTime,
}

/// A container that starts cold or runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyContainer {
    /// Its id.
    pub id: ContainerId,
    /// Function that the container can run.
    pub function: FunctionId,
    /// Memory of the container, MB.
    pub memory_mb: u32,
    /// When its cold start began, while it starts; else when its invocation began.
    pub since: SimTime,
    /// Whether it is still starting.
    pub starting: bool,
    /// Whether an invocation runs in it, or will once the cold start is over; else it is pre-warmed.
    pub bound: bool,
}

/// Data that an invocation needs from an earlier stage of its workflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputData {
    /// The node that holds it.
    pub node: NodeId,
    /// Its size, Mbit.
    pub megabits: f64,
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
