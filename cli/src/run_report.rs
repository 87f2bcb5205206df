//! The end of a run: the best checkpoint beside the heuristics on test seeds that nothing has seen, as a table, a picture
//! and JSON lines in `report/`.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use common::trajectory::Scenario;
use common::{Shutdown, Stream};
use configuration::Config;
use engine::serverless::Part;
use evaluation::{
    Contender, MakeScheduler, Progress, ServerlessPlan, SlotsPlan, evaluate_serverless, evaluate_slots,
    serverless_picture, serverless_table, slots_picture, slots_table,
};
use policy::{Checkpoint, find_checkpoint};
use serde::Serialize;
use workloads::Episodes;

use crate::evaluate::ProgressLine;
use crate::policies::maker;

/// Environments that the policy is asked about together.
const TOGETHER: usize = 256;

/// Receives the progress, and can end it.
struct Watch<'a> {
    progress: Progress<'a>,
    stop: &'a Shutdown,
}

/// Table, picture and records of an evaluation.
struct Comparison {
    table: String,
    picture: String,
    lines: Vec<String>,
}

/// Evaluates the run's best checkpoint and writes `report/`; prints the table, or JSON lines.
///
/// # Errors
/// When there is no usable checkpoint, or a file cannot be written.
pub fn write(config: &Config, run_folder: &Path, json: bool) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::open(&find_checkpoint(run_folder)?)?;
    tracing::info!(
        checkpoint = %checkpoint.folder().display(), version = %checkpoint.manifest.version,
        "evaluating the best checkpoint on test seeds"
    );
    let make = maker(checkpoint, "policy".to_owned(), None);
    let line = ProgressLine::new();
    // The run's own flag is raised by now: it ended the services.
    let watch = Watch { progress: &|advance| line.show(advance), stop: &Shutdown::new() };
    let comparison = match config.simulator.scenario {
        Scenario::Slots => compare_slots(config, &*make, &watch)?,
        Scenario::Serverless => compare_serverless(config, &*make, &watch)?,
    };
    drop(line);
    let folder = run_folder.join("report");
    store(&folder, &comparison).with_context(|| format!("failed to write {}", folder.display()))?;
    let mut stdout = telemetry::stdout();
    if json {
        comparison.lines.iter().try_for_each(|line| writeln!(stdout, "{line}"))?;
    } else {
        write!(stdout, "{}", comparison.table)?;
        writeln!(stdout, "Table, picture and records: {}", folder.display())?;
    }
    Ok(())
}

fn contenders<'a>(config: &Config, make: &'a MakeScheduler<'a>) -> anyhow::Result<Vec<Contender<'a>>> {
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    // A policy that starts from a rule, or learns to decide as one, is compared with it, too.
    let started_from =
        [&config.policy.prior, &config.learner.imitate].into_iter().filter(|name| !name.is_empty());
    for name in config.evaluation.schedulers.iter().chain(started_from) {
        let contender = Contender::by_name(name, config.simulator.scenario)?;
        // Two spellings of one scheduler are one line of the table.
        if !contenders.iter().any(|one| one.name() == contender.name()) {
            contenders.push(contender);
        }
    }
    contenders.push(Contender::Made { name: "policy".to_owned(), make });
    Ok(contenders)
}

fn compare_slots(config: &Config, make: &MakeScheduler<'_>, watch: &Watch<'_>) -> anyhow::Result<Comparison> {
    let evaluation = &config.evaluation;
    let plan = SlotsPlan {
        loads: evaluation.loads.clone(),
        steps: evaluation.steps.clone(),
        episodes: evaluation.test_episodes,
        seed: config.seed,
        stream: Stream::Test,
        threads: evaluation.threads,
        batch: TOGETHER,
    };
    let episodes = Episodes::new(&config.simulator)?;
    let points =
        evaluate_slots(&episodes, &mut contenders(config, make)?, &plan, watch.progress, watch.stop)?;
    Ok(Comparison {
        table: slots_table(&points),
        picture: slots_picture(&points, &["policy"])?,
        lines: lines(&points)?,
    })
}

fn compare_serverless(
    config: &Config,
    make: &MakeScheduler<'_>,
    watch: &Watch<'_>,
) -> anyhow::Result<Comparison> {
    let evaluation = &config.evaluation;
    let plan = ServerlessPlan {
        part: Part::Test,
        loads: vec![config.simulator.serverless.load_percent],
        seeds: evaluation.test_episodes,
        seed: config.seed,
        stream: Stream::Test,
        threads: evaluation.threads,
        batch: TOGETHER,
        workload: config.name.clone(),
    };
    let episodes = Episodes::new(&config.simulator)?;
    let records =
        evaluate_serverless(&episodes, &mut contenders(config, make)?, &plan, watch.progress, watch.stop)?;
    Ok(Comparison {
        table: serverless_table(&records),
        picture: serverless_picture(&records, &["policy"])?,
        lines: lines(&records)?,
    })
}

fn lines<T: Serialize>(records: &[T]) -> anyhow::Result<Vec<String>> {
    records.iter().map(|record| Ok(serde_json::to_string(record)?)).collect()
}

fn store(folder: &Path, comparison: &Comparison) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    durable::atomic_write(&folder.join("table.txt"), comparison.table.as_bytes())?;
    durable::atomic_write(&folder.join("slowdown.svg"), comparison.picture.as_bytes())?;
    let mut text = comparison.lines.join("\n");
    text.push('\n');
    durable::atomic_write(&folder.join("results.jsonl"), text.as_bytes())?;
    Ok(())
}
