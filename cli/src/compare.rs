//! `longshore compare`: paired differences between schedulers of a results folder, and who is the strongest.

use std::io::Write as _;
use std::path::PathBuf;

use evaluation::{
    Comparison, ENOUGH_SEEDS, EvaluationError, Interval, Ranking, Results, Table, read_results, shown_name,
};
use serde::Serialize;

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
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    pub tolerance: f64,
    /// One JSON object a line in place of tables.
    #[arg(long)]
    pub json: bool,
}

/// Reads, compares and prints.
///
/// # Errors
/// When the folder is none or lacks one of the schedulers.
pub fn run(arguments: &CompareArguments) -> anyhow::Result<()> {
    let (_, results) = read_results(&arguments.results)?;
    let text = if arguments.strongest {
        let baseline = arguments.baseline.as_deref().or_else(|| results.first_scheduler());
        let rankings = evaluation::strongest(&results, baseline.unwrap_or_default(), arguments.tolerance)?;
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

/// Who is compared with whom.
fn pairs(arguments: &CompareArguments, results: &Results) -> anyhow::Result<Vec<(String, String)>> {
    let named = &arguments.schedulers;
    let Some(baseline) = &arguments.baseline else {
        let [one, other] = named.as_slice() else {
            let message = "name two schedulers, or give --baseline or --strongest".to_owned();
            return Err(EvaluationError::Missing(message).into());
        };
        return Ok(vec![(one.clone(), other.clone())]);
    };
    let all: Vec<String> = results.schedulers().into_iter().map(str::to_owned).collect();
    let chosen = if named.is_empty() { all } else { named.clone() };
    let others = chosen.into_iter().filter(|name| name != baseline);
    Ok(others.map(|name| (name, baseline.clone())).collect())
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
    let Comparison { workload, load, scheduler, against, seeds, verdict, .. } = comparison;
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
    let few = if *seeds < ENOUGH_SEEDS {
        format!(" (fewer than {ENOUGH_SEEDS} seeds: do not believe it yet)")
    } else {
        String::new()
    };
    let words = verdict.words(scheduler, against);
    format!("{workload} at {load}% load, {seeds} paired seeds: {words}{few}\n{table}\n")
}

fn ranking_text(ranking: &Ranking) -> String {
    let Ranking { workload, load, baseline, ranks, .. } = ranking;
    let mut table =
        Table::new(["scheduler", "slowdown", "guard", "cost USD", "idle GB·s", "beats", "beaten by", "note"]);
    for rank in ranks {
        let note = match (rank.admitted, rank.pareto) {
            (true, true) => "Pareto",
            (true, false) => "",
            (false, true) => "beyond; Pareto",
            (false, false) => "beyond",
        };
        table.row([
            rank.scheduler.clone(),
            figure(rank.slowdown),
            figure(rank.guard),
            figure(rank.cost_usd),
            figure(rank.idle_gb_seconds),
            rank.beats.to_string(),
            rank.beaten_by.to_string(),
            note.to_owned(),
        ]);
    }
    let best = ranks.first().map_or("nobody", |rank| rank.scheduler.as_str());
    format!(
        "{workload} at {load}% load: strongest at the cost and idle memory of {baseline}: {best} (beyond: above these by more than the tolerance)\n{table}\n"
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
