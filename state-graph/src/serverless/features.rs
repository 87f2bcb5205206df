//! The rows of a serverless state, all scaled to order one: logarithms of times and counts, fractions of capacities.

use std::collections::BTreeSet;

use common::SimTime;
use common::cluster::Priority;
use common::ids::ContainerId;

use super::container::{Container, Phase, Work};
use super::node::{RECENT, STARTS_WINDOW};
use super::tracker::ServerlessGraph;
use super::workflows::Dependency;

pub(super) const GLOBAL: [&str; 12] = [
    "pending",
    "busy",
    "idle",
    "functions_waiting",
    "bound_memory",
    "idle_memory",
    "arrivals_1s",
    "arrivals_10s",
    "arrivals_60s",
    "cold_share",
    "recent_slowdown",
    "missed_share",
];
pub(super) const FUNCTION: [&str; 20] = [
    "mean",
    "p95",
    "spread",
    "memory",
    "arrivals_1s",
    "arrivals_10s",
    "arrivals_60s",
    "arrivals_600s",
    "gap_variation",
    "cold_share",
    "cold_start",
    "pending",
    "busy",
    "idle",
    "priority",
    "slo_factor",
    "since_last_call",
    "next_call",
    "fair_weight",
    "tenant_share",
];
pub(super) const RESOURCE: [&str; 13] = [
    "cpu",
    "memory",
    "network",
    "free",
    "idle_memory",
    "bound",
    "cpu_given",
    "speed",
    "price",
    "busy",
    "idle",
    "starts_60s",
    "kept_for",
];
pub(super) const INVOCATION: [&str; 22] = [
    "pending",
    "starting",
    "running",
    "waited",
    "waited_by_estimate",
    "waited_capped",
    "priority",
    "input_size",
    "mean",
    "memory",
    "remaining",
    "own_busy",
    "own_soonest",
    "own_soonest_by_cold",
    "fits",
    "slack",
    "interruptions",
    "is_stage",
    "depth",
    "remaining_path",
    "siblings_waiting",
    "held_for",
];
pub(super) const WARM: [&str; 6] = ["count", "expires", "memory", "idle_for", "next_call", "value"];
/// CPU and bandwidth follow memory.
pub(super) const ALLOCATION: [&str; 4] = ["memory", "elapsed", "remaining", "starting"];
pub(super) const DEPENDENCY: [&str; 3] = ["megabits", "co_occurrence", "fan_out"];
pub(super) const SHARING: [&str; 3] = ["nodes", "memory_ratio", "duration_ratio"];
pub(super) const TEMPORAL: [&str; 3] = ["gap", "first_cold", "second_cold"];

/// Memory at which a container has one vCPU, MB.
pub(super) const MB_PER_VCPU: f32 = 1769.0;

/// Bandwidth that comes with one vCPU, Mbit/s.
pub(super) const MBPS_PER_VCPU: f64 = 600.0;

/// An invocation's place in its workflow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path {
    /// Stages before it on the longest way.
    pub(super) depth: u32,
    /// Estimated seconds from its start to the end of the workflow; `None` for an invocation of no workflow.
    pub(super) seconds: Option<f64>,
    /// Other stages of its run that wait.
    pub(super) siblings: u32,
}

impl Path {
    fn row(self) -> [f32; 4] {
        [
            flag(self.seconds.is_some()),
            count(self.depth),
            self.seconds.map_or(0.0, time),
            count(self.siblings),
        ]
    }
}

pub(super) fn flag(is: bool) -> f32 {
    f32::from(u8::from(is))
}

/// ln(1 + x) / 3 of a count.
pub(super) fn count(value: u32) -> f32 {
    (1.0 + value as f32).ln() / 3.0
}

/// log10 of a time relative to 100 ms, divided by 2: −1 for 1 ms or less, 0 for 100 ms, 1.5 for 100 s.
pub(super) fn time(seconds: f64) -> f32 {
    (seconds.max(1e-3) as f32 / 0.1).ln() * (0.5 * std::f32::consts::LOG10_E)
}

/// ln(1 + x) / 2 of a rate or ratio.
pub(super) fn ratio(value: f64) -> f32 {
    (1.0 + value.max(0.0) as f32).ln() / 2.0
}

/// ln(one / other) / 4, at most 2 in size.
fn log_quotient(one: f64, other: f64) -> f32 {
    ((one.max(1e-3) / other.max(1e-3)).ln() / 4.0).clamp(-2.0, 2.0) as f32
}

fn priority(priority: Priority) -> f32 {
    match priority {
        Priority::Low => -1.0,
        Priority::Normal => 0.0,
        Priority::High => 1.0,
    }
}

