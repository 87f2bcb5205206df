//! What a trace holds, in numbers: read for `longshore trace inspect`.

use std::collections::{BTreeMap, HashMap, HashSet};

use engine::serverless::PercentileCurve;
use serde::Serialize;

use super::azure2019::{Invocations, Memory, mean_seconds, read_durations, total};
use super::azure2021::Azure2021;
use super::error::TraceError;
use super::format::TraceFileSet;
use super::function_key::FunctionKey;
use super::skipped::{Judge, Kept, Skipped};

/// Fractions at which a [`Quantiles`] states values.
pub const SHARES: [f64; 8] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];
/// Places at which the durations of a function that has only percentiles are taken.
const LEVELS: usize = 200;
/// Points of a distribution curve.
const CURVE: usize = 101;

/// How values are distributed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// Weighted mean, in the unit of the values.
    pub mean: f64,
    /// Weighted quantiles at the fractions [`SHARES`].
    pub at: [f64; 8],
    /// Distribution curve: quantiles at 0%, 1%, … 100%.
    #[serde(skip)]
    pub curve: Vec<f64>,
}

impl Quantiles {
    /// Of values with weights; `None` without weight.
    fn of(mut values: Vec<(f64, f64)>) -> Option<Self> {
        values.retain(|(_, weight)| *weight > 0.0);
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = values.iter().map(|(_, weight)| weight).sum();
        let last = values.last()?.0;
        let mut sums = Vec::with_capacity(values.len());
        values.iter().fold(0.0, |sum, (_, weight)| {
            sums.push(sum + weight);
            sum + weight
        });
        let at = |share: f64| {
            let place = sums.partition_point(|sum| *sum < share * total);
            values.get(place).map_or(last, |(value, _)| *value)
        };
        let curve = (0..CURVE).map(|place| at(place as f64 / (CURVE - 1) as f64)).collect();
        let mean = values.iter().map(|(value, weight)| value * weight).sum::<f64>() / total;
        Some(Quantiles { mean, at: SHARES.map(at), curve })
    }
}

/// One of the largest functions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Largest {
    /// Hash of the function.
    pub function: String,
    /// Number of invocations of the function.
    pub invocations: u64,
    /// Fraction (0–1) of all invocations.
    pub invocation_share: f64,
    /// Fraction (0–1) of the run time of all functions, where durations are known.
    pub work_share: Option<f64>,
}

/// What a trace holds. Parts are missing where their files were not given.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TraceSummary {
    /// `azure2019` or `azure2021`.
    pub format: &'static str,
    /// Number of functions with a row in the main one of the given files.
    pub functions: usize,
    /// Number of applications that these functions belong to.
    pub applications: usize,
    /// Number of invocations, where the trace has counts.
    pub invocations: Option<u64>,
    /// First and last minute.
    pub minutes: Option<[u32; 2]>,
    /// Invocations by minute.
    pub by_minute: Vec<u64>,
    /// Number of functions by trigger, where the file has triggers.
    pub triggers: BTreeMap<String, usize>,
    /// Durations in seconds over invocations (over functions where counts are missing).
    pub duration_seconds: Option<Quantiles>,
    /// Memory in MB over the rows of its file.
    pub memory_mb: Option<Quantiles>,
    /// All functions by work (by invocations where durations are missing), the largest first.
    pub largest: Vec<Largest>,
    /// Functions of the main file that lack durations or memory, where those files were given.
    pub incomplete: usize,
    /// Fraction (0–1) of all invocations that belongs to these incomplete functions.
    pub incomplete_share: f64,
    /// Rows that were left out.
    pub skipped: Skipped,
}

impl TraceSummary {
    /// Reads whatever files of a trace there are.
    ///
    /// # Errors
    /// As reading the files one by one. Functions that another file lacks are counted and are no error, and neither is how much
    /// was left out: [`Skipped::check`] says whether it is too much.
    pub fn read(files: TraceFileSet<'_>, lenient: bool) -> Result<Self, TraceError> {
        if let Some(events) = files.events {
            return Ok(of_events(&Azure2021::read_any(events, lenient)?));
        }
        let mut judge = Judge::new(lenient);
        let invocations = files.invocations.map(|path| Invocations::read(path, &mut judge)).transpose()?;
        let durations = files.durations.map(|path| read_durations(path, &mut judge)).transpose()?;
        let memory = files.memory.map(|path| Memory::read(path, &mut judge)).transpose()?;
        let mut summary = of_parts(invocations.as_ref(), durations.as_ref(), memory.as_ref());
        summary.skipped = match &invocations {
            Some(invocations) => finish(judge, invocations, durations.as_ref(), memory.as_ref()),
            None => judge.skipped().clone(),
        };
        Ok(summary)
    }
}

/// Shares of what was left out, as far as the files that were given tell.
fn finish(
    mut judge: Judge,
    invocations: &Invocations,
    durations: Option<&HashMap<FunctionKey, [f64; 7]>>,
    memory: Option<&Memory>,
) -> Skipped {
    let sizes = invocations.application_sizes();
    let properties = |key: &FunctionKey| {
        let size = sizes.get(key.application.as_str()).copied().unwrap_or(1);
        let percentiles = durations.and_then(|durations| durations.get(key));
        (percentiles.map(mean_seconds), memory.and_then(|memory| memory.of(key, size)))
    };
    judge.complete(properties);
    judge.finish(Kept::of(invocations.rows.iter().map(|row| {
        let (seconds, megabytes) = properties(&row.key);
        (total(&row.counts), seconds, megabytes)
    })))
}

