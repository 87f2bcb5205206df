//! What can be decided at one decision.

use common::SimTime;
use common::cluster::StartOption;
use common::ids::{FunctionId, InvocationId, NodeId};

/// What an option that is no start acts upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A pending invocation, the oldest of its function.
    Invocation(InvocationId),
    /// The containers of a function.
    Function(FunctionId),
}

/// An option that is no start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OtherOption {
    /// Its way, a place in the schema's list.
    pub way: u32,
    /// What it acts upon.
    pub subject: Subject,
    /// Where; `None` for a hold, which is about no node.
    pub node: Option<NodeId>,
    /// Memory of the container that it is about, MB; 0 for a hold.
    pub memory_mb: u32,
    /// Seconds: how long something is held or kept, until a node has room, or since when a container is idle.
    pub seconds: f64,
}

/// What a policy can decide now, and what it has decided that still binds it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer<'a> {
    /// Possible starts, sorted by (invocation, size, node). They are the first options of the state, in this order.
    pub starts: &'a [StartOption],
    /// The options that follow.
    pub others: &'a [OtherOption],
    /// Functions whose invocations are held back, and until when; [`SimTime::NEVER`]: until a container falls idle.
    pub held: &'a [(FunctionId, SimTime)],
    /// Nodes that are kept for a function, and until when.
    pub kept: &'a [(FunctionId, NodeId, SimTime)],
    /// Whether *wait* may be chosen.
    pub may_wait: bool,
}

impl<'a> Offer<'a> {
    /// Starts or *wait*.
    #[must_use]
    pub fn starts(starts: &'a [StartOption]) -> Self {
        Offer { starts, may_wait: true, ..Offer::default() }
    }
}
