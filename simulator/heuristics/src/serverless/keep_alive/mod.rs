//! How long containers are kept, which are evicted first, and which are pre-warmed.

mod belady;
mod fixed;
mod greedy_dual;
mod hybrid_histogram;

use common::SimTime;
use common::ids::{ContainerId, FunctionId, NodeId};

pub use belady::Belady;
pub use fixed::Fixed;
pub use greedy_dual::GreedyDual;
pub use hybrid_histogram::HybridHistogram;

use dyn_clone::DynClone;
use engine::Interests;
use engine::serverless::ServerlessView;

/// A container that just fell idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FellIdle {
    /// Id of the container.
    pub container: ContainerId,
    /// Function that the container can run.
    pub function: FunctionId,
    /// Node that hosts the container.
    pub node: NodeId,
    /// Its memory, MB.
    pub memory_mb: u32,
}

/// A container to start before an invocation needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreWarm {
    /// Function that the container can run.
    pub function: FunctionId,
    /// Place in `size_multiples`.
    pub size: usize,
}

/// Decides about the containers of one cluster.
pub trait KeepAlive: Send + DynClone {
    /// What it needs and decides.
    fn interests(&self) -> Interests;

    /// Sees what happened since the last decision, where it is interested in events.
    fn observe(&mut self, _view: &ServerlessView<'_>) {}

    /// How long a container is kept that just fell idle.
    fn keep(&mut self, view: &ServerlessView<'_>, container: &FellIdle) -> SimTime;

    /// The next container to start now, if any; asked at every tick until there is none.
    fn pre_warm(&mut self, _view: &ServerlessView<'_>) -> Option<PreWarm> {
        None
    }

    /// Which idle container of a node goes when memory is needed there; without a choice it is the longest idle.
    fn victim(&mut self, _view: &ServerlessView<'_>, _node: NodeId) -> Option<ContainerId> {
        None
    }
}

dyn_clone::clone_trait_object!(KeepAlive);
