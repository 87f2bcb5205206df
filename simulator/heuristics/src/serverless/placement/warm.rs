//! Placements that look for a warm container first.

use std::cmp::Reverse;

use common::ids::{FunctionId, NodeId};

use super::super::order::Candidate;
use super::{Placer, cheapest, load};
use engine::serverless::{Placement, ServerlessView};

/// Where a container waits for the function, else where most memory is free, ties to the lowest id. Where something must be
/// evicted, and among nodes with containers that wait: most free memory, then most evictable, then the lowest id.
pub struct WarmFirst;

impl Placer for WarmFirst {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        warm_then_roomy(view, candidate.function, size)
    }
}

/// `WarmFirst`, but no start that evicts another function's container while one of the own may come free, until the job has
/// waited `patience` × its estimate.
pub struct WaitWarm {
    /// Longest wait for a warm container, as a multiple of the job's estimate.
    pub patience: f64,
}

impl Placer for WaitWarm {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        let found = warm_then_roomy(view, candidate.function, size)?;
        let waited = view.now().since(candidate.arrived).seconds();
        let patient = waited < self.patience * view.estimate(candidate.function).mean;
        let waits = patient && found.0.evicts_mb > 0 && view.busy_containers(candidate.function) > 0;
        (!waits).then_some(found)
    }
}

/// Hiku (Akbari and Hauswirth 2025): nodes with an idle container of the function pull its next invocation, the least loaded of
/// them first; where there is none it goes to the least loaded node.
pub struct Hiku;

impl Placer for Hiku {
    fn place(
        &self,
        view: &ServerlessView<'_>,
        candidate: &Candidate,
        size: usize,
    ) -> Option<(Placement, NodeId)> {
        let warm = view
            .warm_placements(candidate.function, size)
            .map(|(placement, node)| (placement, view.node(node)))
            .min_by(|(_, one), (_, other)| {
                load(view, one).total_cmp(&load(view, other)).then(one.id.cmp(&other.id))
            })
            .map(|(placement, node)| (placement, node.id));
        warm.or_else(|| cheapest(view, candidate, size, |node, _| load(view, node)))
    }
}

pub(crate) fn warm_then_roomy(
    view: &ServerlessView<'_>,
    function: FunctionId,
    size: usize,
) -> Option<(Placement, NodeId)> {
    let room = |node: NodeId| (view.free_mb(node), view.evictable_mb(node), Reverse(node));
    let mut warmest = None;
    for found in view.warm_placements(function, size) {
        let here = room(found.1);
        if warmest.is_none_or(|(most, _)| here > most) {
            warmest = Some((here, found));
        }
    }
    if let Some((_, found)) = warmest {
        return Some(found);
    }
    // Where memory is free for it nothing is evicted: no other node can be better than the roomiest.
    let (node, free_mb) = view.roomiest_node();
    if view.size_mb(function, size).is_some_and(|wanted| wanted <= free_mb)
        && let Some(placement) = view.placement(function, size, node)
    {
        return Some((placement, node));
    }
    view.nodes()
        .filter_map(|node| Some((view.placement(function, size, node.id)?, node.id)))
        .max_by_key(|(_, node)| room(*node))
}
