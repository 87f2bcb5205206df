//! `longshore trace inspect`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use common::name::printable;
use workloads::WorkloadError;
use workloads::trace::{Quantiles, SHARES, TraceSummary};

use super::files::{TraceFileArguments, describe};

/// Functions that the table lists.
const LISTED: usize = 5;
/// Stretches of time in which the rate is shown.
const STRETCHES: usize = 12;

/// `longshore trace inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  longshore trace inspect simulator/data/azure2021/events.csv\n  \
                  longshore trace inspect simulator/data/azure2019/*.csv --svg trace.svg\n  \
                  longshore trace inspect --lenient --json day01/*.csv.gz")]
pub struct InspectArguments {
    /// What to look at.
    #[command(flatten)]
    pub trace: TraceFileArguments,
    /// One JSON object in place of a table.
    #[arg(long)]
    pub json: bool,
    /// Also draws it.
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
}

/// Reads, prints and draws.
///
/// # Errors
/// When a file is missing, damaged or no trace, too much of it was left out, or the picture cannot be written.
pub fn run(arguments: &InspectArguments) -> anyhow::Result<()> {
    if let Some(path) = &arguments.svg {
        durable::check_writable(path).with_context(|| format!("--svg {}", path.display()))?;
    }
    let files = arguments.trace.recognise()?;
    let summary = TraceSummary::read(files, arguments.trace.lenient).map_err(WorkloadError::from)?;
    if let Some(path) = &arguments.svg {
        durable::atomic_write(path, evaluation::trace_picture(&summary)?.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut out = telemetry::stdout();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&summary)?)?;
    } else {
        write!(out, "{}", table(&summary))?;
    }
    // Shown all the same, so that it can be seen what is wrong.
    let path = files.events.or(files.invocations).unwrap_or(Path::new(""));
    Ok(summary.skipped.check(path).map_err(WorkloadError::from)?)
}

fn table(summary: &TraceSummary) -> String {
    let mut text = format!("format  {}\n", summary.format);
    let _ = writeln!(text, "functions  {} in {} applications", summary.functions, summary.applications);
    if let (Some(invocations), Some([first, last])) = (summary.invocations, summary.minutes) {
        let minutes = last - first + 1;
        let rate = invocations as f64 / f64::from(minutes);
        let _ = writeln!(
            text,
            "invocations  {invocations} in {minutes} minutes ({first} to {last}), {rate:.1} a minute"
        );
        let _ = writeln!(text, "over time  {} (a minute, in stretches)", stretches(&summary.by_minute));
    }
    if !summary.triggers.is_empty() {
        let of = |(trigger, functions): (&String, &usize)| format!("{} {functions}", printable(trigger));
        let _ = writeln!(
            text,
            "triggers  {} (functions)",
            summary.triggers.iter().map(of).collect::<Vec<_>>().join(", ")
        );
    }
    if summary.incomplete > 0 {
        let _ = writeln!(
            text,
            "incomplete  {} functions lack durations or memory ({:.2}% of the invocations)",
            summary.incomplete,
            100.0 * summary.incomplete_share
        );
    }
    text.push_str(&describe(&summary.skipped));
    text.push_str(&quantiles(summary));
    text.push_str(&largest(summary));
    text
}

/// Mean rates in equal stretches of time.
fn stretches(by_minute: &[u64]) -> String {
    let length = by_minute.len().div_ceil(STRETCHES).max(1);
    let mean = |counts: &[u64]| format!("{:.0}", counts.iter().sum::<u64>() as f64 / counts.len() as f64);
    by_minute.chunks(length).map(mean).collect::<Vec<_>>().join(" ")
}

fn quantiles(summary: &TraceSummary) -> String {
    let mut header = vec!["distribution".to_owned(), "mean".to_owned()];
    header.extend(SHARES.map(|share| match share {
        0.0 => "least".to_owned(),
        1.0 => "greatest".to_owned(),
        share => format!("p{:.0}", 100.0 * share),
    }));
    let mut table = evaluation::Table::new(header);
    let mut add = |name: &str, values: &Option<Quantiles>| {
        if let Some(values) = values {
            let cells = [values.mean].into_iter().chain(values.at).map(|value| format!("{value:.3}"));
            table.row([name.to_owned()].into_iter().chain(cells));
        }
    };
    add("duration (s)", &summary.duration_seconds);
    add("memory (MB)", &summary.memory_mb);
    if summary.duration_seconds.is_none() && summary.memory_mb.is_none() {
        return String::new();
    }
    format!("\n{table}")
}

fn largest(summary: &TraceSummary) -> String {
    if summary.largest.is_empty() {
        return String::new();
    }
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    let mut table =
        evaluation::Table::new(["largest functions", "invocations", "of invocations", "of running time"]);
    for one in summary.largest.iter().take(LISTED) {
        table.row([
            one.function.chars().take(16).collect(),
            one.invocations.to_string(),
            percent(one.invocation_share),
            one.work_share.map_or_else(|| "?".to_owned(), percent),
        ]);
    }
    format!("\n{table}")
}
