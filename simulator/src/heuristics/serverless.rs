//! The rules of scenario `serverless`: which waiting invocation, and where; always at the default size.

use std::cmp::Reverse;

use common::cluster::NodeSpec;
use common::ids::{FunctionId, InvocationId, NodeId};
use common::{Action, Decision};

use super::{knob, wrong_scenario};
use crate::error::SchedulerError;
use crate::scheduler::{ClusterView, DecisionRequest, Scheduler};
use crate::serverless::{NodeState, PendingGroup, Placement, ServerlessView};

/// Names that [`by_name`] knows.
pub(super) const NAMES: &[&str] =
    &["fcfs", "sjf", "packer", "tetris", "tetris_kX", "wait_warm", "wait_warm_X"];

/// Knob of Tetris: the best of 0.1, 0.5, 0.9 and 0.99 on validation episodes of the Azure sample, where it hardly matters.
const TETRIS_KNOB: f64 = 0.5;
/// Share of its estimate that a job waits for a warm container.
const WAIT_WARM: f64 = 0.5;
/// Estimates are taken for at least this, seconds, where they divide.
const SHORTEST_ESTIMATE: f64 = 0.001;

/// What a rule prefers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// Arrival order, skipping what does not fit.
    Fcfs,
    /// Shortest estimate first.
    Sjf,
    /// Largest alignment of demand and free resources over invocation and node.
    Packer,
    /// Alignment weighted by the knob, shortness by the rest.
    Tetris(f64),
    /// Shortest first, but no start that evicts another function's container while one of its own may come free, until
    /// the job has waited so many times its estimate.
    WaitWarm(f64),
}

struct ServerlessHeuristic {
    name: String,
    rule: Rule,
}

/// The rule of that name.
pub(super) fn by_name(name: &str) -> Option<Box<dyn Scheduler>> {
    let rule = match name {
        "fcfs" => Rule::Fcfs,
        "sjf" => Rule::Sjf,
        "packer" => Rule::Packer,
        "tetris" => Rule::Tetris(TETRIS_KNOB),
        "wait_warm" => Rule::WaitWarm(WAIT_WARM),
        _ => knob(name, "tetris_k")
            .filter(|&k| k <= 1.0)
            .map(Rule::Tetris)
            .or_else(|| knob(name, "wait_warm_").map(Rule::WaitWarm))?,
    };
    Some(Box::new(ServerlessHeuristic { name: name.to_owned(), rule }))
}

impl Scheduler for ServerlessHeuristic {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(
        &mut self,
        requests: &[DecisionRequest<'_>],
        decisions: &mut Vec<Decision>,
    ) -> Result<(), SchedulerError> {
        for request in requests {
            let ClusterView::Serverless(view) = request.view else {
                return Err(wrong_scenario(&self.name, &request.view));
            };
            decisions.push(Decision::certain(self.rule.choose(&view)));
        }
        Ok(())
    }
}

/// A start that a rule considers.
#[derive(Clone, Copy)]
struct Start {
    invocation: InvocationId,
    placement: Placement,
    node: NodeId,
}

impl Rule {
    /// What the rule does now.
    pub(crate) fn choose(self, view: &ServerlessView<'_>) -> Action {
        let start = match self {
            Rule::Fcfs => in_order(view, |group| (0.0, group.oldest)),
            Rule::Sjf => in_order(view, |group| shortest_first(view, group)),
            Rule::WaitWarm(share) => shortest_unless_warm_comes(view, share),
            Rule::Packer => best_aligned(view, 1.0),
            Rule::Tetris(knob) => best_aligned(view, knob),
        };
        start.map_or(Action::Wait, |Start { invocation, placement, node }| Action::Start {
            invocation,
            memory_mb: placement.memory_mb,
            node,
        })
    }
}

fn shortest_first(view: &ServerlessView<'_>, group: &PendingGroup) -> (f64, InvocationId) {
    let (invocation, seconds) = view.shortest(group);
    (seconds, invocation)
}

/// The first group by `key` that fits somewhere, warm first, then where most memory is free.
fn in_order(view: &ServerlessView<'_>, key: impl Fn(&PendingGroup) -> (f64, InvocationId)) -> Option<Start> {
    let largest = view.largest_fit_mb();
    let fits = |group: &PendingGroup| default_mb(view, group.function).is_some_and(|size| size <= largest);
    let (_, invocation, group) = view
        .groups()
        .filter(fits)
        .map(|group| {
            let (first, invocation) = key(&group);
            (first, invocation, group)
        })
        .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))?;
    let (placement, node) = warm_then_roomy(view, group.function)?;
    Some(Start { invocation, placement, node })
}

