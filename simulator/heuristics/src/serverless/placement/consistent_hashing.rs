//! Consistent hashing with bounded loads: the invocations of a function meet on the same nodes, so that containers are found
//! warm, but no node is loaded much more than the average.

use common::ids::NodeId;

use super::super::hash::mix;
use super::super::order::Candidate;
use super::{Placer, load};
use engine::serverless::{Placement, ServerlessView};

/// Walks the ring from the function's place to the first node that has room and is not overloaded. Where all nodes with
/// room are overloaded, takes the least loaded of them.
pub struct ConsistentHashing {
    /// A node takes more while its load is at most `bound` × the average load of all (Mirrokni et al. 2018: 1 + ε).
    pub bound: f64,
    /// Largest noise, in the unit of load, on the loads that popular functions see, so that not all of them spill over
    /// to the same neighbour (the random load updates of CH-RLU, Fuerst and Sharma, HPDC 2022); 0 for CH-BL.
    pub noise: f64,
}

impl ConsistentHashing {
    fn seen_load(&self, view: &ServerlessView<'_>, candidate: &Candidate, node: NodeId) -> f64 {
        let true_load = load(view, &view.node(node));
        if self.noise == 0.0 {
            return true_load;
        }
        // Uniform in [0, 1), from the invocation and the node: popular functions draw often.
        let draw = mix(candidate.invocation.0 ^ (u64::from(node.0) << 40)) >> 11;
        true_load + self.noise * (draw as f64 / (1_u64 << 53) as f64)
    }
}

impl Placer for ConsistentHashing {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        let nodes = view.spec().nodes.len() as u64;
        let average = view.nodes().map(|node| load(view, &node)).sum::<f64>() / nodes as f64;
        let first = mix(u64::from(candidate.function.0)) % nodes;
        let mut least: Option<(f64, Placement, NodeId)> = None;
        for step in 0..nodes {
            let node = NodeId(((first + step) % nodes) as u32);
            let Some(placement) = view.placement(candidate.function, size, node) else { continue };
            let seen = self.seen_load(view, candidate, node);
            if seen <= self.bound * average {
                return Some((placement, node));
            }
            if least.is_none_or(|(lowest, ..)| seen < lowest) {
                least = Some((seen, placement, node));
            }
        }
        least.map(|(_, placement, node)| (placement, node))
    }
}
