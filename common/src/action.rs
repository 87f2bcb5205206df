//! What a scheduler can decide, as a tagged union: further kinds are added at the end.

use serde::{Deserialize, Serialize};

use crate::ids::{ContainerId, FunctionId, InvocationId, NodeId};
use crate::time::SimTime;

/// One decision of a scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Start nothing more now.
    Wait,
    /// Start an invocation on a node, in a container of a given memory size.
    Start {
        /// A pending invocation (in `slots`: a visible job).
        invocation: InvocationId,
        /// Memory of the container in MB; CPU and bandwidth shares follow it. In `slots` it is ignored.
        memory_mb: u32,
        /// Node on which it starts; in `slots` always node 0.
        node: NodeId,
    },
    /// How long a container that just fell idle is kept.
    KeepAlive {
        /// Id of the idle container.
        container: ContainerId,
        /// Time for which the container is kept, from now.
        keep_alive: SimTime,
    },
    /// Start a container of a function before it is asked for.
    PreWarm {
        /// Function that the new container can run.
        function: FunctionId,
        /// Memory of the container in MB.
        memory_mb: u32,
        /// Node on which the container starts.
        node: NodeId,
    },
    /// Let an idle container go.
    Release {
        /// Id of the idle container.
        container: ContainerId,
    },
    /// Keep a node for the function of a pending invocation until it is expected to have room: others start there only if they are
    /// expected to end before.
    Reserve {
        /// A pending invocation.
        invocation: InvocationId,
        /// Memory of the container that it is to have, MB.
        memory_mb: u32,
        /// Node that is kept for it.
        node: NodeId,
    },
    /// Leave a pending invocation, and those of its function behind it, out of what is asked about for a while.
    Hold {
        /// A pending invocation (in `slots`: a visible job).
        invocation: InvocationId,
        /// For how long.
        patience: Patience,
    },
}

/// How long an invocation is held back. A container of its function that falls idle ends it early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Patience {
    /// For this long.
    For(SimTime),
    /// Until a container of its function that starts or runs now falls idle.
    UntilOwnContainer,
}

/// The kinds of decisions that a policy can make. Each can be switched off, but for starts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Which invocation starts, with which size, on which node.
    Start,
    /// To start nothing more now.
    Wait,
    /// Which node is kept for what fits nowhere.
    Reserve,
    /// Which invocation is held back, and for how long.
    Hold,
    /// Which idle containers go before a start that needs memory.
    Evict,
    /// How long a container is kept that falls idle.
    KeepAlive,
    /// Which idle containers go, asked at ticks.
    Release,
    /// Which containers start before they are needed, asked at ticks.
    PreWarm,
}

impl ActionKind {
    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ActionKind::Start => "start",
            ActionKind::Wait => "wait",
            ActionKind::Reserve => "reserve",
            ActionKind::Hold => "hold",
            ActionKind::Evict => "evict",
            ActionKind::KeepAlive => "keep_alive",
            ActionKind::Release => "release",
            ActionKind::PreWarm => "pre_warm",
        }
    }
}
