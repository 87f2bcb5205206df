//! Plays what was asked for, keeps it where a folder was named, and prints.

use std::cell::RefCell;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use configuration::{Config, ConfigError, ServerlessConfig, SimulatorConfig, SlotsConfig};
use evaluation::{
    Contender, EvaluationError, Grid, Kind, Manifest, Results, ResultsFolder, Workload, WorkloadEntry,
};
use serde::Serialize;
use workloads::Episodes;

use super::arguments::{
    EvaluateArguments, EvaluateScenario, ServerlessArguments, SharedArguments, SlotsArguments,
};
use super::entrants::Entrant;
use super::progress::ProgressLine;
use super::record::record;
use crate::arguments::{Names, all_names, once};
use crate::policies::LoadPolicy;

/// Plays and prints.
///
/// # Errors
/// Unknown schedulers, unreadable files, a policy that cannot be loaded or of another scenario, a results folder of
/// something else; [`EvaluationError::Interrupted`] when `stop` was raised.
pub fn run(
    arguments: &EvaluateArguments,
    load_policy: LoadPolicy<'_>,
    stop: &Shutdown,
) -> anyhow::Result<()> {
    match &arguments.scenario {
        EvaluateScenario::Slots(slots) => match &slots.jobs {
            Some(path) => run_jobs(slots, path, load_policy),
            None => run_slots(slots, load_policy, stop),
        },
        EvaluateScenario::Serverless(serverless) => run_serverless(serverless, load_policy, stop),
    }
}

fn run_slots(arguments: &SlotsArguments, load_policy: LoadPolicy<'_>, stop: &Shutdown) -> anyhow::Result<()> {
    let shared = &arguments.shared;
    once("--load", &arguments.load)?;
    warn_of_fractions(&arguments.load);
    once("--steps", &arguments.steps)?;
    let config = SimulatorConfig {
        scenario: Scenario::Slots,
        slots: SlotsConfig::default(),
        serverless: ServerlessConfig::default(),
    };
    let episodes = Episodes::new(&config)?;
    let grid = Grid {
        workloads: evaluation::slots_workloads(&episodes, &arguments.steps, &arguments.load),
        seeds: arguments.episodes,
        seed: RunSeed(shared.seed),
        stream: Stream::Test,
        threads: shared.threads as usize,
        batch: shared.batch as usize,
    };
    let entrants = entrants(&arguments.scheduler, shared, Scenario::Slots, load_policy)?;
    let of_length = |(workload, steps): (&Workload<'_>, &u32)| -> anyhow::Result<WorkloadEntry> {
        entry(&workload.name, &serde_json::json!({ "slots": &config.slots, "steps": steps }))
    };
    let workloads =
        grid.workloads.iter().zip(&arguments.steps).map(of_length).collect::<anyhow::Result<_>>()?;
    let manifest = manifest(Scenario::Slots, &grid, "test", workloads, &entrants);
    let results = play(&grid, &entrants, manifest, shared.out.as_deref(), stop)?;
    check_played(&results)?;
    let points: Vec<_> = results.points().iter().filter_map(evaluation::slots_point).collect();
    if let Some(path) = &shared.svg {
        write_picture(path, &evaluation::slots_picture(&points, &learnt(&entrants))?)?;
    }
    print(&points, shared.json, || evaluation::slots_table(&points))?;
    warn_of_few_seeds(&results);
    Ok(())
}

fn entrants(
    names: &[Names],
    shared: &SharedArguments,
    scenario: Scenario,
    load_policy: LoadPolicy<'_>,
) -> anyhow::Result<Vec<Entrant>> {
    Entrant::all(&all_names(names), scenario, shared.preference.as_deref(), load_policy)
}

fn run_jobs(arguments: &SlotsArguments, path: &Path, load_policy: LoadPolicy<'_>) -> anyhow::Result<()> {
    let sequences = evaluation::read_jobs(path)?;
    let entrants = entrants(&arguments.scheduler, &arguments.shared, Scenario::Slots, load_policy)?;
    let mut contenders: Vec<Contender<'_>> = entrants.iter().map(Entrant::contender).collect();
    let records = evaluation::evaluate_jobs(&sequences, &mut contenders)?;
    print(&records, arguments.shared.json, || {
        let mut table = evaluation::Table::new(["sequence", "scheduler", "jobs", "dropped", "mean slowdown"]);
        for record in &records {
            table.row([
                record.name.clone(),
                record.scheduler.clone(),
                record.start.len().to_string(),
                record.dropped.len().to_string(),
                // Where every job was dropped there is no slowdown.
                if record.slowdown.is_finite() {
                    format!("{:.4}", record.slowdown)
                } else {
                    "–".to_owned()
                },
            ]);
        }
        table.to_string()
    })
}

