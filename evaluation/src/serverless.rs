//! Scenario `serverless`: every metric with its interval over seeds, and paired differences on the same seeds.

use std::collections::BTreeMap;

use common::name::printable;
use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use engine::serverless::Part;
use serde::Serialize;
use workloads::Episodes;

use crate::contender::Contender;
use crate::error::EvaluationError;
use crate::grid::{Grid, Kind, Workload};
use crate::judged::Judged;
use crate::metrics::{METRICS, Metric};
use crate::reference::{is_reference, shown_name};
use crate::results::{Episode, Point, Results, Summary, in_order_of_appearance};
use crate::statistics::{Bootstraps, Interval};
use crate::table::Table;
use crate::tally::Progress;

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerlessPlan {
    /// Which part of the workload.
    pub part: Part,
    /// Offered loads, percent.
    pub loads: Vec<f64>,
    /// Number of episodes of each load, each with a seed of its own.
    pub seeds: u32,
    /// Seed from which all episodes derive.
    pub seed: RunSeed,
    /// Stream of the seed from which the episodes are drawn.
    pub stream: Stream,
    /// Threads over which episodes are spread; 0: every core.
    pub threads: usize,
    /// Number of environments in one batch of a learnt policy.
    pub batch: usize,
    /// Name of the workload in records.
    pub workload: String,
}

/// A paired difference: the scheduler of the record minus the other, on the same seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Canonical name of the other scheduler.
    pub against: String,
    /// Key of the metric.
    pub metric: &'static str,
    /// Mean difference with its 95% interval, in the unit of the metric.
    #[serde(flatten)]
    pub interval: Interval,
}

/// One scheduler at one load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerlessRecord {
    /// Version of this record; 1.
    pub schema: u32,
    /// Always `serverless`.
    pub scenario: Scenario,
    /// Name of the workload.
    pub workload: String,
    /// Offered load, percent.
    pub load: f64,
    /// Canonical name of the scheduler that played.
    pub scheduler: String,
    /// Number of seeds played, one episode each.
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
    /// Each metric by the number of the seed, for further comparisons.
    #[serde(skip)]
    pub by_seed: BTreeMap<u32, [f64; METRICS.len()]>,
}

impl ServerlessRecord {
    /// Whether whole workflows were measured.
    fn has_workflows(&self) -> bool {
        self.metrics[Judged::of(Scenario::Serverless, true).primary()].mean.is_finite()
    }
}

/// What these records of one workload are judged by.
pub(crate) fn judged<'a>(records: impl IntoIterator<Item = &'a ServerlessRecord>) -> Judged {
    Judged::of(Scenario::Serverless, records.into_iter().any(ServerlessRecord::has_workflows))
}

/// Plays every contender on the same seeds: loads × contenders, in this order.
///
/// # Errors
/// When a scheduler is unknown, fails, or chooses something impossible; when the configuration is of another scenario;
/// [`EvaluationError::Interrupted`].
pub fn evaluate_serverless(
    episodes: &Episodes,
    contenders: &mut [Contender<'_>],
    plan: &ServerlessPlan,
    progress: Progress<'_>,
    stop: &Shutdown,
) -> Result<Vec<ServerlessRecord>, EvaluationError> {
    let workload = Workload {
        name: plan.workload.as_str().into(),
        episodes,
        kind: Kind::Serverless { part: plan.part },
        loads: plan.loads.clone(),
    };
    let grid = Grid {
        workloads: vec![workload],
        seeds: plan.seeds,
        seed: plan.seed,
        stream: plan.stream,
        threads: plan.threads,
        batch: plan.batch,
    };
    let mut results = Results::new(Scenario::Serverless);
    let mut keep = |record| {
        results.add(record);
        Ok(())
    };
    grid.play(contenders, &|_, _| false, &mut keep, progress, stop)?;
    let names: Vec<String> = contenders.iter().map(Contender::name).collect();
    results.sort(std::slice::from_ref(&plan.workload), &names);
    Ok(serverless_records(&results))
}

/// The points of `serverless` results as records, in their order.
#[must_use]
pub fn serverless_records(results: &Results) -> Vec<ServerlessRecord> {
    let pairs = results.points().iter().zip(results.summaries());
    let mut records: Vec<ServerlessRecord> = pairs.map(|(point, summary)| record(point, summary)).collect();
    let mut first = 0;
    while first < records.len() {
        let (workload, load) = (records[first].workload.clone(), records[first].load);
        let here = |one: &ServerlessRecord| one.workload == workload && one.load == load;
        let count = records[first..].iter().take_while(|one| here(one)).count();
        add_differences(&mut records[first..first + count]);
        first += count;
    }
    records
}

fn record(point: &Point, summary: Summary) -> ServerlessRecord {
    let figures =
        |(seed, episode): (&u32, &Episode)| (*seed, std::array::from_fn(|place| episode.figures[place]));
    ServerlessRecord {
        schema: 1,
        scenario: Scenario::Serverless,
        workload: summary.workload,
        load: summary.load,
        scheduler: summary.scheduler,
        seeds: summary.seeds,
        invocations: summary.invocations,
        seconds: summary.seconds / f64::from(summary.seeds.max(1)),
        metrics: METRICS.iter().map(|metric| metric.key).zip(summary.metrics).collect(),
        decision_us_p50: summary.decision_us_p50,
        decision_us_p99: summary.decision_us_p99,
        differences: Vec::new(),
        by_seed: point.episodes.iter().map(figures).collect(),
    }
}

/// Pairs the records of one load with each other, seed by seed.
fn add_differences(records: &mut [ServerlessRecord]) {
    let mut bootstraps = Bootstraps::default();
    let judged = judged(&*records);
    for one in 0..records.len() {
        let mut differences = Vec::new();
        for (_, against) in records.iter().enumerate().filter(|(other, _)| *other != one) {
            for key in [judged.primary(), judged.guard()] {
                let values = paired(&records[one], against, key);
                let interval = bootstraps.of(values.len()).of_mean(&values);
                let against = against.scheduler.clone();
                differences.push(Difference { against, metric: key, interval });
            }
        }
        records[one].differences = differences;
    }
}

/// Differences of the metric `key`, one a seed: `one` minus `other`, on the seeds on which both have it.
fn paired(one: &ServerlessRecord, other: &ServerlessRecord, key: &str) -> Vec<f64> {
    let Some(place) = METRICS.iter().position(|metric| metric.key == key) else { return Vec::new() };
    let difference = |(seed, mine): (&u32, &[f64; METRICS.len()])| {
        other.by_seed.get(seed).map(|its| mine[place] - its[place])
    };
    one.by_seed.iter().filter_map(difference).filter(|value| value.is_finite()).collect()
}

/// One table for each workload and load: all metrics for up to [`ACROSS`] schedulers, the key metrics for more.
#[must_use]
pub fn serverless_table(records: &[ServerlessRecord]) -> String {
    let mut text = String::new();
    let cells = records.iter().map(|record| (record.workload.as_str(), record.load));
    for (workload, load) in in_order_of_appearance(cells) {
        let at = |record: &&ServerlessRecord| record.workload == workload && record.load == load;
        let here: Vec<&ServerlessRecord> = records.iter().filter(at).collect();
        // References have no simulated time: the heading needs the time of a scheduler.
        let Some(first) = here.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds)) else { continue };
        text.push_str(&format!(
            "{} at {}% load: {} seeds of {:.0} s, {} invocations in all; means with 95% bootstrap intervals over seeds\n\
             {}\n",
            printable(&first.workload),
            load,
            first.seeds,
            first.seconds,
            first.invocations,
            judged(here.iter().copied()).words(),
        ));
        let table = if here.len() > ACROSS { overview(&here) } else { table(&here) };
        text.push_str(&table.to_string());
        text.push('\n');
    }
    text
}

