//! Where an invocation starts.

mod consistent_hashing;
mod load;
mod warm;

use common::ids::NodeId;

pub use consistent_hashing::ConsistentHashing;
pub use load::{BestAligned, BestFit, EarliestFinish, Hermod, LeastLoaded, PowerOfTwo};
pub use warm::{Hiku, WaitWarm, WarmFirst};

use super::order::Candidate;
use engine::serverless::{NodeState, Placement, ServerlessView};

/// Chooses a node.
pub trait Placer: Send {
    /// Where `candidate` starts at size `size` (a place in `size_multiples`) and what that means; `None` when it is to wait.
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)>;
}

/// Share of a node's memory that starting and running containers hold: its load.
fn load(view: &ServerlessView<'_>, node: &NodeState) -> f64 {
    f64::from(node.bound_mb) / f64::from(view.spec().nodes[node.id.0 as usize].memory_mb)
}

/// The fitting node with the lowest `cost`, ties to the lowest id.
fn cheapest(
    view: &ServerlessView<'_>,
    candidate: &Candidate,
    size: usize,
    cost: impl Fn(&NodeState, &Placement) -> f64,
) -> Option<(Placement, NodeId)> {
    let mut best: Option<(f64, Placement, NodeId)> = None;
    for node in view.nodes() {
        let Some(placement) = view.placement(candidate.function, size, node.id) else { continue };
        let cost = cost(&node, &placement);
        if best.is_none_or(|(lowest, ..)| cost < lowest) {
            best = Some((cost, placement, node.id));
        }
    }
    best.map(|(_, placement, node)| (placement, node))
}
