//! Placements by load and by fit.

use common::ids::NodeId;

use super::super::alignment;
use super::super::hash::mix;
use super::super::order::Candidate;
use super::{Placer, cheapest, load};
use engine::serverless::{Placement, ServerlessView};

/// The node whose starting and running containers hold the smallest fraction of its memory.
pub struct LeastLoaded;

impl Placer for LeastLoaded {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        cheapest(view, candidate, size, |node, _| load(view, node))
    }
}

/// The less loaded of two random nodes (Mitzenmacher 2001); the least loaded of all where it fits on neither. The two are drawn
/// from the invocation's id, so an evaluation repeats.
pub struct PowerOfTwo;

impl Placer for PowerOfTwo {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        let nodes = view.spec().nodes.len() as u64;
        let draw = mix(candidate.invocation.0);
        let (one, other) = (draw % nodes, (draw >> 32) % nodes);
        [one, other]
            .into_iter()
            .filter_map(|node| {
                let node = NodeId(node as u32);
                Some((view.placement(candidate.function, size, node)?, view.node(node)))
            })
            .min_by(|(_, one), (_, other)| load(view, one).total_cmp(&load(view, other)))
            .map(|(placement, node)| (placement, node.id))
            .or_else(|| LeastLoaded.place(view, candidate, size))
    }
}

/// Where least memory is left free, so that large containers find room elsewhere; without eviction where that is possible.
pub struct BestFit;

impl Placer for BestFit {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        cheapest(view, candidate, size, |node, placement| {
            let needed = if placement.warm { 0.0 } else { f64::from(placement.memory_mb) };
            let left = f64::from(node.free_mb) - needed;
            if left >= 0.0 { left } else { 1e9 + f64::from(placement.evicts_mb) }
        })
    }
}

/// Hermod (Kaffes et al., `SoCC` 2022): while a node has CPU to spare invocations are packed, warm nodes first, then the fullest
/// that is not saturated; when all are saturated the least loaded takes the next.
pub struct Hermod;

impl Placer for Hermod {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        cheapest(view, candidate, size, |node, placement| {
            let cores = f64::from(view.spec().nodes[node.id.0 as usize].cpu_millicores) / 1000.0;
            let wanted = view.shares().vcpus(node.bound_mb + placement.memory_mb);
            match (wanted <= cores, placement.warm) {
                (true, true) => -2.0 - load(view, node),
                (true, false) => -load(view, node),
                (false, _) => 1.0 + load(view, node),
            }
        })
    }
}

/// Where the dot product of demand and free resources is largest (the placement of Tetris).
pub struct BestAligned;

impl Placer for BestAligned {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        let (_, node) = alignment::best_aligned(view, candidate.function, size)?;
        Some((view.placement(candidate.function, size, node)?, node))
    }
}

/// Where it is expected to finish first (HEFT's second half, Topcuoglu et al. 2002): cold start, data of earlier stages that lie
/// elsewhere, and the estimate at the node's speed.
pub struct EarliestFinish;

impl Placer for EarliestFinish {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        let estimate = view.estimate(candidate.function);
        cheapest(view, candidate, size, |node, placement| {
            let elsewhere = view.inputs(candidate.invocation).filter(|input| input.node != node.id);
            let megabits: f64 = elsewhere.map(|input| input.megabits).sum();
            let cold = if placement.warm { 0.0 } else { estimate.cold_start };
            let speed = view.spec().nodes[node.id.0 as usize].speed;
            cold + megabits / view.shares().mbps(placement.memory_mb) + estimate.mean / speed
        })
    }
}
