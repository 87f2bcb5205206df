//! Episodes that are recorded for the report.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use common::name::printable;
use common::trajectory::Scenario;
use engine::{Interests, Scheduler};
use evaluation::{Cell, Contender, EvaluationError, Grid, Results, Workload, middle_load, strongest};
use heuristics::heuristic;

/// Tolerance of cost and idle memory that [`strongest`] is called with, a fraction.
const TOLERANCE: f64 = 0.05;

/// Records the first seed of every workload of the grid at the load that the report shows: with the strongest scheduler,
/// the first one, and those of `also`. What is recorded already is left.
///
/// # Errors
/// When a scheduler cannot be made or fails, or the disk refuses.
pub fn record(
    grid: &Grid<'_>,
    contenders: &[Contender<'_>],
    results: &Results,
    also: &[String],
    folder: &Path,
) -> anyhow::Result<()> {
    let Some(first) = results.first_scheduler() else { return Ok(()) };
    let also: Vec<String> = also
        .iter()
        .map(|name| results.scheduler_called(name))
        .collect::<Result<_, _>>()
        .context("--record")?;
    let rankings = strongest(results, first, TOLERANCE)?;
    for workload in &grid.workloads {
        let load = middle_load(&results.loads(&workload.name));
        let here = rankings.iter().find(|one| *one.workload == *workload.name && one.load == load);
        let best = here.and_then(|ranking| ranking.ranks.first()).map(|rank| rank.scheduler.as_str());
        let mut names: Vec<&str> = best.into_iter().chain([first]).collect();
        names.extend(also.iter().map(String::as_str));
        names.dedup();
        for name in names {
            record_one(grid, workload, load, contenders, name, folder)?;
        }
    }
    Ok(())
}

fn record_one(
    grid: &Grid<'_>,
    workload: &Workload<'_>,
    load: f64,
    contenders: &[Contender<'_>],
    name: &str,
    folder: &Path,
) -> anyhow::Result<()> {
    let cell = Cell { workload: workload.name.clone(), load, scheduler: Arc::from(name) };
    if evaluation::recording_path(folder, &cell).exists() {
        return Ok(());
    }
    // A policy that an earlier command evaluated is not loaded now.
    let Some(mut scheduler) = make(contenders, name)? else { return Ok(()) };
    tracing::info!(name = printable(name), workload = &*workload.name, "recording an episode");
    let interests = Interests { events: true, ..scheduler.interests() };
    let simulation = workload.episode(grid.seed.episode(grid.stream, 0), load, interests);
    let recording = evaluation::record_episode(simulation, &mut *scheduler, &cell, 0)?;
    evaluation::write_recording(folder, &recording)?;
    Ok(())
}

fn make(contenders: &[Contender<'_>], name: &str) -> Result<Option<Box<dyn Scheduler>>, EvaluationError> {
    match contenders.iter().find(|one| one.name() == name) {
        Some(Contender::Made { make, .. }) => Ok(Some(make()?)),
        // A reference is computed, not played.
        Some(Contender::Reference(_)) => Ok(None),
        Some(_) => Ok(Some(heuristic(name, Scenario::Serverless)?)),
        None => Ok(heuristic(name, Scenario::Serverless).ok()),
    }
}
