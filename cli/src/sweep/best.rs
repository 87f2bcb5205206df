//! `longshore sweep best`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use common::ExitCode;
use common::user_file::read_text;
use sweep::{Layout, Program, State, SweepError, Trial, dominates};

use super::folder::state;
use super::status::{as_json, comparison, value};

/// Bytes of a trial's configuration.
const LARGEST_CONFIG: u64 = 16 << 20;

/// Shows the best trial, or writes its configuration as a file that `longshore train -c` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  longshore sweep best sweeps/slots -o best.toml")]
pub struct BestArguments {
    /// The folder of the study.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The trial; the best one when it is not given.
    #[arg(long)]
    pub trial: Option<u64>,
    /// The configuration to write.
    #[arg(short, long, value_name = "FILE.toml")]
    pub output: Option<PathBuf>,
    /// One JSON object: the trial.
    #[arg(long)]
    pub json: bool,
}

/// Shows or writes.
///
/// # Errors
/// Where there is no such trial, or the file cannot be written.
pub fn run(arguments: &BestArguments) -> anyhow::Result<ExitCode> {
    let state = state(&arguments.folder)?;
    let trial = chosen(&state, arguments.trial)?;
    let mut out = telemetry::stdout();
    if arguments.json {
        let mut all = as_json(&Layout::new(&arguments.folder), &state);
        writeln!(out, "{}", all["trials"][trial.number as usize].take())?;
        if let Some(path) = &arguments.output {
            write(&state, trial, arguments, path)?;
        }
        return Ok(ExitCode::Success);
    }
    writeln!(
        out,
        "trial {}: {} after rung {} of {}",
        trial.number,
        value(&state, trial),
        trial.outcomes.len(),
        state.study.rungs.len()
    )?;
    for (key, value) in &trial.setting {
        writeln!(out, "  {key} = {value}")?;
    }
    lineage(&Layout::new(&arguments.folder), &state, trial, &mut out)?;
    if let Some(scheduler) = state.study.scheduler_of(&trial.setting) {
        writeln!(out, "  scheduler {scheduler}")?;
    }
    if let Some(baseline) = state.trials.first().filter(|baseline| !baseline.outcomes.is_empty()) {
        writeln!(out, "the baseline: {}", value(&state, baseline))?;
    }
    comparison(&Layout::new(&arguments.folder), &state, &mut out)?;
    if arguments.trial.is_none() && state.study.objectives.len() > 1 {
        let front = front(&state);
        writeln!(out, "on the front (no trial is better in everything): trials {front}; 0 is the baseline")?;
    }
    if let Some(path) = &arguments.output {
        write(&state, trial, arguments, path)?;
    }
    Ok(ExitCode::Success)
}

/// Of a copy, what it and those before it went on from, and where its policy is.
fn lineage(
    layout: &Layout,
    state: &State,
    trial: &Trial,
    out: &mut impl std::io::Write,
) -> std::io::Result<()> {
    let mut copy = trial;
    while let Some(from) = copy.copied_from {
        let source = &state.trials[from.trial as usize];
        let set: Vec<String> = source.setting.iter().map(|(key, value)| format!("{key}={value}")).collect();
        writeln!(
            out,
            "  until {} steps it was trial {}: {}",
            state.study.rungs[from.rung].spent,
            from.trial,
            set.join(" ")
        )?;
        copy = source;
    }
    if state.study.racing.rule == sweep::RacingRule::Population {
        let run = layout.run(sweep::RunId { trial: trial.number, seed: 0 });
        writeln!(out, "  its policy, which no fixed setting may reproduce: {}", run.display())?;
    }
    Ok(())
}

fn chosen(state: &State, number: Option<u64>) -> Result<&Trial, SweepError> {
    match number {
        Some(number) => state.trials.get(number as usize).ok_or_else(|| {
            SweepError::Request(format!(
                "the study has no trial {number}; its trials are 0 to {}",
                state.trials.len().saturating_sub(1)
            ))
        }),
        None => state.best().ok_or_else(|| {
            SweepError::Request(
                "no trial has completed a rung yet; `longshore sweep status` shows how far they are"
                    .to_owned(),
            )
        }),
    }
}

/// The trials that none is better than in everything.
fn front(state: &State) -> String {
    let done: Vec<(u64, &sweep::Outcome)> = state
        .trials
        .iter()
        .filter(|trial| trial.outcomes.len() == state.study.rungs.len())
        .filter_map(|trial| Some((trial.number, trial.outcomes.last()?)))
        .collect();
    let on_front = done.iter().filter(|(_, own)| !done.iter().any(|(_, other)| dominates(other, own)));
    on_front.map(|(number, _)| number.to_string()).collect::<Vec<_>>().join(", ")
}

fn write(
    state: &State,
    trial: &Trial,
    arguments: &BestArguments,
    path: &std::path::Path,
) -> anyhow::Result<()> {
    let Program::Train { set, .. } = &state.study.program else {
        return Err(SweepError::Request(
            "the study evaluates a rule, which has no configuration of its own; give the scheduler's name to `longshore evaluate`".to_owned(),
        )
        .into());
    };
    let source = Layout::new(&arguments.folder).config(trial.number);
    let text =
        read_text(&source, LARGEST_CONFIG).with_context(|| format!("cannot read {}", source.display()))?;
    // What all trials had beside the base is not what a person would train with: a shorter training, for example.
    let beside =
        if set.is_empty() { String::new() } else { format!("# All trials had: {}\n", set.join(" ")) };
    let head =
        format!("# Trial {} of study `{}`: {}.\n", trial.number, state.study.name, value(state, trial));
    durable::atomic_write(path, (head + &beside + &text).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    if arguments.json {
        return Ok(());
    }
    let mut out = telemetry::stdout();
    writeln!(out, "wrote {}; `longshore train -c {}` trains it", path.display(), path.display())?;
    if !set.is_empty() {
        writeln!(out, "it holds what the study set for all trials, too: see the second line of the file")?;
    }
    Ok(())
}
