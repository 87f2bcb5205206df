//! The figures of an episode: metrics, and the sums from which many episodes can be pooled exactly.

use common::trajectory::Scenario;
use engine::serverless::{Resource, ServerlessOutcome, Usage};

/// A figure of one episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name in records.
    pub key: &'static str,
    /// Its name in tables.
    pub title: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

const fn metric(key: &'static str, title: &'static str, meaning: &'static str) -> Metric {
    Metric { key, title, meaning }
}

/// Every metric, in the order in which [`figures`] gives them.
pub const METRICS: [Metric; 29] = [
    metric("slowdown", "slowdown (geo)", "geometric mean over functions of their mean slowdowns; primary"),
    metric("slowdown_mean", "mean", "mean slowdown over invocations; the guard"),
    metric(
        "slowdown_function_mean",
        "function mean",
        "arithmetic mean over functions of their mean slowdowns",
    ),
    metric("slowdown_p50", "p50", "slowdown, median over invocations"),
    metric("slowdown_p95", "p95", "slowdown, 95th percentile"),
    metric("slowdown_p99", "p99", "slowdown, 99th percentile"),
    metric("latency_p50", "latency p50 s", "latency, median, seconds"),
    metric("latency_p95", "p95 s", "latency, 95th percentile, seconds"),
    metric("latency_p99", "p99 s", "latency, 99th percentile, seconds"),
    metric("cpu_used_of_capacity", "cpu used/cap", "CPU used / capacity, averaged over time"),
    metric("memory_used_of_capacity", "mem used/cap", "memory used / capacity"),
    metric("network_used_of_capacity", "net used/cap", "bandwidth used / capacity"),
    metric("cpu_used_of_allocated", "cpu used/alloc", "CPU used / allocated"),
    metric("memory_used_of_allocated", "mem used/alloc", "memory used / held by containers, idle ones too"),
    metric("network_used_of_allocated", "net used/alloc", "bandwidth used / allocated"),
    metric(
        "cost_usd",
        "cost USD",
        "price of the counted time: GB·s (cold starts too, idle not) and requests",
    ),
    metric("idle_gb_seconds", "idle GB·s", "GB·s of idle containers"),
    metric("cold_start_rate", "cold", "share of invocations that waited for a cold start"),
    metric("slo_violations", "SLO missed", "share whose latency broke the function's own objective"),
    metric("slo_violations_m2", "at 2×", "the same for 2 × p95 of the reference duration"),
    metric("slo_violations_m10", "at 10×", "the same for 10 × p95"),
    metric("unfinished_rate", "unfinished", "share that had not finished by the drain limit"),
    metric("retry_rate", "retries", "starts that were lost with their node, per invocation"),
    metric(
        "workflow_slowdown_mean",
        "workflow mean",
        "mean slowdown of workflows, end to end, against their critical path",
    ),
    metric("workflow_slowdown_p99", "workflow p99", "the same, 99th percentile"),
    metric("workflow_latency_p50", "workflow p50 s", "latency of workflows, end to end, median, seconds"),
    metric("workflow_latency_p95", "workflow p95 s", "the same, 95th percentile"),
    metric("workflow_latency_p99", "workflow p99 s", "the same, 99th percentile"),
    metric(
        "workflow_slo_violations",
        "workflow SLO missed",
        "share of workflows whose latency broke their objective",
    ),
];

/// The metrics of a `slots` episode.
pub const SLOTS_METRICS: [Metric; 2] = [
    metric("slowdown", "slowdown", "mean slowdown over the jobs that finished"),
    metric("dropped_share", "dropped", "share of the jobs offered that were dropped"),
];

/// Keys of the sums of a `serverless` episode, in the order of [`sums`].
pub const SUMS: [&str; 9] = [
    "invocations",
    "seconds",
    "functions",
    "slowdown_sum",
    "latency_sum",
    "cold_starts",
    "slo_violations",
    "unfinished",
    "bound_gb_seconds",
];

/// Keys of the sums of a `slots` episode.
pub const SLOTS_SUMS: [&str; 3] = ["slowdown_sum", "finished", "dropped"];

/// The metrics of a scenario.
#[must_use]
pub fn metrics_of(scenario: Scenario) -> &'static [Metric] {
    match scenario {
        Scenario::Slots => &SLOTS_METRICS,
        Scenario::Serverless => &METRICS,
    }
}

/// Keys of a scenario's sums.
#[must_use]
pub fn sums_of(scenario: Scenario) -> &'static [&'static str] {
    match scenario {
        Scenario::Slots => &SLOTS_SUMS,
        Scenario::Serverless => &SUMS,
    }
}

/// The sums of one episode, in the order of [`SUMS`].
pub(crate) fn sums(outcome: &ServerlessOutcome) -> [f64; SUMS.len()] {
    let present = outcome.functions.iter().filter(|function| function.arrivals > 0).count();
    [
        outcome.slowdowns.count() as f64,
        outcome.usage.seconds,
        present as f64,
        outcome.slowdowns.sum(),
        outcome.latencies.sum(),
        outcome.cold_starts as f64,
        outcome.violations as f64,
        outcome.unfinished as f64,
        outcome.usage.bound_gb_seconds,
    ]
}

/// The metrics of one episode, in the order of [`METRICS`].
pub(crate) fn figures(outcome: &ServerlessOutcome) -> [f64; METRICS.len()] {
    let means: Vec<f64> = outcome
        .functions
        .iter()
        .filter(|function| function.arrivals > 0)
        .map(|function| function.slowdown_sum / function.arrivals as f64)
        .collect();
    let functions = means.len() as f64;
    let (slowdowns, latencies) = (&outcome.slowdowns, &outcome.latencies);
    let invocations = slowdowns.count() as f64;
    let usage = &outcome.usage;
    let workflows = &outcome.workflows;
    let share = |count: u64| count as f64 / invocations;
    [
        (means.iter().map(|mean| mean.ln()).sum::<f64>() / functions).exp(),
        slowdowns.mean(),
        means.iter().sum::<f64>() / functions,
        slowdowns.quantile(0.5),
        slowdowns.quantile(0.95),
        slowdowns.quantile(0.99),
        latencies.quantile(0.5),
        latencies.quantile(0.95),
        latencies.quantile(0.99),
        of_capacity(usage, Resource::Cpu),
        of_capacity(usage, Resource::Memory),
        of_capacity(usage, Resource::Network),
        of_allocated(usage, Resource::Cpu),
        of_allocated(usage, Resource::Memory),
        of_allocated(usage, Resource::Network),
        outcome.cost_usd(),
        usage.idle_gb_seconds,
        share(outcome.cold_starts),
        share(outcome.violations),
        share(outcome.violations_at[0]),
        share(outcome.violations_at[1]),
        share(outcome.unfinished),
        share(outcome.retries),
        workflows.slowdowns.mean(),
        workflows.slowdowns.quantile(0.99),
        workflows.latencies.quantile(0.5),
        workflows.latencies.quantile(0.95),
        workflows.latencies.quantile(0.99),
        workflows.violations as f64 / workflows.slowdowns.count() as f64,
    ]
}

fn of_capacity(usage: &Usage, resource: Resource) -> f64 {
    usage.used[resource as usize] / usage.capacity[resource as usize]
}

fn of_allocated(usage: &Usage, resource: Resource) -> f64 {
    let allocated = usage.allocated[resource as usize];
    if allocated > 0.0 { usage.used[resource as usize] / allocated } else { 0.0 }
}
