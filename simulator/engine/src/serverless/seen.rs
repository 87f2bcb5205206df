//! What a scheduler sees, piece by piece.

use common::SimTime;
use common::cluster::Priority;
use common::ids::{ContainerId, FunctionId, InvocationId, NodeId};

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
    /// Whether it is up; nothing can be had of one that is down.
    pub up: bool,
    /// vCPUs in use.
    pub cpu_used: f64,
    /// Bandwidth in use, Mbit/s.
    pub network_used: f64,
}

/// A container that waits for its function's next invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleContainer {
    /// Which.
    pub id: ContainerId,
    /// Its function.
    pub function: FunctionId,
    /// Its memory, MB.
    pub memory_mb: u32,
    /// When it will go unless it is used.
    pub expires: SimTime,
}

/// Data that an invocation needs from an earlier stage of its workflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputData {
    /// Where it lies.
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
