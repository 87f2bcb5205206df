//! Scenario `serverless`: every metric with its interval over seeds, and paired differences on the same seeds.

use std::collections::BTreeMap;

use common::trajectory::Scenario;
use common::{RunSeed, Stream};
use serde::Serialize;
use simulator::serverless::Part;
use simulator::{Episodes, Simulation};

use crate::contender::Contender;
use crate::error::EvaluationError;
use crate::metrics::{METRICS, figures};
use crate::play::{DecisionTimes, Match, Progress};
use crate::slots::in_order_of_appearance;
use crate::statistics::{Interval, bootstrap_interval};
use crate::table::Table;

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerlessPlan {
    /// Which part of the workload.
    pub part: Part,
    /// Offered loads, percent.
    pub loads: Vec<f64>,
    /// Episodes of each load, each with a seed of its own.
    pub seeds: u32,
    /// Seed, and the stream that the episodes are taken from.
    pub seed: RunSeed,
    /// See `seed`.
    pub stream: Stream,
    /// Threads over which heuristics are spread; 0: every core.
    pub threads: usize,
    /// Environments that a single scheduler is asked about together.
    pub batch: usize,
    /// Name of the workload in records.
    pub workload: String,
}

/// A paired difference: the scheduler of the record minus the other, on the same seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The other.
    pub against: String,
    /// Key of the metric.
    pub metric: &'static str,
    /// Mean difference with its interval.
    #[serde(flatten)]
    pub interval: Interval,
}

/// One scheduler at one load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerlessRecord {
    /// Version of this record; 1.
    pub schema: u32,
    /// `serverless`.
    pub scenario: Scenario,
    /// Which workload.
    pub workload: String,
    /// Offered load, percent.
    pub load: f64,
    /// Who.
    pub scheduler: String,
    /// Seeds.
    pub seeds: u32,
    /// Invocations that count, over all seeds.
    pub invocations: u64,
    /// Counted time, mean over seeds, seconds.
    pub seconds: f64,
    /// Each metric with its 95% interval over seeds.
    #[serde(flatten)]
    pub metrics: BTreeMap<&'static str, Interval>,
    /// Wall time of a decision, median, microseconds (a batched one counts in equal parts).
    pub decision_us_p50: f64,
    /// The same, 99th percentile.
    pub decision_us_p99: f64,
    /// Primary and guard against every other scheduler of the evaluation.
    pub differences: Vec<Difference>,
    /// Each metric of each seed, for further comparisons.
    #[serde(skip)]
    pub by_seed: Vec<[f64; METRICS.len()]>,
}

struct Kept {
    figures: [f64; METRICS.len()],
    invocations: u64,
    seconds: f64,
}

