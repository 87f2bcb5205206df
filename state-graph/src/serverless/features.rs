//! The rows of a serverless state, all scaled to order one: logarithms of times and counts, fractions of capacities.

use std::collections::BTreeSet;

use common::SimTime;
use common::cluster::NodeSpec;
use common::ids::ContainerId;

use super::container::{Container, Phase};
use super::node::{NodeState, RECENT, RECENT_SECONDS};
use super::scales::{count, flag, log_quotient, priority, ratio, time};
use super::tracker::ServerlessGraph;
use super::workflows::Dependency;

pub(super) const GLOBAL: [&str; 16] = [
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
    "cpu_given",
    "network_given",
    "waiting_memory",
    "largest_room",
];
pub(super) const FUNCTION: [&str; 21] = [
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
    "gap",
];
pub(super) const RESOURCE: [&str; 16] = [
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
    "network_given",
    "bound_60s",
    "first_zone",
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

pub(super) fn global(graph: &ServerlessGraph, now: SimTime) -> [f32; GLOBAL.len()] {
    let total = |pick: fn(&super::node::NodeState) -> u32| graph.nodes.iter().map(pick).sum::<u32>();
    let sum = |pick: fn(&NodeSpec) -> u32| graph.spec.nodes.iter().map(|node| pick(node) as f32).sum::<f32>();
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
        vcpus(total(|node| node.bound_mb)) * 1000.0 / sum(|node| node.cpu_millicores).max(1.0),
        mbps(total(|node| node.bound_mb)) / sum(|node| node.network_mbps).max(1.0),
        ratio(graph.waiting_mb as f64 / graph.memory_mb.max(1) as f64),
        largest_room(graph),
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
        if state.gap[0] > 0.0 { time(state.gap[0]) } else { 2.0 },
    ]
}

/// Memory that could be had on the node where most can be, relative to the largest node's.
fn largest_room(graph: &ServerlessGraph) -> f32 {
    let room = |(state, spec): (&NodeState, &NodeSpec)| {
        if state.down { 0 } else { spec.memory_mb.saturating_sub(state.bound_mb) }
    };
    let largest = graph.spec.nodes.iter().map(|node| node.memory_mb).max().unwrap_or(0);
    graph.nodes.iter().zip(&graph.spec.nodes).map(room).max().unwrap_or(0) as f32 / largest.max(1) as f32
}

/// CPUs that come with `memory_mb`.
fn vcpus(memory_mb: u32) -> f32 {
    memory_mb as f32 / MB_PER_VCPU
}

/// Bandwidth that comes with `memory_mb`, Mbit/s.
fn mbps(memory_mb: u32) -> f32 {
    vcpus(memory_mb) * MBPS_PER_VCPU as f32
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
        vcpus(state.bound_mb) / (spec.cpu_millicores as f32 / 1000.0).max(1e-3),
        spec.speed as f32 - 1.0,
        spec.price_class as f32 - 1.0,
        count(state.busy),
        count(state.idle.len() as u32),
        ratio(10.0 * state.starts.value(now, RECENT_SECONDS)),
        ratio(kept_for),
        mbps(state.bound_mb) / (spec.network_mbps as f32).max(1.0),
        state.bound_lately(now) as f32 / spec.memory_mb.max(1) as f32,
        flag(spec.zone == 0),
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
