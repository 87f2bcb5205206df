//! What a scheduler is asked.

use common::ids::{ContainerId, FunctionId, NodeId};

/// The question that a scheduler answers at a decision point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which start comes next: `Start` or `Wait`, or before it `Reserve`, `Hold` and, if the scheduler decides evictions,
    /// `Release`.
    Start,
    /// How long to keep a container that just fell idle. The answer is `KeepAlive` or `Release`.
    KeepAlive {
        /// Container that just fell idle.
        container: ContainerId,
        /// Function that the container can run.
        function: FunctionId,
        /// Node that hosts the container.
        node: NodeId,
        /// Memory of the container, MB.
        memory_mb: u32,
    },
    /// Which containers are pre-warmed and released: `PreWarm` and `Release`, until `Wait`.
    Pools,
}

impl Question {
    /// Whether that container's keep-alive is asked for.
    pub(super) fn is_about(&self, asked: ContainerId) -> bool {
        matches!(self, Question::KeepAlive { container, .. } if *container == asked)
    }
}
