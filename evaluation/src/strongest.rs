//! Which scheduler is the strongest on a workload, among those that cost no more and keep no more memory idle.

use common::name::printable;
use serde::Serialize;

use crate::compare::{Verdict, verdict_of};
use crate::error::EvaluationError;
use crate::judged::Judged;
use crate::metrics::sums_of;
use crate::reference::is_reference;
use crate::results::{Results, Summary};
use crate::statistics::Bootstraps;

/// One scheduler's place on one workload at one load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rank {
    /// Canonical name of the ranked scheduler.
    pub scheduler: String,
    /// Number of seeds that it played.
    pub seeds: u32,
    /// Mean of the primary slowdown, a ratio of at least 1.
    pub slowdown: f64,
    /// Mean of the guard: a slowdown, in `slots` the fraction (0–1) of jobs dropped.
    pub guard: f64,
    /// Mean slowdowns of the stages, where workflows are ranked: geometric over functions, and over invocations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<[f64; 2]>,
    /// Mean cost, USD; NaN in `slots`.
    pub cost_usd: f64,
    /// Memory held by idle containers, mean over seeds, GB·s; NaN in `slots`.
    pub idle_gb_seconds: f64,
    /// Memory held by all containers, idle or not, GB·s; NaN in `slots`.
    pub held_gb_seconds: f64,
    /// Cost and idle memory are not above the baseline's by more than the tolerance.
    pub admitted: bool,
    /// No other is at least as good in slowdown, guard, cost and idle memory and better in one of them, by the means.
    pub pareto: bool,
    /// Number of admitted schedulers that it beats.
    pub beats: u32,
    /// Number of admitted schedulers that beat it.
    pub beaten_by: u32,
}

/// The ranking on one workload at one load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// Version of this record; 1.
    pub schema: u32,
    /// Name of the workload.
    pub workload: String,
    /// Offered load, percent.
    pub load: f64,
    /// Scheduler whose cost and idle memory decide which others are admitted.
    pub baseline: String,
    /// Keys of the metrics that rank: the primary figure and its guard.
    pub ranked_by: [&'static str; 2],
    /// Smallest number of seeds that any of the schedulers played.
    pub seeds: u32,
    /// Admitted ones first, then by `beats − beaten_by`, then by primary slowdown.
    pub ranks: Vec<Rank>,
}

/// Ranks all schedulers on every workload at every load; references take no part. `tolerance` is a fraction: 0.05
/// admits schedulers that cost at most 5% more than the baseline and whose idle memory exceeds the baseline's by at
/// most 5% of all memory that the baseline holds (GB·s, idle and not). A fraction of the idle memory alone would admit
/// no scheduler where a crowded cluster leaves no memory idle.
///
/// # Errors
/// When the baseline has no results or is a reference.
pub fn strongest(results: &Results, baseline: &str, tolerance: f64) -> Result<Vec<Ranking>, EvaluationError> {
    let baseline = &*results.scheduler_called(baseline)?;
    results.check_counted()?;
    if is_reference(baseline) {
        let message =
            format!("`{}` is a reference; a baseline is a scheduler that could be", printable(baseline));
        return Err(EvaluationError::Missing(message));
    }
    let summaries = results.summaries();
    let mut bootstraps = Bootstraps::default();
    let mut rankings = Vec::new();
    for workload in results.workloads() {
        for load in results.loads(workload) {
            let plays = |one: &&Summary| {
                one.workload == workload && one.load == load && !is_reference(&one.scheduler)
            };
            let here: Vec<&Summary> = summaries.iter().filter(plays).collect();
            let judged = Judged::in_results(results, workload);
            let ranks = rank(results, judged, &here, (baseline, tolerance), &mut bootstraps);
            rankings.push(Ranking {
                schema: 1,
                workload: workload.to_owned(),
                load,
                baseline: baseline.to_owned(),
                ranked_by: [judged.primary(), judged.guard()],
                seeds: ranks.iter().map(|rank| rank.seeds).min().unwrap_or(0),
                ranks,
            });
        }
    }
    Ok(rankings)
}

fn rank(
    results: &Results,
    judged: Judged,
    here: &[&Summary],
    (baseline, tolerance): (&str, f64),
    bootstraps: &mut Bootstraps,
) -> Vec<Rank> {
    let mut ranks: Vec<Rank> = here.iter().map(|summary| unranked(results, judged, summary)).collect();
    let measure = ranks.iter().find(|rank| rank.scheduler == baseline).cloned();
    for rank in &mut ranks {
        let within = |mine: f64, its: f64, of: f64| mine.is_nan() || mine <= its + tolerance * of;
        rank.admitted = measure.as_ref().is_none_or(|measure| {
            within(rank.cost_usd, measure.cost_usd, measure.cost_usd)
                && within(rank.idle_gb_seconds, measure.idle_gb_seconds, measure.held_gb_seconds)
        });
    }
    for one in 0..ranks.len() {
        ranks[one].pareto = !ranks.iter().any(|other| dominates(other, &ranks[one]));
        for other in 0..one {
            let pair = [one, other]
                .map(|place| results.find(&here[place].workload, here[place].load, &here[place].scheduler));
            let [Some(mine), Some(its)] = pair else { continue };
            let (better, worse) = match verdict_of(results.scenario(), mine, its, bootstraps) {
                Some(Verdict::Better) => (one, other),
                Some(Verdict::Worse) => (other, one),
                _ => continue,
            };
            ranks[better].beats += u32::from(ranks[worse].admitted);
            ranks[worse].beaten_by += u32::from(ranks[better].admitted);
        }
    }
    let score = |rank: &Rank| i64::from(rank.beats) - i64::from(rank.beaten_by);
    ranks.sort_by(|a, b| {
        (b.admitted, score(b)).cmp(&(a.admitted, score(a))).then(a.slowdown.total_cmp(&b.slowdown))
    });
    ranks
}

fn unranked(results: &Results, judged: Judged, summary: &Summary) -> Rank {
    let scenario = results.scenario();
    let point = results.find(&summary.workload, summary.load, &summary.scheduler);
    let bound = sums_of(scenario).iter().position(|key| *key == "bound_gb_seconds");
    let bound = point.zip(bound).map_or(f64::NAN, |(point, place)| point.total(place));
    let metric = |name: &str| summary.metric(scenario, name).mean;
    Rank {
        scheduler: summary.scheduler.clone(),
        seeds: summary.seeds,
        slowdown: metric(judged.primary()),
        guard: metric(judged.guard()),
        stages: judged.workflows.then(|| [metric("slowdown"), metric("slowdown_mean")]),
        cost_usd: metric("cost_usd"),
        idle_gb_seconds: metric("idle_gb_seconds"),
        held_gb_seconds: bound / f64::from(summary.seeds.max(1)) + metric("idle_gb_seconds"),
        admitted: true,
        pareto: false,
        beats: 0,
        beaten_by: 0,
    }
}

/// What is NaN in both plays no part.
fn dominates(one: &Rank, other: &Rank) -> bool {
    let figures = |rank: &Rank| [rank.slowdown, rank.guard, rank.cost_usd, rank.idle_gb_seconds];
    let pairs =
        || figures(one).into_iter().zip(figures(other)).filter(|(mine, its)| !mine.is_nan() && !its.is_nan());
    pairs().all(|(mine, its)| mine <= its) && pairs().any(|(mine, its)| mine < its)
}