fn run_serverless(
    arguments: &ServerlessArguments,
    load_policy: LoadPolicy<'_>,
    stop: &Shutdown,
) -> anyhow::Result<()> {
    let shared = &arguments.shared;
    once("--load", &arguments.load)?;
    warn_of_fractions(&arguments.load);
    let configs = load_configs(arguments)?;
    let episodes =
        configs.iter().map(|config| Episodes::new(&config.simulator)).collect::<Result<Vec<_>, _>>()?;
    let (part, stream, part_name) = arguments.part.part();
    let workload = |(config, episodes)| {
        let Config { name, simulator, .. }: &Config = config;
        let configured = || vec![simulator.serverless.load_percent];
        Workload {
            name: Arc::from(name.as_str()),
            episodes,
            kind: Kind::Serverless { part },
            loads: if arguments.load.is_empty() { configured() } else { arguments.load.clone() },
        }
    };
    let grid = Grid {
        workloads: configs.iter().zip(&episodes).map(workload).collect(),
        seeds: arguments.seeds,
        seed: RunSeed(shared.seed),
        stream,
        threads: shared.threads as usize,
        batch: shared.batch as usize,
    };
    let entrants = entrants(&arguments.scheduler, shared, Scenario::Serverless, load_policy)?;
    let entries = configs.iter().map(|config| entry(&config.name, &config.simulator));
    let workloads = entries.collect::<anyhow::Result<_>>()?;
    let manifest = manifest(Scenario::Serverless, &grid, part_name, workloads, &entrants);
    let results = play(&grid, &entrants, manifest, shared.out.as_deref(), stop)?;
    check_played(&results)?;
    if let Some(out) = &shared.out {
        let contenders: Vec<Contender<'_>> = entrants.iter().map(Entrant::contender).collect();
        record(&grid, &contenders, &results, &all_names(&arguments.record), out)?;
    }
    let records = evaluation::serverless_records(&results);
    if let Some(path) = &shared.svg {
        write_picture(path, &evaluation::serverless_picture(&records, &learnt(&entrants))?)?;
    }
    print(&records, shared.json, || evaluation::serverless_table(&records))?;
    warn_of_few_seeds(&results);
    Ok(())
}

/// Refuses results that say nothing.
fn check_played(results: &Results) -> Result<(), EvaluationError> {
    if results.points().is_empty() {
        let message = "no scheduler took part: references have no meaning here; name a rule or a run folder with --scheduler";
        return Err(EvaluationError::Missing(message.to_owned()));
    }
    results.check_counted()
}

/// Prints a warning below the table when the results have too few seeds.
fn warn_of_few_seeds(results: &Results) {
    if let Some(warning) = results.too_few_seeds() {
        tracing::warn!("{warning}");
    }
}

/// A load of 0.7 is 0.7%, and whoever gives it nearly always means 70%.
fn warn_of_fractions(loads: &[f64]) {
    for load in loads.iter().filter(|load| **load <= 2.0) {
        // Rounded: 0.07 × 100 is not 7 in floating point.
        let percent = (load * 10_000.0).round() / 100.0;
        tracing::warn!("--load {load} is {load}%; for {percent}% give --load {percent}");
    }
}

fn load_configs(arguments: &ServerlessArguments) -> anyhow::Result<Vec<Config>> {
    let mut configs: Vec<Config> = Vec::new();
    for path in &arguments.config {
        let config = configuration::load(path, &arguments.settings)?;
        if configs.iter().any(|known| known.name == config.name) {
            return Err(ConfigError::Invalid {
                origin: path.display().to_string(),
                message: format!(
                    "key `name`: is \"{}\", as in another configuration that is given; names tell the workloads apart",
                    config.name
                ),
            }
            .into());
        }
        configs.push(config);
    }
    Ok(configs)
}

