//! Points of scenario `slots`: mean slowdown at a load and an episode length.

use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use serde::{Deserialize, Serialize};
use workloads::Episodes;

use crate::contender::Contender;
use crate::error::EvaluationError;
use crate::grid::{Grid, Kind, Workload};
use crate::reference::shown_name;
use crate::results::{Point, Results, in_order_of_appearance};
use crate::statistics::ratio_of_sums;
use crate::table::Table;
use crate::tally::Progress;

/// Names of workloads begin with it; the episode length follows.
const WORKLOAD_PREFIX: &str = "slots-";

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotsPlan {
    /// Offered loads, percent.
    pub loads: Vec<f64>,
    /// Episode lengths, steps.
    pub steps: Vec<u32>,
    /// Number of episodes of each point.
    pub episodes: u32,
    /// Seed from which all episodes derive.
    pub seed: RunSeed,
    /// Stream of the seed from which the episodes are drawn.
    pub stream: Stream,
    /// Threads over which episodes are spread; 0: every core.
    pub threads: usize,
    /// Number of environments in one batch of a learnt policy.
    pub batch: usize,
}

/// One scheduler at one load and episode length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotsPoint {
    /// Version of this record; 1.
    pub schema: u32,
    /// Always `slots`.
    pub scenario: Scenario,
    /// Episode length, steps.
    pub steps: u32,
    /// Offered load, percent.
    pub load: f64,
    /// Canonical name of the scheduler that played.
    pub scheduler: String,
    /// Number of episodes played.
    pub episodes: u32,
    /// Number of jobs that finished.
    pub jobs: u64,
    /// Number of jobs that were dropped; no mean includes them.
    pub dropped: u64,
    /// Fraction (0–1) of the offered jobs that were dropped.
    pub dropped_share: f64,
    /// Mean slowdown (a ratio, at least 1) over the jobs that finished.
    pub slowdown: f64,
    /// Standard error of `slowdown` over episodes.
    pub slowdown_stderr: f64,
}

/// Plays every contender on the same episodes: lengths × loads × contenders, in this order.
///
/// # Errors
/// When a scheduler is unknown, fails, or chooses something impossible; [`EvaluationError::Interrupted`].
pub fn evaluate_slots(
    episodes: &Episodes,
    contenders: &mut [Contender<'_>],
    plan: &SlotsPlan,
    progress: Progress<'_>,
    stop: &Shutdown,
) -> Result<Vec<SlotsPoint>, EvaluationError> {
    let grid = Grid {
        workloads: slots_workloads(episodes, &plan.steps, &plan.loads),
        seeds: plan.episodes,
        seed: plan.seed,
        stream: plan.stream,
        threads: plan.threads,
        batch: plan.batch,
    };
    let mut results = Results::new(Scenario::Slots);
    let mut keep = |record| {
        results.add(record);
        Ok(())
    };
    grid.play(contenders, &|_, _| false, &mut keep, progress, stop)?;
    let mut points = Vec::new();
    for workload in &grid.workloads {
        for &load in &workload.loads {
            for contender in &*contenders {
                let point = results.find(&workload.name, load, &contender.name());
                points.extend(point.and_then(slots_point));
            }
        }
    }
    Ok(points)
}

/// A workload for each episode length: `slots-50` and so on.
#[must_use]
pub fn slots_workloads<'a>(episodes: &'a Episodes, steps: &[u32], loads: &[f64]) -> Vec<Workload<'a>> {
    let workload = |&steps: &u32| Workload {
        name: format!("{WORKLOAD_PREFIX}{steps}").into(),
        episodes,
        kind: Kind::Slots { steps },
        loads: loads.to_vec(),
    };
    steps.iter().map(workload).collect()
}

/// Episode length of a workload called so.
fn steps_of(workload: &str) -> Option<u32> {
    workload.strip_prefix(WORKLOAD_PREFIX)?.parse().ok()
}

/// The point that the episodes of a cell make; `None` for a cell of another scenario.
#[must_use]
pub fn slots_point(point: &Point) -> Option<SlotsPoint> {
    let steps = steps_of(&point.cell.workload)?;
    let sums: Vec<(f64, u64)> =
        point.episodes.values().map(|one| (one.sums[0], one.sums[1] as u64)).collect();
    let (slowdown, slowdown_stderr) = ratio_of_sums(&sums);
    let (jobs, dropped) = (point.total(1) as u64, point.total(2) as u64);
    Some(SlotsPoint {
        schema: 1,
        scenario: Scenario::Slots,
        steps,
        load: point.cell.load,
        scheduler: point.cell.scheduler.to_string(),
        episodes: point.episodes.len() as u32,
        jobs,
        dropped,
        dropped_share: dropped as f64 / (jobs + dropped).max(1) as f64,
        slowdown,
        slowdown_stderr,
    })
}

/// The points as one table an episode length: schedulers down, loads across, the share dropped beside every figure.
#[must_use]
pub fn slots_table(points: &[SlotsPoint]) -> String {
    let mut text = String::new();
    for steps in in_order_of_appearance(points.iter().map(|point| point.steps)) {
        let here: Vec<&SlotsPoint> = points.iter().filter(|point| point.steps == steps).collect();
        let loads = in_order_of_appearance(here.iter().map(|point| point.load.to_bits()));
        let episodes = here.iter().map(|point| point.episodes).max().unwrap_or(0);
        text.push_str(&format!(
            "Mean slowdown ± standard error (share dropped); {steps} steps, {episodes} episodes a point\n"
        ));
        let titles = loads.iter().map(|&load| format!("{}%", f64::from_bits(load)));
        let mut table = Table::new(std::iter::once("load".to_owned()).chain(titles));
        for scheduler in in_order_of_appearance(here.iter().map(|point| point.scheduler.as_str())) {
            let cells = loads.iter().map(|&load| {
                let found = here.iter().find(|one| one.scheduler == scheduler && one.load.to_bits() == load);
                found.map(|point| cell(point)).unwrap_or_default()
            });
            table.row(std::iter::once(shown_name(scheduler)).chain(cells));
        }
        text.push_str(&table.to_string());
        text.push('\n');
    }
    text
}

fn cell(point: &SlotsPoint) -> String {
    if point.jobs + point.dropped == 0 {
        return "–".to_owned();
    }
    let share = 100.0 * point.dropped_share;
    let dropped = if point.dropped == 0 { "0%".to_owned() } else { format!("{share:.1}%") };
    format!("{:.2} ± {:.2} ({dropped})", point.slowdown, point.slowdown_stderr)
}