pub(super) fn global(graph: &ServerlessGraph, now: SimTime) -> [f32; GLOBAL.len()] {
    let total = |pick: fn(&super::node::NodeState) -> u32| graph.nodes.iter().map(pick).sum::<u32>();
    let share = |mb: u32| mb as f32 / graph.memory_mb.max(1) as f32;
    let rate =
        |place: usize| ratio(graph.arrivals[place].value(now, super::function::ARRIVAL_WINDOWS[place]));
    [
        count(graph.pending_count() as u32),
        count(total(|node| node.busy)),
        count(total(|node| node.idle.len() as u32)),
        count(graph.queue.functions() as u32),
        share(total(|node| node.bound_mb)),
        share(total(|node| node.idle_mb)),
        rate(0),
        rate(1),
        rate(2),
        graph.cold_share as f32,
        ratio(graph.slowdown - 1.0),
        graph.missed_share as f32,
    ]
}

pub(super) fn function(graph: &ServerlessGraph, place: usize, now: SimTime) -> [f32; FUNCTION.len()] {
    let (state, spec) = (&graph.functions[place], &graph.spec.functions[place]);
    let rate = |place: usize| ratio(10.0 * state.rate(place, now));
    let quiet = state.quiet_seconds(now);
    let tenant = graph.bound_of_tenant[spec.tenant as usize];
    [
        time(state.estimate.mean),
        time(state.estimate.p95),
        ratio(state.estimate.deviation / state.estimate.mean.max(1e-3)),
        spec.default_memory_mb as f32 / 1024.0,
        rate(0),
        rate(1),
        rate(2),
        rate(3),
        (state.gap_variation() as f32 / 3.0).min(2.0),
        state.cold_share as f32,
        time(state.estimate.cold_start),
        count(state.pending),
        count(state.busy),
        count(state.idle),
        priority(spec.priority),
        (spec.slo_factor / 10.0) as f32,
        quiet.map_or(2.0, time),
        quiet.map_or(2.0, |quiet| time((state.gap[0] - quiet).max(0.0))),
        fair_weight(graph, place, now),
        tenant as f32 / graph.memory_mb.max(1) as f32,
    ]
}

/// How much one second of waiting of an invocation counts in a mean over functions, on a logarithmic scale: all calls over this
/// function's calls and its duration, relative to a function with its share of the calls and a duration of 1 s.
fn fair_weight(graph: &ServerlessGraph, place: usize, now: SimTime) -> f32 {
    let long = super::function::ARRIVAL_WINDOWS.len() - 1;
    let (state, functions) = (&graph.functions[place], graph.functions.len() as f64);
    let all = graph.arrivals[long].value(now, super::function::ARRIVAL_WINDOWS[long]);
    let own = functions * state.rate(long, now) * state.estimate.mean.max(0.1);
    log_quotient(all, own)
}

/// `kept_for`: seconds for which it is kept for a function that fits nowhere, 0: it is not.
pub(super) fn resource(
    graph: &ServerlessGraph,
    place: usize,
    kept_for: f64,
    now: SimTime,
) -> [f32; RESOURCE.len()] {
    let (state, spec) = (&graph.nodes[place], &graph.spec.nodes[place]);
    let share = |mb: u32| mb as f32 / spec.memory_mb.max(1) as f32;
    let used = if state.down { spec.memory_mb } else { state.bound_mb + state.idle_mb };
    [
        spec.cpu_millicores as f32 / 4000.0,
        spec.memory_mb as f32 / 4096.0,
        spec.network_mbps as f32 / 2000.0,
        share(spec.memory_mb.saturating_sub(used)),
        share(state.idle_mb),
        share(state.bound_mb),
        state.bound_mb as f32 / MB_PER_VCPU / (spec.cpu_millicores as f32 / 1000.0).max(1e-3),
        spec.speed as f32 - 1.0,
        spec.price_class as f32 - 1.0,
        count(state.busy),
        count(state.idle.len() as u32),
        ratio(10.0 * state.starts.value(now, STARTS_WINDOW)),
        ratio(kept_for),
    ]
}

/// What a pending invocation waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Whether it can start somewhere now.
    pub(super) fits: bool,
    /// Seconds until the first busy container of its function is expected to fall idle; `None` where none is busy.
    pub(super) own_soonest: Option<f64>,
    /// Seconds for which it is held back; 0: it is not.
    pub(super) held_for: f64,
    pub(super) path: Path,
}

