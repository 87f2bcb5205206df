//! Everyone in turn on everything.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use configuration::Storage;
use tch::Device;

use crate::contender::{Contender, contenders};
use crate::graph_file;
use crate::measure::{Measurement, Order, kilobytes};
use crate::work::{Pass, Work};

/// Edges that the timed passes of one turn go over, roughly.
const EDGES_A_TURN: usize = 3_000_000;
/// Most memory that a peer may take, GB.
const MOST_MEMORY: f64 = 18.0;
/// Memory that is left to other programs, GB.
const SPARED: f64 = 1.5;

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Sizes of the graphs, edges.
    pub edges: Vec<usize>,
    /// Kinds of work: those of [`Work::KINDS`].
    pub kinds: Vec<String>,
    /// Threads of each process.
    pub threads: usize,
    /// Each contender's turns on one piece of work; the median is over all of them.
    pub rounds: u32,
    /// How this project's networks keep projections: one contender each.
    pub storages: Vec<Storage>,
    /// Where everyone computes.
    pub device: Device,
    /// Folder of the peers' environments (`pyg`, `dgl`); without it they are left out.
    pub peers: Option<PathBuf>,
    /// Where the graph files are written for them.
    pub graphs: PathBuf,
    /// Path of this program's executable, started for each turn.
    pub program: PathBuf,
}

/// What became of one contender.
#[derive(Clone, Debug)]
pub struct Row {
    /// Work that was measured.
    pub work: Work,
    /// What was timed.
    pub pass: Pass,
    /// Name of the contender.
    pub contender: &'static str,
    /// Whether it is this project's.
    pub ours: bool,
    /// How it went.
    pub outcome: Outcome,
}

/// Figures, or why there are none.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Seconds of all passes, ascending, and the most memory of all turns, MB.
    Timed(Vec<f64>, f64),
    /// Why it has none.
    Failed(String),
}

impl Outcome {
    /// Median seconds of a pass.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        match self {
            Outcome::Timed(seconds, _) => {
                Some((seconds[(seconds.len() - 1) / 2] + seconds[seconds.len() / 2]) / 2.0)
            }
            Outcome::Failed(_) => None,
        }
    }
}

/// Measures all of `plan`. After each piece of work `done` gets all rows so far, and those of that work with all its contenders.
///
/// # Errors
/// When a graph file cannot be written, a process cannot be started, or `done` fails.
pub fn compare(plan: &Plan, mut done: impl FnMut(&[Row], &[Row]) -> Result<()>) -> Result<Vec<Row>> {
    let sizes = |work: fn(usize) -> Work| plan.edges.iter().map(move |edges| work(*edges));
    let works = sizes(Work::PowerLaw).chain([Work::Batch]).chain(sizes(Work::State)).chain([Work::States]);
    let works = works.filter(|work| plan.kinds.iter().any(|kind| kind == work.kind()));
    let mut all = Vec::new();
    for work in works {
        let graph = plan.graphs.join(format!("{work}.graph"));
        if plan.peers.is_some() {
            graph_file::write(&graph, &work.graph())?;
        }
        for pass in [Pass::Epoch, Pass::Inference] {
            let known = all.len();
            all.extend(take_turns(plan, work, pass, &graph)?);
            done(&all, &all[known..])?;
        }
    }
    Ok(all)
}

/// Every contender once a round, so that whatever else the machine does falls on all alike.
fn take_turns(plan: &Plan, work: Work, pass: Pass, graph: &Path) -> Result<Vec<Row>> {
    let contenders = contenders(work, plan.device, &plan.storages, plan.peers.as_deref());
    let repeats = (EDGES_A_TURN / work.edges().max(1)).clamp(2, 30);
    let order = Order { work, pass, threads: plan.threads, device: plan.device, repeats };
    let mut outcomes: HashMap<&str, Outcome> = HashMap::new();
    for round in 1..=plan.rounds {
        for contender in &contenders {
            let outcome = outcomes.entry(contender.name).or_insert(Outcome::Timed(Vec::new(), 0.0));
            if let Outcome::Timed(seconds, peak_mb) = outcome {
                tracing::info!(%work, %pass, contender = contender.name, round, rounds = plan.rounds, "measuring");
                match turn(plan, contender, &order, graph)? {
                    Measurement { error: Some(error), .. } => *outcome = Outcome::Failed(error),
                    measurement => {
                        seconds.extend(measurement.seconds);
                        seconds.sort_by(f64::total_cmp);
                        *peak_mb = peak_mb.max(measurement.peak_mb);
                    }
                }
            }
        }
    }
    let row = |contender: &Contender| {
        let outcome = outcomes.remove(contender.name)?;
        Some(Row { work, pass, contender: contender.name, ours: contender.is_ours(), outcome })
    };
    Ok(contenders.iter().filter_map(row).collect())
}

/// One process, from its start to its end.
fn turn(plan: &Plan, contender: &Contender, order: &Order, graph: &Path) -> Result<Measurement> {
    let output = contender
        .command(&plan.program, order, graph, memory_gb())
        .output()
        .with_context(|| format!("cannot start {}", contender.name))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let printed = stdout.lines().rev().find_map(|line| serde_json::from_str::<Measurement>(line).ok());
    Ok(printed
        .filter(|measurement| measurement.error.is_some() || !measurement.seconds.is_empty())
        .unwrap_or_else(|| {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
            let error = format!("{}: {}", output.status, last.trim());
            Measurement { error: Some(error), ..Measurement::default() }
        }))
}

/// What a peer may take now, GB.
fn memory_gb() -> f64 {
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kilobytes(&text, "MemAvailable:"));
    free.map_or(MOST_MEMORY, |kilobytes| (kilobytes / 1_048_576.0 - SPARED).clamp(1.0, MOST_MEMORY))
}

/// The slope of the least-squares line through log(seconds) over log(edges); `None` with fewer than two sizes.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(edges, seconds)| (edges.ln(), seconds.ln())).collect();
    let count = logs.len() as f64;
    let (x, y) = logs.iter().fold((0.0, 0.0), |(x, y), log| (x + log.0 / count, y + log.1 / count));
    let spread: f64 = logs.iter().map(|log| (log.0 - x).powi(2)).sum();
    let joint: f64 = logs.iter().map(|log| (log.0 - x) * (log.1 - y)).sum();
    (spread > 0.0).then(|| joint / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_exponents() {
        let power = |exponent: f64| [1e5_f64, 1e6, 1e7].map(|edges| (edges, 3.0 * edges.powf(exponent)));
        assert!((slope(&power(1.0)).unwrap() - 1.0).abs() < 1e-9);
        assert!((slope(&power(1.5)).unwrap() - 1.5).abs() < 1e-9);
        assert_eq!(slope(&[(1e5, 1.0)]), None);
    }

    #[test]
    fn medians_lie_in_the_middle() {
        assert_eq!(Outcome::Timed(vec![1.0, 2.0, 9.0], 0.0).median(), Some(2.0));
        assert_eq!(Outcome::Timed(vec![1.0, 2.0], 0.0).median(), Some(1.5));
        assert_eq!(Outcome::Failed(String::new()).median(), None);
    }
}
