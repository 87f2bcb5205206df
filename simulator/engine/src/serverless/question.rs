//! What a scheduler is asked.

use common::ids::{ContainerId, FunctionId, NodeId};

/// What a scheduler is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who starts, where and with how much: `Start` or `Wait` (and `Release` from who declared that it decides pools).
    Start,
    /// How long is this container kept, which just fell idle: `KeepAlive`, or `Release`.
    KeepAlive {
        /// The container.
        container: ContainerId,
        /// Its function.
        function: FunctionId,
        /// Where it is.
        node: NodeId,
        /// Its memory, MB.
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
