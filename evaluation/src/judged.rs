//! What schedulers are judged by: a primary figure and its guard, and the figures that stand beside them.

use common::trajectory::Scenario;

use crate::metrics::metrics_of;
use crate::results::{Point, Results};

/// A figure that every workload with workflows has.
const OF_WORKFLOWS: &str = "workflow_slowdown_mean";

/// What a comparison shows; the first two decide.
const SLOTS: [&str; 2] = ["slowdown", "dropped_share"];
const INVOCATIONS: [&str; 7] = [
    "slowdown",
    "slowdown_mean",
    "slowdown_p99",
    "cold_start_rate",
    "cost_usd",
    "idle_gb_seconds",
    "slo_violations",
];
/// Whole workflows decide; their stages stand beside them.
const WORKFLOWS: [&str; 9] = [
    OF_WORKFLOWS,
    "workflow_slowdown_p99",
    "workflow_slo_violations",
    "slowdown",
    "slowdown_mean",
    "slowdown_p99",
    "cold_start_rate",
    "cost_usd",
    "idle_gb_seconds",
];

/// The figures by which a workload's schedulers are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What a comparison shows; primary and guard come first.
    pub compared: &'static [&'static str],
    /// Whole workflows are judged, end to end, not their stages.
    pub workflows: bool,
}

impl Judged {
    /// For a workload of `scenario`, with `workflows` or without.
    #[must_use]
    pub fn of(scenario: Scenario, workflows: bool) -> Self {
        let compared: &[&str] = match (scenario, workflows) {
            (Scenario::Slots, _) => &SLOTS,
            (Scenario::Serverless, false) => &INVOCATIONS,
            (Scenario::Serverless, true) => &WORKFLOWS,
        };
        Judged { compared, workflows: workflows && scenario == Scenario::Serverless }
    }

    /// For a workload of these results.
    #[must_use]
    pub fn in_results(results: &Results, workload: &str) -> Self {
        let mut here = results.points().iter().filter(|point| &*point.cell.workload == workload);
        Judged::of(results.scenario(), here.any(has_workflows))
    }

    /// The figure that decides first.
    #[must_use]
    pub fn primary(self) -> &'static str {
        self.compared[0]
    }

    /// The figure that must not be worse.
    #[must_use]
    pub fn guard(self) -> &'static str {
        self.compared[1]
    }

    /// What primary and guard are, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        if self.workflows {
            "primary: mean slowdown of whole workflows; guard: their 99th percentile"
        } else if self.compared.len() == SLOTS.len() {
            "primary: mean slowdown of jobs; guard: share dropped"
        } else {
            "primary: geometric mean over functions; guard: mean over invocations"
        }
    }
}

/// Whether whole workflows were measured; a reference measures none.
pub(crate) fn has_workflows(point: &Point) -> bool {
    let place = metrics_of(Scenario::Serverless).iter().position(|metric| metric.key == OF_WORKFLOWS);
    let measured = |place: usize| {
        let mut figures = point.episodes.values().filter_map(|episode| episode.figures.get(place));
        figures.any(|figure| figure.is_finite())
    };
    place.is_some_and(measured)
}
