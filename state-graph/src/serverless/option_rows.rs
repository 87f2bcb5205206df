//! The rows of the options of a serverless state: what starting an invocation on a node would mean.

use common::SimTime;
use common::cluster::StartOption;

use super::container::Work;
use super::features::{MB_PER_VCPU, MBPS_PER_VCPU};
use super::offer::OtherOption;
use super::scales::{ratio, time};
use super::tracker::ServerlessGraph;

pub(super) const OPTION: [&str; 13] = [
    "warm",
    "keeps",
    "free_after",
    "speed",
    "size",
    "cpu_left",
    "evicts_nothing",
    "victims_value",
    "victims_next_call",
    "data_from_elsewhere",
    "later_than_best",
    "seconds",
    "data_from_other_zones",
];

/// Expected seconds until the next call of a function of which no gap between calls is known.
const UNKNOWN_GAP: f64 = 600.0;

/// What the first idle containers of a node, in the order of eviction, are worth together.
#[derive(Clone, Copy, Default)]
struct Victims {
    memory_mb: u32,
    /// Seconds of cold start that they save, each second.
    value: f64,
    /// Seconds until the first of them is expected to be called.
    next_call: f64,
}

/// Computes the rows of options.
pub(super) struct OptionRows<'a> {
    graph: &'a ServerlessGraph,
    now: SimTime,
    /// By node: the first container, the first two, and so on, as many as any option would evict.
    victims: Vec<Vec<Victims>>,
}

impl<'a> OptionRows<'a> {
    pub(super) fn new(graph: &'a ServerlessGraph, options: &[StartOption], now: SimTime) -> Self {
        let mut needed = vec![0; graph.nodes.len()];
        for option in options {
            let needed = &mut needed[option.node.0 as usize];
            *needed = option.evicts_mb.max(*needed);
        }
        let victims = needed.into_iter().enumerate().map(|(node, needed)| victims(graph, node, needed, now));
        OptionRows { graph, now, victims: victims.collect() }
    }

    /// The rows of all options of one invocation.
    pub(super) fn of(&self, work: &Work, options: &[StartOption]) -> Vec<[f32; OPTION.len()]> {
        let finishes: Vec<f64> = options.iter().map(|option| self.finish(work, option)).collect();
        let best = finishes.iter().copied().fold(f64::INFINITY, f64::min);
        let later = |finish: f64| ratio((finish - best) / best.max(0.1));
        options.iter().zip(finishes).map(|(option, finish)| self.row(work, option, later(finish))).collect()
    }

    fn row(&self, work: &Work, option: &StartOption, later: f32) -> [f32; OPTION.len()] {
        let node = option.node.0 as usize;
        let (state, spec) = (&self.graph.nodes[node], &self.graph.spec.nodes[node]);
        let default = self.graph.spec.functions[work.function].default_memory_mb.max(1) as f32;
        let bound = state.bound_mb + option.memory_mb;
        let victims = self.victims_of(option);
        [
            f32::from(u8::from(option.warm)),
            1.0 - option.evicts_mb as f32 / option.memory_mb.max(1) as f32,
            1.0 - bound as f32 / spec.memory_mb.max(1) as f32,
            spec.speed as f32 - 1.0,
            (option.memory_mb as f32 / default).log2(),
            1.0 - self.cpu_given(node, bound),
            f32::from(u8::from(option.evicts_mb == 0)),
            victims.map_or(0.0, |victims| ratio(10.0 * victims.value)),
            victims.map_or(2.0, |victims| time(victims.next_call)),
            ratio(self.megabits_elsewhere(work, node) / 10.0),
            later,
            0.0,
            ratio(self.megabits_from_other_zones(work, node) / 10.0),
        ]
    }