fn entry(name: &str, config: &impl Serialize) -> anyhow::Result<WorkloadEntry> {
    let mut config = serde_json::to_value(config)?;
    // The loads that are played are stated, and kept, one by one.
    if let Some(serverless) = config.get_mut("serverless").and_then(serde_json::Value::as_object_mut) {
        serverless.remove("load");
    }
    Ok(WorkloadEntry { name: name.to_owned(), digest: evaluation::digest_of(&config), config })
}

fn manifest(
    scenario: Scenario,
    grid: &Grid<'_>,
    part: &str,
    workloads: Vec<WorkloadEntry>,
    entrants: &[Entrant],
) -> Manifest {
    Manifest {
        schema: 1,
        scenario,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: grid.seed.0,
        part: part.to_owned(),
        seeds: grid.seeds,
        workloads,
        schedulers: entrants.iter().map(Entrant::entry).collect(),
    }
}

/// Plays what is missing; the results also hold what a folder held before.
fn play(
    grid: &Grid<'_>,
    entrants: &[Entrant],
    manifest: Manifest,
    out: Option<&Path>,
    stop: &Shutdown,
) -> anyhow::Result<Results> {
    let mut contenders: Vec<Contender<'_>> = entrants.iter().map(Entrant::contender).collect();
    let line = ProgressLine::new();
    let Some(out) = out else {
        let mut results = Results::new(manifest.scenario);
        let mut keep = |record| {
            results.add(record);
            Ok(())
        };
        let played =
            grid.play(&mut contenders, &|_, _| false, &mut keep, &|advance| line.show(advance), stop);
        interrupted(played, None)?;
        let (workloads, schedulers) = manifest.names();
        results.sort(&workloads, &schedulers);
        return Ok(results);
    };
    let folder = RefCell::new(ResultsFolder::open(out, &manifest)?);
    let is_done = |cell: &evaluation::Cell, seed: u32| folder.borrow().results.contains(cell, seed);
    let mut keep = |record| folder.borrow_mut().append(record);
    let played = grid.play(&mut contenders, &is_done, &mut keep, &|advance| line.show(advance), stop);
    drop(line);
    // Finished episodes are kept, even when the others ended early.
    let results = folder.into_inner().finish()?;
    interrupted(played, Some(out))?;
    Ok(results)
}

/// Adds to an interruption whether finished episodes were kept; other results pass unchanged.
fn interrupted(played: Result<(), EvaluationError>, out: Option<&Path>) -> anyhow::Result<()> {
    match (played, out) {
        (Err(EvaluationError::Interrupted), Some(out)) => {
            let words = "what had finished is kept, and the same command goes on from";
            Err(EvaluationError::Interrupted).context(format!("interrupted; {words} {}", out.display()))
        }
        (Err(EvaluationError::Interrupted), None) => {
            let words = "interrupted; nothing is kept; with --out FOLDER what has finished would be";
            Err(EvaluationError::Interrupted).context(words)
        }
        (other, _) => Ok(other?),
    }
}

/// Names of the policies.
fn learnt(entrants: &[Entrant]) -> Vec<&str> {
    let mut names = Vec::new();
    for entrant in entrants {
        if let Entrant::Policy { name, .. } = entrant {
            names.push(name.as_str());
        }
    }
    names
}

fn print<T: Serialize>(records: &[T], json: bool, table: impl FnOnce() -> String) -> anyhow::Result<()> {
    let mut out = telemetry::stdout();
    if !json {
        write!(out, "{}", table())?;
        return Ok(());
    }
    for record in records {
        writeln!(out, "{}", serde_json::to_string(record)?)?;
    }
    Ok(())
}

fn write_picture(path: &Path, svg: &str) -> anyhow::Result<()> {
    durable::atomic_write(path, svg.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_says_what_is_kept() {
        for (out, words, remedy) in [
            (Some(Path::new("results/a")), "what had finished is kept", "goes on from results/a"),
            (None, "nothing is kept", "--out FOLDER"),
        ] {
            let error = interrupted(Err(EvaluationError::Interrupted), out).unwrap_err();
            let text = common::error_text(error.as_ref());
            assert!(text.contains(words) && text.contains(remedy), "{text}");
            assert_eq!(text.matches("interrupted").count(), 1, "{text}");
            assert_eq!(crate::exit::code_of(&error), common::ExitCode::Interrupted);
        }
        assert!(interrupted(Ok(()), None).is_ok());
    }
}
