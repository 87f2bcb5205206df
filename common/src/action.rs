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
}
