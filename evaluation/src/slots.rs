//! Points of scenario `slots`: mean slowdown at a load and an episode length.

use common::trajectory::Scenario;
use common::{RunSeed, Stream};
use serde::{Deserialize, Serialize};
use simulator::slots::clairvoyant_insertion;
use simulator::{Episodes, Simulation};

use crate::contender::Contender;
use crate::error::EvaluationError;
use crate::play::{Match, Progress};
use crate::statistics::ratio_of_sums;
use crate::table::Table;

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotsPlan {
    /// Offered loads, percent.
    pub loads: Vec<f64>,
    /// Episode lengths, steps.
    pub steps: Vec<u32>,
    /// Episodes of each point.
    pub episodes: u32,
    /// Seed, and the stream that the episodes are taken from.
    pub seed: RunSeed,
    /// See `seed`.
    pub stream: Stream,
    /// Threads over which heuristics are spread; 0: every core.
    pub threads: usize,
    /// Environments that a single scheduler is asked about together.
    pub batch: usize,
}

/// One scheduler at one load and episode length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotsPoint {
    /// Version of this record; 1.
    pub schema: u32,
    /// `slots`.
    pub scenario: Scenario,
    /// Episode length, steps.
    pub steps: u32,
    /// Offered load, percent.
    pub load: f64,
    /// Who.
    pub scheduler: String,
    /// Episodes.
    pub episodes: u32,
    /// Jobs that finished.
    pub jobs: u64,
    /// Jobs that were dropped; they are in no mean.
    pub dropped: u64,
    /// Dropped / offered.
    pub dropped_share: f64,
    /// Mean slowdown over the jobs that finished.
    pub slowdown: f64,
    /// Its standard error over episodes.
    pub slowdown_stderr: f64,
}

/// What is kept of an episode.
#[derive(Clone, Copy)]
struct Kept {
    slowdown_sum: f64,
    finished: u64,
    dropped: u64,
}

/// Plays every contender on the same episodes: lengths × loads × contenders, in this order.
///
/// # Errors
/// When a scheduler is unknown, fails, or chooses something impossible.
pub fn evaluate_slots(
    episodes: &Episodes,
    contenders: &mut [Contender<'_>],
    plan: &SlotsPlan,
    progress: Progress<'_>,
) -> Result<Vec<SlotsPoint>, EvaluationError> {
    let count = u64::from(plan.episodes);
    let total = (plan.steps.len() * plan.loads.len() * contenders.len()) as u64 * count;
    let mut points = Vec::new();
    for &steps in &plan.steps {
        for &load in &plan.loads {
            let make =
                |number: u64, _: bool| episodes.slots(plan.seed.episode(plan.stream, number), load, steps);
            for contender in &mut *contenders {
                let before = points.len() as u64 * count;
                let game = Match {
                    scenario: Scenario::Slots,
                    episodes: count,
                    threads: plan.threads,
                    batch: plan.batch,
                    make: &make,
                    summarise: &keep,
                    progress: &|done, _| progress(before + done, total),
                };
                let kept = match contender {
                    Contender::ClairvoyantInsertion => {
                        (0..count).map(|number| insertion(&make(number, false))).collect()
                    }
                    _ => game.play(contender)?.0,
                };
                points.push(point(&kept, steps, load, contender.name()));
            }
        }
    }
    Ok(points)
}

fn keep(simulation: &Simulation) -> Kept {
    let outcome = simulation.as_slots().expect("a slots plan makes slots episodes").outcome();
    Kept {
        slowdown_sum: outcome.slowdown_sum,
        finished: outcome.finished,
        dropped: outcome.dropped.len() as u64,
    }
}

fn insertion(simulation: &Simulation) -> Kept {
    let slots = simulation.as_slots().expect("a slots plan makes slots episodes");
    let jobs = slots.sequence().jobs();
    let starts = clairvoyant_insertion(slots.sequence(), slots.capacity());
    let slowdown = |(job, start): (&simulator::slots::Job, u32)| {
        f64::from(start + job.length - job.arrival) / f64::from(job.length)
    };
    Kept {
        slowdown_sum: jobs.iter().zip(starts).map(slowdown).sum(),
        finished: jobs.len() as u64,
        dropped: 0,
    }
}

fn point(kept: &[Kept], steps: u32, load: f64, scheduler: String) -> SlotsPoint {
    let sums: Vec<(f64, u64)> = kept.iter().map(|one| (one.slowdown_sum, one.finished)).collect();
    let (slowdown, slowdown_stderr) = ratio_of_sums(&sums);
    let jobs: u64 = kept.iter().map(|one| one.finished).sum();
    let dropped: u64 = kept.iter().map(|one| one.dropped).sum();
    SlotsPoint {
        schema: 1,
        scenario: Scenario::Slots,
        steps,
        load,
        scheduler,
        episodes: kept.len() as u32,
        jobs,
        dropped,
        dropped_share: dropped as f64 / (jobs + dropped).max(1) as f64,
        slowdown,
        slowdown_stderr,
    }
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
            table.row(std::iter::once(scheduler.to_owned()).chain(cells));
        }
        text.push_str(&table.to_string());
        text.push('\n');
    }
    text
}

fn cell(point: &SlotsPoint) -> String {
    let share = 100.0 * point.dropped_share;
    let dropped = if point.dropped == 0 { "0%".to_owned() } else { format!("{share:.1}%") };
    format!("{:.2} ± {:.2} ({dropped})", point.slowdown, point.slowdown_stderr)
}

/// Each value once, in the order in which they first appear.
pub(crate) fn in_order_of_appearance<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}
