//! One scheduler against another on the same seeds, and the verdict.

use common::name::printable;
use common::trajectory::Scenario;
use serde::Serialize;

use crate::error::EvaluationError;
use crate::judged::{Judged, has_workflows};
use crate::metrics::metrics_of;
use crate::reference::is_reference;
use crate::results::{Episode, Point, Results};
use crate::statistics::{Bootstraps, Interval};

/// What the primary figure and its guard say together. A difference counts where its 95% interval excludes zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The first scheduler is lower on one of them and not above on the other.
    Better,
    /// The second scheduler is better.
    Worse,
    /// The first is lower on one of them and above on the other: neither beats the other.
    Mixed,
    /// These seeds show no difference.
    Even,
    /// One of them knows the future: the difference bounds a possible gain and is no verdict.
    Reference,
}

impl Verdict {
    /// From the differences of primary and guard (lower is better).
    #[must_use]
    pub fn of(primary: Interval, guard: Interval) -> Self {
        let lower = |interval: Interval| interval.high < 0.0;
        let above = |interval: Interval| interval.low > 0.0;
        let any_lower = lower(primary) || lower(guard);
        let any_above = above(primary) || above(guard);
        match (any_lower, any_above) {
            (true, false) => Verdict::Better,
            (false, true) => Verdict::Worse,
            (true, true) => Verdict::Mixed,
            (false, false) => Verdict::Even,
        }
    }

    /// The verdict as a sentence that names both schedulers.
    #[must_use]
    pub fn words(self, one: &str, other: &str) -> String {
        let (one, other) = (printable(one), printable(other));
        match self {
            Verdict::Better => format!("{one} beats {other}"),
            Verdict::Worse => format!("{other} beats {one}"),
            Verdict::Mixed => "neither beats the other: lower on one, above on the other".to_owned(),
            Verdict::Even => "no difference that these seeds show".to_owned(),
            Verdict::Reference => {
                "no verdict, for one of them is a reference that knows the future".to_owned()
            }
        }
    }
}

/// A metric of both, and its paired difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedDifference {
    /// Key of the metric.
    pub metric: &'static str,
    /// Mean of the first scheduler, in the unit of the metric.
    pub one: f64,
    /// Mean of the second scheduler, in the unit of the metric.
    pub other: f64,
    /// First minus second scheduler, with its 95% interval, in the unit of the metric.
    pub difference: Interval,
}

/// Two schedulers on one workload at one load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Version of this record; 1.
    pub schema: u32,
    /// Name of the workload.
    pub workload: String,
    /// Offered load, percent.
    pub load: f64,
    /// Canonical name of the first scheduler.
    pub scheduler: String,
    /// Canonical name of the second scheduler.
    pub against: String,
    /// Number of seeds that both played.
    pub seeds: u32,
    /// Paired differences by metric; the first two are primary and guard.
    pub differences: Vec<PairedDifference>,
    /// Conclusion from the primary and guard differences.
    pub verdict: Verdict,
}

/// Compares `one` with `other`, in any spelling, wherever both played, workload by workload and load by load.
///
/// # Errors
/// When one of them is not in the results, they are the same, they share no seed, or nothing was counted.
pub fn compare(results: &Results, one: &str, other: &str) -> Result<Vec<Comparison>, EvaluationError> {
    results.check_counted()?;
    let (one, other) = (&*results.scheduler_called(one)?, &*results.scheduler_called(other)?);
    if one == other {
        let message = format!("`{}` cannot be compared with itself; name two schedulers", printable(one));
        return Err(EvaluationError::Missing(message));
    }
    let mut bootstraps = Bootstraps::default();
    let mut comparisons = Vec::new();
    for workload in results.workloads() {
        for load in results.loads(workload) {
            let pair = (results.find(workload, load, one), results.find(workload, load, other));
            if let (Some(one), Some(other)) = pair {
                comparisons.extend(compare_points(results.scenario(), one, other, &mut bootstraps));
            }
        }
    }
    if comparisons.is_empty() {
        return Err(EvaluationError::Missing(format!(
            "`{}` and `{}` share no workload, load and seed",
            printable(one),
            printable(other)
        )));
    }
    Ok(comparisons)
}