pub(super) fn pending(
    graph: &ServerlessGraph,
    work: &Work,
    waiting: Waiting,
    now: SimTime,
) -> [f32; INVOCATION.len()] {
    let Waiting { fits, own_soonest, held_for, path } = waiting;
    let (state, spec) = (&graph.functions[work.function], &graph.spec.functions[work.function]);
    let waited = now.since(work.arrived).seconds();
    let slack = spec.slo_factor * state.estimate.p95 - waited - state.estimate.mean;
    let [is_stage, depth, remaining_path, siblings] = path.row();
    [
        1.0,
        0.0,
        0.0,
        time(waited),
        ratio(waited / state.estimate.mean.max(0.1)),
        (waited / 5.0).min(2.0) as f32,
        priority(spec.priority),
        ratio(work.input_size),
        time(state.estimate.mean),
        spec.default_memory_mb as f32 / 1024.0,
        0.0,
        count(state.busy),
        own_soonest.map_or(2.0, time),
        own_soonest
            .map_or(2.0, |soonest| ((soonest / state.estimate.cold_start.max(0.01)) as f32 / 4.0).min(2.0)),
        flag(fits),
        (slack / 10.0).clamp(-2.0, 2.0) as f32,
        count(work.interruptions),
        is_stage,
        depth,
        remaining_path,
        siblings,
        ratio(held_for),
    ]
}

pub(super) fn running(
    graph: &ServerlessGraph,
    container: &Container,
    remaining: f64,
    path: Path,
) -> [f32; INVOCATION.len()] {
    let (state, spec) = (&graph.functions[container.function], &graph.spec.functions[container.function]);
    let starting = matches!(container.phase, Phase::Starting { .. } | Phase::Warming { .. });
    let work = container.phase.work();
    let [is_stage, depth, remaining_path, siblings] = path.row();
    [
        0.0,
        flag(starting),
        flag(!starting),
        0.0,
        0.0,
        0.0,
        priority(spec.priority),
        ratio(work.map_or(1.0, |work| work.input_size)),
        time(state.estimate.mean),
        container.memory_mb as f32 / 1024.0,
        time(remaining),
        count(state.busy),
        0.0,
        0.0,
        0.0,
        0.0,
        count(work.map_or(0, |work| work.interruptions)),
        is_stage,
        depth,
        remaining_path,
        siblings,
        0.0,
    ]
}

/// Idle containers of one function and size on one node.
pub(super) fn warm(
    graph: &ServerlessGraph,
    function: usize,
    memory_mb: u32,
    idle: &BTreeSet<(SimTime, ContainerId)>,
    now: SimTime,
) -> [f32; WARM.len()] {
    let state = &graph.functions[function];
    let until = |expires: Option<&(SimTime, ContainerId)>| {
        expires.map_or(0.0, |(expires, _)| expires.since(now).seconds())
    };
    let since = idle.first().and_then(|(_, id)| match graph.containers.get(id)?.phase {
        Phase::Idle { since, .. } => Some(now.since(since).seconds()),
        _ => None,
    });
    [
        count(idle.len() as u32),
        time(until(idle.first())),
        memory_mb as f32 / 1024.0,
        time(since.unwrap_or(0.0)),
        state.quiet_seconds(now).map_or(2.0, |quiet| time((state.gap[0] - quiet).max(0.0))),
        ratio(10.0 * state.warm_value(now)),
    ]
}

pub(super) fn allocation(container: &Container, remaining: f64, now: SimTime) -> [f32; ALLOCATION.len()] {
    let (since, starting) = match container.phase {
        Phase::Starting { since, .. } | Phase::Warming { since } => (since, true),
        Phase::Busy { since, .. } => (since, false),
        Phase::Idle { .. } => (now, false),
    };
    [container.memory_mb as f32 / 1024.0, time(now.since(since).seconds()), time(remaining), flag(starting)]
}

/// `consumers`: how many functions read the producer's output.
pub(super) fn dependency(dependency: &Dependency, consumers: usize) -> [f32; DEPENDENCY.len()] {
    [ratio(dependency.megabits / 10.0), dependency.co_occurrence as f32, count(consumers as u32)]
}

/// `nodes`: number of nodes on which both functions started lately.
pub(super) fn sharing(graph: &ServerlessGraph, one: usize, other: usize, nodes: u32) -> [f32; SHARING.len()] {
    let memory = |function: usize| f64::from(graph.spec.functions[function].default_memory_mb);
    let duration = |function: usize| graph.functions[function].estimate.mean;
    [
        nodes as f32 / RECENT as f32,
        log_quotient(memory(one), memory(other)),
        log_quotient(duration(one), duration(other)),
    ]
}

/// `gap`: seconds between the arrivals of two invocations of one function.
pub(super) fn temporal(gap: f64, first_cold: bool, second_cold: bool) -> [f32; TEMPORAL.len()] {
    [time(gap), flag(first_cold), flag(second_cold)]
}