/// The shortest group that may start: see [`Rule::WaitWarm`].
fn shortest_unless_warm_comes(view: &ServerlessView<'_>, share: f64) -> Option<Start> {
    let largest = view.largest_fit_mb();
    let mut best: Option<(f64, Start)> = None;
    for group in view.groups() {
        if default_mb(view, group.function).is_none_or(|size| size > largest) {
            continue;
        }
        let (seconds, invocation) = shortest_first(view, &group);
        let leads = best.as_ref().is_none_or(|(shortest, start)| {
            seconds.total_cmp(shortest).then(invocation.cmp(&start.invocation)).is_lt()
        });
        if !leads {
            continue;
        }
        let Some((placement, node)) = warm_then_roomy(view, group.function) else { continue };
        let patient = view.now().since(group.arrived).seconds() < share * seconds;
        if patient && placement.evicts_mb > 0 && view.busy_containers(group.function) > 0 {
            continue;
        }
        best = Some((seconds, Start { invocation, placement, node }));
    }
    best.map(|(_, start)| start)
}

/// The place of a start at the default size: warm before cold, then most free memory, then most evictable, then the lowest
/// id.
fn warm_then_roomy(view: &ServerlessView<'_>, function: FunctionId) -> Option<(Placement, NodeId)> {
    let size = view.default_size(function);
    let place = |node: NodeId| Some((view.placement(function, size, node)?, view.node(node)));
    let roomiest = |(_, node): &(Placement, NodeState)| (node.free_mb, node.evictable_mb, Reverse(node.id));
    let warm = view
        .warm_nodes(function)
        .filter_map(|(node, _)| place(node))
        .filter(|(placement, _)| placement.warm)
        .max_by_key(roomiest);
    if let Some((placement, node)) = warm {
        return Some((placement, node.id));
    }
    // Where memory is free for it nothing is evicted: no other node can be better than the roomiest.
    let (node, free_mb) = view.roomiest_node();
    if view.size_mb(function, size).is_some_and(|wanted| wanted <= free_mb)
        && let Some((placement, node)) = place(node)
    {
        return Some((placement, node.id));
    }
    let cold = view.nodes().filter_map(|node| place(node.id)).max_by_key(roomiest);
    cold.map(|(placement, node)| (placement, node.id))
}

/// The start with the largest knob · alignment + (1 − knob) / estimate, ties to the lowest ids.
fn best_aligned(view: &ServerlessView<'_>, knob: f64) -> Option<Start> {
    let specs = &view.spec().nodes;
    let nodes: Vec<(NodeState, Fractions)> =
        view.nodes().map(|node| (node, free(&node, &specs[node.id.0 as usize]))).collect();
    let mut best: Option<(f64, Start)> = None;
    for group in view.groups() {
        let size = view.default_size(group.function);
        let (invocation, seconds) = view.shortest(&group);
        for (node, free) in &nodes {
            let Some(placement) = view.placement(group.function, size, node.id) else { continue };
            let demand = demand(view, placement.memory_mb, &specs[node.id.0 as usize]);
            let alignment: f64 = free.iter().zip(demand).map(|(free, demand)| free * demand).sum();
            let score = knob * alignment + (1.0 - knob) / seconds.max(SHORTEST_ESTIMATE);
            let leads = best.as_ref().is_none_or(|(highest, start)| {
                score > *highest || (score == *highest && invocation < start.invocation)
            });
            if leads {
                best = Some((score, Start { invocation, placement, node: node.id }));
            }
        }
    }
    best.map(|(_, start)| start)
}

/// CPU, memory and network as fractions of a node's capacity.
type Fractions = [f64; 3];

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

fn default_mb(view: &ServerlessView<'_>, function: FunctionId) -> Option<u32> {
    view.size_mb(function, view.default_size(function))
}