/// `None` when they share no seed.
pub(crate) fn compare_points(
    scenario: Scenario,
    one: &Point,
    other: &Point,
    bootstraps: &mut Bootstraps,
) -> Option<Comparison> {
    let pairs = paired(one, other);
    let judged = judged(scenario, one, other);
    let differences: Vec<PairedDifference> =
        judged.compared.iter().map(|key| difference(scenario, key, &pairs, bootstraps)).collect();
    (!pairs.is_empty()).then(|| Comparison {
        schema: 1,
        workload: one.cell.workload.to_string(),
        load: one.cell.load,
        scheduler: one.cell.scheduler.to_string(),
        against: other.cell.scheduler.to_string(),
        seeds: pairs.len() as u32,
        verdict: if [one, other].iter().any(|point| is_reference(&point.cell.scheduler)) {
            Verdict::Reference
        } else {
            Verdict::of(differences[0].difference, differences[1].difference)
        },
        differences,
    })
}

/// Primary and guard alone, for rankings.
pub(crate) fn verdict_of(
    scenario: Scenario,
    one: &Point,
    other: &Point,
    bootstraps: &mut Bootstraps,
) -> Option<Verdict> {
    let pairs = paired(one, other);
    if pairs.is_empty() {
        return None;
    }
    let judged = judged(scenario, one, other);
    let [primary, guard] = [judged.primary(), judged.guard()]
        .map(|key| difference(scenario, key, &pairs, bootstraps).difference);
    Some(Verdict::of(primary, guard))
}

fn judged(scenario: Scenario, one: &Point, other: &Point) -> Judged {
    Judged::of(scenario, has_workflows(one) || has_workflows(other))
}

fn paired<'a>(one: &'a Point, other: &'a Point) -> Vec<(&'a Episode, &'a Episode)> {
    let both = |(seed, mine): (&u32, &'a Episode)| other.episodes.get(seed).map(|its| (mine, its));
    one.episodes.iter().filter_map(both).collect()
}

fn difference(
    scenario: Scenario,
    key: &'static str,
    pairs: &[(&Episode, &Episode)],
    bootstraps: &mut Bootstraps,
) -> PairedDifference {
    if scenario == Scenario::Slots {
        let bootstrap = bootstraps.of(pairs.len());
        let ratios = |one: &Episode| match key {
            "slowdown" => (one.sums[0], one.sums[1]),
            _ => (one.sums[2], one.sums[1] + one.sums[2]),
        };
        let ones: Vec<(f64, f64)> = pairs.iter().map(|(one, _)| ratios(one)).collect();
        let others: Vec<(f64, f64)> = pairs.iter().map(|(_, other)| ratios(other)).collect();
        let pooled = |episodes: &[(f64, f64)]| {
            episodes.iter().map(|one| one.0).sum::<f64>() / episodes.iter().map(|one| one.1).sum::<f64>()
        };
        let (one, other) = (pooled(&ones), pooled(&others));
        return PairedDifference {
            metric: key,
            one,
            other,
            difference: bootstrap.of_ratio(&ones, Some(&others)),
        };
    }
    let place = metrics_of(scenario).iter().position(|metric| metric.key == key);
    let value = |episode: &Episode| place.map_or(f64::NAN, |place| episode.figures[place]);
    // Pairs with an episode in which nothing was measured (one without arrivals) are left out.
    let values: Vec<(f64, f64)> = pairs
        .iter()
        .map(|(one, other)| (value(one), value(other)))
        .filter(|(one, other)| one.is_finite() && other.is_finite())
        .collect();
    let differences: Vec<f64> = values.iter().map(|(one, other)| one - other).collect();
    let mean = |pick: fn(&(f64, f64)) -> f64| values.iter().map(pick).sum::<f64>() / values.len() as f64;
    PairedDifference {
        metric: key,
        one: mean(|pair| pair.0),
        other: mean(|pair| pair.1),
        difference: bootstraps.of(differences.len()).of_mean(&differences),
    }
}