    /// The row of an option that is no start.
    pub(super) fn other(&self, function: usize, option: &OtherOption) -> [f32; OPTION.len()] {
        let state = &self.graph.functions[function];
        let mut row = [0.0; OPTION.len()];
        if let Some(node) = option.node.map(|node| node.0 as usize) {
            let (node, spec) = (&self.graph.nodes[node], &self.graph.spec.nodes[node]);
            let memory_mb = spec.memory_mb.max(1) as f32;
            row[1] = option.memory_mb as f32 / memory_mb;
            row[2] = 1.0 - (node.bound_mb + node.idle_mb) as f32 / memory_mb;
            row[3] = spec.speed as f32 - 1.0;
        }
        let next = state.quiet_seconds(self.now).map_or(UNKNOWN_GAP, |quiet| (state.gap[0] - quiet).max(0.0));
        row[7] = ratio(10.0 * state.warm_value(self.now));
        row[8] = time(next);
        row[11] = time(option.seconds);
        row
    }

    /// Estimated seconds until the invocation would finish there, its data fetched before.
    fn finish(&self, work: &Work, option: &StartOption) -> f64 {
        let node = option.node.0 as usize;
        let (spec, estimate) = (&self.graph.spec.nodes[node], &self.graph.functions[work.function].estimate);
        let cold_start = if option.warm { 0.0 } else { estimate.cold_start };
        let mbps = f64::from(option.memory_mb) / f64::from(MB_PER_VCPU) * MBPS_PER_VCPU;
        let bound = self.graph.nodes[node].bound_mb + option.memory_mb;
        let contention = f64::from(self.cpu_given(node, bound)).max(1.0);
        cold_start
            + self.megabits_elsewhere(work, node) / mbps.max(1e-3)
            + estimate.mean * contention / spec.speed.max(1e-3)
    }

    /// CPU that comes with `bound_mb` of memory, as a fraction of the node's.
    fn cpu_given(&self, node: usize, bound_mb: u32) -> f32 {
        let vcpus = (self.graph.spec.nodes[node].cpu_millicores as f32 / 1000.0).max(1e-3);
        bound_mb as f32 / MB_PER_VCPU / vcpus
    }

    fn megabits_elsewhere(&self, work: &Work, node: usize) -> f64 {
        self.megabits_from(work, |holder| holder != node)
    }

    fn megabits_from_other_zones(&self, work: &Work, node: usize) -> f64 {
        let zone = |node: usize| self.graph.spec.nodes[node].zone;
        self.megabits_from(work, |holder| zone(holder) != zone(node))
    }

    /// Inputs of the invocation that lie on nodes for which `is_from` holds, Mbit.
    fn megabits_from(&self, work: &Work, is_from: impl Fn(usize) -> bool) -> f64 {
        let Some(stage) = work.stage else { return 0.0 };
        let inputs = self.graph.workflows.inputs(&self.graph.spec, stage);
        inputs.filter(|(holder, _)| is_from(*holder)).map(|(_, megabits)| megabits).sum()
    }

    fn victims_of(&self, option: &StartOption) -> Option<Victims> {
        let victims = &self.victims[option.node.0 as usize];
        let last = victims.partition_point(|victims| victims.memory_mb < option.evicts_mb);
        (option.evicts_mb > 0).then(|| victims.get(last).or(victims.last()).copied())?
    }
}

fn victims(graph: &ServerlessGraph, node: usize, needed_mb: u32, now: SimTime) -> Vec<Victims> {
    let mut sums: Vec<Victims> = Vec::new();
    let mut all = Victims { next_call: f64::INFINITY, ..Victims::default() };
    for (_, id) in &graph.nodes[node].idle {
        if all.memory_mb >= needed_mb {
            break;
        }
        let Some(container) = graph.containers.get(id) else { continue };
        let function = &graph.functions[container.function];
        let next =
            function.quiet_seconds(now).map_or(UNKNOWN_GAP, |quiet| (function.gap[0] - quiet).max(0.0));
        all = Victims {
            memory_mb: all.memory_mb + container.memory_mb,
            value: all.value + function.warm_value(now),
            next_call: all.next_call.min(next),
        };
        sums.push(all);
    }
    sums
}
