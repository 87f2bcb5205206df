//! How well a demand aligns with what is free: the dot product of both, as fractions of a node's capacity.

use common::cluster::NodeSpec;
use common::ids::{FunctionId, NodeId};

use engine::serverless::{NodeState, ServerlessView};

/// CPU, memory and network as fractions of a node's capacity.
type Fractions = [f64; 3];

/// The largest alignment of `function` at size `size` over the nodes that it fits on, and the lowest such node.
pub(super) fn best_aligned(
    view: &ServerlessView<'_>,
    function: FunctionId,
    size: usize,
) -> Option<(f64, NodeId)> {
    let specs = &view.spec().nodes;
    let mut best: Option<(f64, NodeId)> = None;
    for node in view.nodes() {
        let Some(placement) = view.placement(function, size, node.id) else { continue };
        let spec = &specs[node.id.0 as usize];
        let (free, demand) = (free(&node, spec), demand(view, placement.memory_mb, spec));
        let alignment: f64 = free.iter().zip(demand).map(|(free, demand)| free * demand).sum();
        if best.is_none_or(|(highest, _)| alignment > highest) {
            best = Some((alignment, node.id));
        }
    }
    best
}

/// The largest alignment of `function` at size `size` with a node on which nothing runs; `None` where it is larger than all.
pub(super) fn when_empty(view: &ServerlessView<'_>, function: FunctionId, size: usize) -> Option<f64> {
    let memory_mb = view.size_mb(function, size)?;
    let large_enough = view.spec().nodes.iter().filter(|spec| spec.memory_mb >= memory_mb);
    large_enough.map(|spec| demand(view, memory_mb, spec).iter().sum()).max_by(f64::total_cmp)
}

/// What is free on a node: idle containers do not count as taken, they can be evicted.
fn free(node: &NodeState, spec: &NodeSpec) -> Fractions {
    [
        1.0 - node.cpu_used * 1000.0 / f64::from(spec.cpu_millicores),
        1.0 - f64::from(node.bound_mb) / f64::from(spec.memory_mb),
        1.0 - node.network_used / f64::from(spec.network_mbps),
    ]
}

fn demand(view: &ServerlessView<'_>, memory_mb: u32, spec: &NodeSpec) -> Fractions {
    let shares = view.shares();
    [
        shares.vcpus(memory_mb) * 1000.0 / f64::from(spec.cpu_millicores),
        f64::from(memory_mb) / f64::from(spec.memory_mb),
        shares.mbps(memory_mb) / f64::from(spec.network_mbps),
    ]
}
