//! `longshore compare`: paired differences between schedulers of a results folder, and the strongest scheduler.

use std::io::Write as _;
use std::path::PathBuf;

use common::name::printable;
use evaluation::{
    Comparison, ENOUGH_SEEDS, EvaluationError, Interval, Ranking, Results, Table, read_results, shown_name,
};
use serde::Serialize;

use crate::arguments::tolerance;

/// Schedulers of a results folder compared on the same seeds: differences with 95% bootstrap intervals and a verdict.
///
/// A scheduler beats another only where it is lower on one of primary slowdown and guard and not above on the other.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longshore compare runs/azure wait_warm_0.5 --results results/serverless\n  \
                  longshore compare --baseline sjf --results results/serverless\n  \
                  longshore compare --strongest --baseline sjf --tolerance 0.05 --results results/serverless"
)]
pub struct CompareArguments {
    /// Two schedulers, the first against the second; or, with `--baseline`, any number against that one (all by default).
    #[arg(value_name = "SCHEDULER")]
    pub schedulers: Vec<String>,
    /// Folder that `longshore evaluate --out` wrote.
    #[arg(long, value_name = "FOLDER")]
    pub results: PathBuf,
    /// Whom the others are compared with; with `--strongest` whose cost and idle memory are the measure (the first
    /// scheduler of the folder that is no reference by default).
    #[arg(long, value_name = "SCHEDULER")]
    pub baseline: Option<String>,
    /// Ranks all schedulers of each workload and load, those first that cost no more and keep no more memory idle than the
    /// baseline.
    #[arg(long, conflicts_with = "schedulers")]
    pub strongest: bool,
    /// With `--strongest`: cost may be above the baseline's by this share, and idle GB·s by this share of all GB·s that the
    /// baseline's containers hold.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE", value_parser = tolerance, allow_hyphen_values = true)]
    pub tolerance: f64,
    /// One JSON object a line in place of tables.
    #[arg(long)]
    pub json: bool,
}

/// Reads, compares and prints.
///
/// # Errors
/// When the folder holds no results or lacks one of the schedulers.
pub fn run(arguments: &CompareArguments) -> anyhow::Result<()> {
    let (_, results) = read_results(&arguments.results)?;
    let text = if arguments.strongest {
        let baseline = results.baseline(arguments.baseline.as_deref())?;
        let rankings = evaluation::strongest(&results, &baseline, arguments.tolerance)?;
        if arguments.json { lines(&rankings)? } else { rankings.iter().map(ranking_text).collect() }
    } else {
        let mut comparisons = Vec::new();
        for (one, other) in pairs(arguments, &results)? {
            comparisons.extend(evaluation::compare(&results, &one, &other)?);
        }
        if arguments.json { lines(&comparisons)? } else { comparisons.iter().map(comparison_text).collect() }
    };
    write!(telemetry::stdout(), "{text}")?;
    Ok(())
}

/// The pairs of schedulers that are compared.
fn pairs(arguments: &CompareArguments, results: &Results) -> anyhow::Result<Vec<(String, String)>> {
    let named = &arguments.schedulers;
    let Some(baseline) = &arguments.baseline else {
        let [one, other] = named.as_slice() else {
            let message = "name two schedulers, or give --baseline or --strongest".to_owned();
            return Err(EvaluationError::Missing(message).into());
        };
        return Ok(vec![(one.clone(), other.clone())]);
    };
    let baseline = results.scheduler_called(baseline)?;
    let all: Vec<String> = results.schedulers().into_iter().map(str::to_owned).collect();
    let chosen = if named.is_empty() { all } else { named.clone() };
    let mut others: Vec<String> = Vec::new();
    for name in chosen {
        let name = results.scheduler_called(&name)?;
        if name != baseline && !others.contains(&name) {
            others.push(name);
        }
    }
    if others.is_empty() {
        let message = format!(
            "no scheduler is left to compare with `{}`; name another scheduler of the folder",
            printable(&baseline)
        );
        return Err(EvaluationError::Missing(message).into());
    }
    Ok(others.into_iter().map(|name| (name, baseline.clone())).collect())
}

fn lines<T: Serialize>(records: &[T]) -> anyhow::Result<String> {
    let mut text = String::new();
    for record in records {
        text.push_str(&serde_json::to_string(record)?);
        text.push('\n');
    }
    Ok(text)
}

fn comparison_text(comparison: &Comparison) -> String {
    let workload = printable(&comparison.workload);
    let Comparison { load, scheduler, against, seeds, verdict, .. } = comparison;
    let (one, other) = (shown_name(scheduler), shown_name(against));
    let mut table = Table::new(["metric", &one, &other, "difference", "95% interval"]);
    // A reference has a few of the metrics only.
    for one in comparison.differences.iter().filter(|one| one.difference.mean.is_finite()) {
        let Interval { mean, low, high } = one.difference;
        table.row([
            one.metric.to_owned(),
            figure(one.one),
            figure(one.other),
            figure(mean),
            format!("[{}, {}]", figure(low), figure(high)),
        ]);
    }
    let few = few(*seeds);
    let words = verdict.words(scheduler, against);
    format!("{workload} at {load}% load, {seeds} paired seeds: {words}{few}\n{table}\n")
}

fn few(seeds: u32) -> String {
    if seeds < ENOUGH_SEEDS {
        return format!(" (fewer than {ENOUGH_SEEDS} seeds: do not believe it yet)");
    }
    String::new()
}

fn ranking_text(ranking: &Ranking) -> String {
    let Ranking { load, ranks, .. } = ranking;
    let (workload, baseline) = (printable(&ranking.workload), printable(&ranking.baseline));
    let [primary, guard] = ranking.ranked_by;
    let mut header = vec!["scheduler", primary, guard];
    if ranks.iter().any(|rank| rank.stages.is_some()) {
        header.extend(["stages", "stages, mean"]);
    }
    let mut table =
        Table::new(header.into_iter().chain(["cost USD", "idle GB·s", "beats", "beaten by", "note"]));
    for rank in ranks {
        let note = match (rank.admitted, rank.pareto) {
            (true, true) => "Pareto",
            (true, false) => "",
            (false, true) => "beyond; Pareto",
            (false, false) => "beyond",
        };
        let mut row = vec![rank.scheduler.clone(), figure(rank.slowdown), figure(rank.guard)];
        row.extend(rank.stages.iter().flatten().map(|stage| figure(*stage)));
        row.extend([figure(rank.cost_usd), figure(rank.idle_gb_seconds)]);
        row.extend([rank.beats.to_string(), rank.beaten_by.to_string(), note.to_owned()]);
        table.row(row);
    }
    let best = ranks.first().map_or_else(|| "nobody".to_owned(), |rank| printable(&rank.scheduler));
    format!(
        "{workload} at {load}% load, {} seeds: {best} is strongest among those within the cost and idle memory of {baseline}{}\n\
         (in the last column, `beyond` marks who exceeds that cost or idle memory by more than the tolerance)\n{table}\n",
        ranking.seeds,
        few(ranking.seeds)
    )
}

/// Four significant digits.
fn figure(value: f64) -> String {
    let magnitude = value.abs();
    match magnitude {
        _ if value.is_nan() => "–".to_owned(),
        0.0 => "0".to_owned(),
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        10.0.. => format!("{value:.2}"),
        1.0.. => format!("{value:.3}"),
        0.001.. => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}
