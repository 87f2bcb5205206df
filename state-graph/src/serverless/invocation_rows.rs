//! The rows of invocations that wait, start or run.

use common::SimTime;

use super::container::{Container, Phase, Work};
use super::scales::{count, flag, priority, ratio, time};
use super::tracker::ServerlessGraph;

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