/// Largest number of schedulers that are columns; more are rows, with only the key metrics as columns.
const ACROSS: usize = 6;
const KEY_METRICS: [&str; 9] = [
    "slowdown",
    "slowdown_mean",
    "slowdown_p99",
    "latency_p99",
    "cold_start_rate",
    "idle_gb_seconds",
    "cost_usd",
    "slo_violations",
    "unfinished_rate",
];

/// More columns where slowdowns are those of whole workflows.
const KEY_METRICS_OF_WORKFLOWS: [&str; 3] =
    ["workflow_slowdown_mean", "workflow_slowdown_p99", "workflow_slo_violations"];

/// A row for each scheduler, a column for each key metric.
fn overview(records: &[&ServerlessRecord]) -> Table {
    let of_workflows: &[&str] =
        if judged(records.iter().copied()).workflows { &KEY_METRICS_OF_WORKFLOWS } else { &[] };
    let keys = || of_workflows.iter().chain(&KEY_METRICS);
    let titles = keys().map(|key| (*key).to_owned());
    let mut table = Table::new(std::iter::once("scheduler".to_owned()).chain(titles));
    for record in records {
        let cells = keys().map(|key| cell(record.metrics[key]));
        table.row(std::iter::once(shown_name(&record.scheduler)).chain(cells));
    }
    table
}

/// `mean [low, high]`; a dash for an unknown value, for example a reference's cost.
fn cell(interval: Interval) -> String {
    if !interval.mean.is_finite() {
        return "–".to_owned();
    }
    format!("{} [{}, {}]", short(interval.mean), short(interval.low), short(interval.high))
}

/// A column for each scheduler, a row for each metric.
fn table(records: &[&ServerlessRecord]) -> Table {
    let names = records.iter().map(|record| shown_name(&record.scheduler));
    let mut table = Table::new(std::iter::once("metric".to_owned()).chain(names));
    // A workload without workflows has no figures of them.
    let measured =
        |metric: &&Metric| records.iter().any(|record| record.metrics[metric.key].mean.is_finite());
    for metric in METRICS.iter().filter(measured) {
        let cells = records.iter().map(|record| cell(record.metrics[metric.key]));
        table.row(std::iter::once(metric.key.to_owned()).chain(cells));
    }
    table.row(std::iter::once("decision µs p50 / p99".to_owned()).chain(records.iter().map(times)));
    if let Some(base) = records.iter().find(|one| !is_reference(&one.scheduler)) {
        let judged = judged(records.iter().copied());
        for key in [judged.primary(), judged.guard()] {
            let cells = records.iter().map(|record| difference_cell(record, &base.scheduler, key));
            table.row(std::iter::once(format!("{key} − {}'s", base.scheduler)).chain(cells));
        }
    }
    table
}

/// Decision times in µs; a dash for references, which decide nothing.
fn times(record: &&ServerlessRecord) -> String {
    if record.decision_us_p99 > 0.0 {
        format!("{} / {}", short(record.decision_us_p50), short(record.decision_us_p99))
    } else {
        "–".to_owned()
    }
}

fn difference_cell(record: &ServerlessRecord, against: &str, metric: &str) -> String {
    let found = record.differences.iter().find(|one| one.against == against && one.metric == metric);
    found.map_or_else(|| "–".to_owned(), |one| cell(one.interval))
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
