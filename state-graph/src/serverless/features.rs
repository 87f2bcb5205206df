//! The rows of a serverless state, all scaled to order one: logarithms of times and counts, fractions of capacities.

use common::SimTime;
use common::cluster::{Priority, StartOption};

use super::tracker::{ARRIVAL_WINDOWS, Container, IdleGroup, Pending, Phase, ServerlessGraph};

pub(super) const GLOBAL: [&str; 10] = [
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
];
pub(super) const FUNCTION: [&str; 16] = [
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
];
pub(super) const RESOURCE: [&str; 12] = [
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
];
pub(super) const INVOCATION: [&str; 14] = [
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
];
pub(super) const WARM: [&str; 2] = ["count", "expires"];
pub(super) const ALLOCATION: [&str; 4] = ["memory", "elapsed", "remaining", "starting"];
pub(super) const OPTION: [&str; 7] =
    ["warm", "keeps", "free_after", "speed", "size", "cpu_left", "evicts_nothing"];

/// Memory at which a container has one vCPU, MB.
const MB_PER_VCPU: f32 = 1769.0;

/// ln(1 + x) / 3 of a count.
fn count(value: u32) -> f32 {
    (1.0 + value as f32).ln() / 3.0
}

/// log10 of a time relative to 100 ms, divided by 2: −1 for 1 ms or less, 0 for 100 ms, 1.5 for 100 s.
fn time(seconds: f64) -> f32 {
    ((seconds.max(1e-3) / 0.1).log10() / 2.0) as f32
}

/// ln(1 + x) / 2 of a rate or ratio.
fn ratio(value: f64) -> f32 {
    ((1.0 + value.max(0.0)).ln() / 2.0) as f32
}

fn priority(priority: Priority) -> f32 {
    match priority {
        Priority::Low => -1.0,
        Priority::Normal => 0.0,
        Priority::High => 1.0,
    }
}

pub(super) fn global(graph: &ServerlessGraph, now: SimTime) -> [f32; GLOBAL.len()] {
    let total = |pick: fn(&super::tracker::NodeState) -> u32| graph.nodes.iter().map(pick).sum::<u32>();
    let memory: u32 = graph.spec.nodes.iter().map(|node| node.memory_mb).sum();
    let share = |mb: u32| mb as f32 / memory.max(1) as f32;
    let waiting = graph.functions.iter().filter(|function| function.pending > 0).count();
    let rate = |place: usize| ratio(graph.arrivals[place].value(now, ARRIVAL_WINDOWS[place]));
    [
        count(graph.pending_count() as u32),
        count(total(|node| node.busy)),
        count(total(|node| node.idle)),
        count(waiting as u32),
        share(total(|node| node.bound_mb)),
        share(total(|node| node.idle_mb)),
        rate(0),
        rate(1),
        rate(2),
        graph.cold_share as f32,
    ]
}

pub(super) fn function(graph: &ServerlessGraph, place: usize, now: SimTime) -> [f32; FUNCTION.len()] {
    let (state, spec) = (&graph.functions[place], &graph.spec.functions[place]);
    let rate = |place: usize| ratio(10.0 * state.arrivals[place].value(now, ARRIVAL_WINDOWS[place]));
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
    ]
}

pub(super) fn resource(graph: &ServerlessGraph, place: usize, now: SimTime) -> [f32; RESOURCE.len()] {
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
        count(state.idle),
        ratio(10.0 * state.starts.value(now, 60.0)),
    ]
}

/// `own_soonest`: seconds until the first busy container of the same function is expected to fall idle; `None` where
/// none is busy.
pub(super) fn pending(
    graph: &ServerlessGraph,
    work: &Pending,
    own_soonest: Option<f64>,
    now: SimTime,
) -> [f32; INVOCATION.len()] {
    let (state, spec) = (&graph.functions[work.function], &graph.spec.functions[work.function]);
    let waited = now.since(work.arrived).seconds();
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
    ]
}

pub(super) fn running(
    graph: &ServerlessGraph,
    container: &Container,
    remaining: f64,
) -> [f32; INVOCATION.len()] {
    let (state, spec) = (&graph.functions[container.function], &graph.spec.functions[container.function]);
    let (starting, input_size) = match container.phase {
        Phase::Starting { work, .. } => (true, work.input_size),
        Phase::Warming { .. } => (true, 1.0),
        Phase::Busy { work, .. } => (false, work.input_size),
        Phase::Idle { .. } => (false, 1.0),
    };
    [
        0.0,
        f32::from(u8::from(starting)),
        f32::from(u8::from(!starting)),
        0.0,
        0.0,
        0.0,
        priority(spec.priority),
        ratio(input_size),
        time(state.estimate.mean),
        container.memory_mb as f32 / 1024.0,
        time(remaining),
        count(state.busy),
        0.0,
        0.0,
    ]
}

pub(super) fn warm(group: &IdleGroup, now: SimTime) -> [f32; WARM.len()] {
    [count(group.count), time(group.first_expiry.since(now).seconds())]
}

pub(super) fn allocation(container: &Container, remaining: f64, now: SimTime) -> [f32; ALLOCATION.len()] {
    let (since, starting) = match container.phase {
        Phase::Starting { since, .. } | Phase::Warming { since } => (since, true),
        Phase::Busy { since, .. } => (since, false),
        Phase::Idle { .. } => (now, false),
    };
    [
        container.memory_mb as f32 / 1024.0,
        time(now.since(since).seconds()),
        time(remaining),
        f32::from(u8::from(starting)),
    ]
}

pub(super) fn option(graph: &ServerlessGraph, work: &Pending, option: &StartOption) -> [f32; OPTION.len()] {
    let node = option.node.0 as usize;
    let (state, spec) = (&graph.nodes[node], &graph.spec.nodes[node]);
    let capacity = spec.memory_mb.max(1) as f32;
    let default = graph.spec.functions[work.function].default_memory_mb.max(1) as f32;
    let bound = state.bound_mb + option.memory_mb;
    let vcpus = (spec.cpu_millicores as f32 / 1000.0).max(1e-3);
    [
        f32::from(u8::from(option.warm)),
        1.0 - option.evicts_mb as f32 / option.memory_mb.max(1) as f32,
        1.0 - bound as f32 / capacity,
        spec.speed as f32 - 1.0,
        (option.memory_mb as f32 / default).log2(),
        1.0 - bound as f32 / MB_PER_VCPU / vcpus,
        f32::from(u8::from(option.evicts_mb == 0)),
    ]
}