/// Plays every contender on the same seeds: loads × contenders, in this order.
///
/// # Errors
/// When a scheduler is unknown, fails, or chooses something impossible; when the configuration is of another scenario.
pub fn evaluate_serverless(
    episodes: &Episodes,
    contenders: &mut [Contender<'_>],
    plan: &ServerlessPlan,
    progress: Progress<'_>,
) -> Result<Vec<ServerlessRecord>, EvaluationError> {
    if episodes.scenario() != Scenario::Serverless {
        return Err(EvaluationError::WrongScenario {
            found: episodes.scenario(),
            expected: Scenario::Serverless,
        });
    }
    let seeds = u64::from(plan.seeds);
    let total = (plan.loads.len() * contenders.len()) as u64 * seeds;
    let mut records = Vec::new();
    for &load in &plan.loads {
        let make = |number: u64, follow: bool| {
            episodes.serverless(plan.seed.episode(plan.stream, number), plan.part, load / 100.0, follow)
        };
        let first = records.len();
        for contender in &mut *contenders {
            let before = records.len() as u64 * seeds;
            let game = Match {
                scenario: Scenario::Serverless,
                episodes: seeds,
                threads: plan.threads,
                batch: plan.batch,
                make: &make,
                summarise: &keep,
                progress: &|done, _| progress(before + done, total),
            };
            let (kept, times) = game.play(contender)?;
            records.push(record(&kept, &times, load, contender.name(), plan));
        }
        add_differences(&mut records[first..]);
    }
    Ok(records)
}

fn keep(simulation: &Simulation) -> Kept {
    let outcome = simulation.as_serverless().expect("a serverless plan makes serverless episodes").outcome();
    Kept {
        figures: figures(&outcome),
        invocations: outcome.slowdowns.count(),
        seconds: outcome.usage.seconds,
    }
}

fn record(
    kept: &[Kept],
    times: &DecisionTimes,
    load: f64,
    scheduler: String,
    plan: &ServerlessPlan,
) -> ServerlessRecord {
    let interval =
        |place: usize| bootstrap_interval(&kept.iter().map(|one| one.figures[place]).collect::<Vec<_>>());
    ServerlessRecord {
        schema: 1,
        scenario: Scenario::Serverless,
        workload: plan.workload.clone(),
        load,
        scheduler,
        seeds: kept.len() as u32,
        invocations: kept.iter().map(|one| one.invocations).sum(),
        seconds: kept.iter().map(|one| one.seconds).sum::<f64>() / kept.len().max(1) as f64,
        metrics: METRICS.iter().enumerate().map(|(place, metric)| (metric.key, interval(place))).collect(),
        decision_us_p50: times.quantile_us(0.5),
        decision_us_p99: times.quantile_us(0.99),
        differences: Vec::new(),
        by_seed: kept.iter().map(|one| one.figures).collect(),
    }
}

/// Pairs the records of one load with each other.
fn add_differences(records: &mut [ServerlessRecord]) {
    for one in 0..records.len() {
        let mut differences = Vec::new();
        for (other, against) in records.iter().enumerate().filter(|(other, _)| *other != one) {
            for (place, metric) in METRICS.iter().enumerate().take(2) {
                let pairs = records[one].by_seed.iter().zip(&records[other].by_seed);
                let values: Vec<f64> = pairs.map(|(mine, its)| mine[place] - its[place]).collect();
                let interval = bootstrap_interval(&values);
                differences.push(Difference {
                    against: against.scheduler.clone(),
                    metric: metric.key,
                    interval,
                });
            }
        }
        records[one].differences = differences;
    }
}

/// The records as one table a load.
#[must_use]
pub fn serverless_table(records: &[ServerlessRecord]) -> String {
    let mut text = String::new();
    for load in in_order_of_appearance(records.iter().map(|record| record.load.to_bits())) {
        let here: Vec<&ServerlessRecord> =
            records.iter().filter(|record| record.load.to_bits() == load).collect();
        let Some(first) = here.first() else { continue };
        text.push_str(&format!(
            "{} at {}% load: {} seeds of {:.0} s, {} invocations in all; means with 95% bootstrap intervals over seeds\n",
            first.workload,
            f64::from_bits(load),
            first.seeds,
            first.seconds,
            first.invocations,
        ));
        text.push_str(&table(&here).to_string());
        text.push('\n');
    }
    text
}

/// Schedulers across, metrics down.
fn table(records: &[&ServerlessRecord]) -> Table {
    let names = records.iter().map(|record| record.scheduler.clone());
    let mut table = Table::new(std::iter::once("metric".to_owned()).chain(names));
    for metric in &METRICS {
        let cells = records.iter().map(|record| {
            let Interval { mean, low, high } = record.metrics[metric.key];
            format!("{} [{}, {}]", short(mean), short(low), short(high))
        });
        table.row(std::iter::once(metric.key.to_owned()).chain(cells));
    }
    let times = records
        .iter()
        .map(|record| format!("{} / {}", short(record.decision_us_p50), short(record.decision_us_p99)));
    table.row(std::iter::once("decision µs p50 / p99".to_owned()).chain(times));
    if let Some(base) = records.first() {
        for metric in METRICS.iter().take(2) {
            let cells = records.iter().map(|record| difference_cell(record, &base.scheduler, metric.key));
            table.row(std::iter::once(format!("{} − {}'s", metric.key, base.scheduler)).chain(cells));
        }
    }
    table
}

fn difference_cell(record: &ServerlessRecord, against: &str, metric: &str) -> String {
    let found = record.differences.iter().find(|one| one.against == against && one.metric == metric);
    found.map_or_else(
        || "–".to_owned(),
        |one| {
            format!(
                "{} [{}, {}]",
                short(one.interval.mean),
                short(one.interval.low),
                short(one.interval.high)
            )
        },
    )
}

/// Three significant digits.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        "–".to_owned()
    } else if magnitude >= 100.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else if magnitude >= 1.0 || magnitude == 0.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}