fn of_parts(
    invocations: Option<&Invocations>,
    durations: Option<&HashMap<FunctionKey, [f64; 7]>>,
    memory: Option<&Memory>,
) -> TraceSummary {
    let mut summary = TraceSummary { format: "azure2019", ..TraceSummary::default() };
    summary.memory_mb =
        memory.and_then(|memory| Quantiles::of(memory.megabytes.values().map(|mb| (*mb, 1.0)).collect()));
    let Some(invocations) = invocations else {
        let keys = durations.map(|durations| durations.keys().collect::<Vec<_>>());
        let keys = keys.or(memory.map(|memory| memory.megabytes.keys().collect())).unwrap_or_default();
        count_names(&mut summary, keys.into_iter());
        let values = durations.into_iter().flat_map(HashMap::values);
        summary.duration_seconds = Quantiles::of(values.flat_map(|one| levels(one, 1.0)).collect());
        return summary;
    };
    count_names(&mut summary, invocations.rows.iter().map(|row| &row.key));
    summary.minutes = Some(invocations.range());
    summary.by_minute = vec![0; invocations.minutes as usize];
    let mut weighted = Vec::new();
    let mut sizes = Vec::new();
    let mut lacking = 0;
    for row in &invocations.rows {
        row.counts.iter().zip(&mut summary.by_minute).for_each(|(count, sum)| *sum += u64::from(*count));
        if !row.trigger.is_empty() {
            *summary.triggers.entry(row.trigger.clone()).or_default() += 1;
        }
        let count: u64 = row.counts.iter().map(|&count| u64::from(count)).sum();
        let percentiles = durations.and_then(|durations| durations.get(&row.key));
        let start = weighted.len();
        weighted.extend(percentiles.into_iter().flat_map(|one| levels(one, count as f64)));
        let work = weighted[start..].iter().map(|(seconds, weight)| seconds * weight).sum();
        sizes.push((row.key.function.clone(), count, work));
        let known = memory.is_none_or(|memory| memory.knows(&row.key));
        let incomplete = !known || (durations.is_some() && percentiles.is_none());
        if incomplete {
            summary.incomplete += 1;
            lacking += count;
        }
    }
    let all: u64 = summary.by_minute.iter().sum();
    summary.incomplete_share = lacking as f64 / all.max(1) as f64;
    summary.invocations = Some(all);
    summary.duration_seconds = Quantiles::of(weighted);
    summary.largest = largest(sizes, durations.is_some());
    summary
}

fn of_events(trace: &Azure2021) -> TraceSummary {
    let [first, last] = trace.range();
    let mut by_minute = vec![0; (last - first + 1) as usize];
    let mut sizes: Vec<(String, u64, f64)> =
        trace.functions.iter().map(|one| (one.key.function.clone(), 0, 0.0)).collect();
    for event in &trace.events {
        by_minute[(event.minute() - first) as usize] += 1;
        let size = &mut sizes[event.function as usize];
        size.1 += 1;
        size.2 += event.seconds;
    }
    let mut summary = TraceSummary { format: "azure2021", ..TraceSummary::default() };
    count_names(&mut summary, trace.functions.iter().map(|one| &one.key));
    TraceSummary {
        invocations: Some(trace.events.len() as u64),
        minutes: Some([first, last]),
        by_minute,
        duration_seconds: Quantiles::of(trace.events.iter().map(|event| (event.seconds, 1.0)).collect()),
        largest: largest(sizes, true),
        skipped: trace.skipped.clone(),
        ..summary
    }
}

fn count_names<'a>(summary: &mut TraceSummary, keys: impl Iterator<Item = &'a FunctionKey>) {
    let mut applications = HashSet::new();
    for key in keys {
        summary.functions += usize::from(!key.function.is_empty());
        applications.insert(key.application.as_str());
    }
    summary.applications = applications.len();
}

/// Values of a function's inverse CDF in seconds; `weight` is divided evenly among them.
fn levels(percentiles_ms: &[f64; 7], weight: f64) -> impl Iterator<Item = (f64, f64)> + use<> {
    let curve = PercentileCurve { seconds: percentiles_ms.map(|ms| ms / 1000.0), io_share: 0.0 };
    (0..LEVELS)
        .map(move |level| (curve.quantile((level as f64 + 0.5) / LEVELS as f64), weight / LEVELS as f64))
}

fn largest(mut sizes: Vec<(String, u64, f64)>, durations: bool) -> Vec<Largest> {
    let invocations: u64 = sizes.iter().map(|(_, count, _)| count).sum();
    let work: f64 = sizes.iter().map(|(_, _, work)| work).sum();
    let size = |one: &(String, u64, f64)| if durations { one.2 } else { one.1 as f64 };
    sizes.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let share = |(function, count, seconds): (String, u64, f64)| Largest {
        function,
        invocations: count,
        invocation_share: count as f64 / invocations.max(1) as f64,
        work_share: durations.then(|| if work > 0.0 { seconds / work } else { 0.0 }),
    };
    sizes.into_iter().map(share).collect()
}
