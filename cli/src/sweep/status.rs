//! `longshore sweep status` and `stop`, and how a study is shown in words.

use std::io::Write;
use std::path::PathBuf;

use common::ExitCode;
use serde_json::json;
use sweep::{Layout, Origin, Setting, State, Trial, TrialStatus, ask_to_stop, held_out};

use super::folder::{has_coordinator, state};

/// Trials of the leaderboard.
const SHOWN: usize = 10;
/// Lines of the log of a trial that failed.
const LAST_LINES: usize = 3;

/// A study's folder.
#[derive(Debug, clap::Args)]
pub struct FolderArguments {
    /// The folder of the study.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// Shows how far a study is.
#[derive(Debug, clap::Args)]
pub struct StatusArguments {
    /// The folder of the study.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// One JSON object: every trial.
    #[arg(long)]
    pub json: bool,
}

/// Shows a study.
///
/// # Errors
/// Where the folder holds none.
pub fn run(arguments: &StatusArguments) -> anyhow::Result<ExitCode> {
    let state = state(&arguments.folder)?;
    let mut out = telemetry::stdout();
    if arguments.json {
        writeln!(out, "{}", as_json(&Layout::new(&arguments.folder), &state))?;
    } else {
        writeln!(out, "{}", line(&state))?;
        if !has_ended(&state) && !has_coordinator(&arguments.folder) {
            writeln!(
                out,
                "no coordinator runs this study; `longshore sweep resume {}` goes on",
                arguments.folder.display()
            )?;
        }
        leaderboard(&state, &mut out)?;
        comparison(&Layout::new(&arguments.folder), &state, &mut out)?;
    }
    Ok(ExitCode::Success)
}

/// Asks a study's coordinator to end.
///
/// # Errors
/// Where the folder holds no study or cannot be written.
pub fn stop(arguments: &FolderArguments) -> anyhow::Result<ExitCode> {
    state(&arguments.folder)?;
    if !has_coordinator(&arguments.folder) {
        writeln!(telemetry::stdout(), "no coordinator runs this study")?;
        return Ok(ExitCode::Success);
    }
    ask_to_stop(&arguments.folder)?;
    writeln!(telemetry::stdout(), "asked the coordinator to end; runs leave checkpoints first")?;
    Ok(ExitCode::Success)
}

/// One line: trials by what they do, the best one, and the time.
pub fn line(state: &State) -> String {
    let counts = [
        (TrialStatus::Running, "running"),
        (TrialStatus::Waiting, "waiting"),
        (TrialStatus::Paused, "paused"),
        (TrialStatus::Pruned, "pruned"),
        (TrialStatus::Finished, "finished"),
        (TrialStatus::Failed, "failed"),
    ];
    let chosen: Vec<&Trial> = state.trials.iter().filter(|trial| trial.origin != Origin::Baseline).collect();
    let count = |status: TrialStatus| chosen.iter().filter(|trial| state.status(trial) == status).count();
    let counted: Vec<String> = counts
        .into_iter()
        .map(|(status, name)| (count(status), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    // A population goes on with copies of its trials.
    let is_population = state.study.racing.rule == sweep::RacingRule::Population;
    let trials = state.study.budget.trials.filter(|_| !is_population);
    let of = trials.map_or_else(String::new, |trials| format!(" of {trials}"));
    let best = state.best().map_or_else(
        || "no result yet".to_owned(),
        |best| format!("best {} (trial {})", value(state, best), best.number),
    );
    let running = state.running().len();
    if running > 0 && state.running().iter().all(|(run, ..)| run.is_held_out()) {
        return format!("the best trial and the baseline run on held-out seeds: {running} running | {best}");
    }
    let left = left(state)
        .filter(|_| !has_ended(state))
        .map_or_else(String::new, |minutes| format!(" | about {minutes:.0} min left"));
    format!(
        "trials {}{of}: {} | {best} | {:.1} min{left}{}",
        chosen.len(),
        if counted.is_empty() { "none yet".to_owned() } else { counted.join(", ") },
        state.seconds / 60.0,
        if has_ended(state) { " | ended" } else { "" },
    )
}

/// Whether a coordinator would find nothing to do.
fn has_ended(state: &State) -> bool {
    let mut sampler = sweep::Sampler::new(&state.study.sampler, state.study.seed);
    matches!(sweep::next(state, &mut sampler, 1, &[]), Ok(sweep::Step::Done))
}

/// Minutes that are left, from the part of the budget that is used.
fn left(state: &State) -> Option<f64> {
    let budget = &state.study.budget;
    let minutes = state.seconds / 60.0;
    let by_time = budget.minutes.map(|all| (all - minutes).max(0.0));
    let ended = state.trials.iter().filter(|trial| !trial.outcomes.is_empty()).count();
    // In a race trials come back, and nobody knows how many.
    let is_race = state.study.racing.rule != sweep::RacingRule::None;
    let by_trials = budget.trials.filter(|_| ended >= 3 && !is_race).map(|trials| {
        let part = ended as f64 / (trials + 1) as f64;
        (minutes / part - minutes).max(0.0)
    });
    match (by_time, by_trials) {
        (Some(time), Some(trials)) => Some(time.min(trials)),
        (time, trials) => time.or(trials),
    }
}

/// The best trials, and how they did.
///
/// # Errors
/// Where `out` cannot be written.
pub fn leaderboard(state: &State, out: &mut impl Write) -> std::io::Result<()> {
    let ranking = state.ranking();
    let baseline = ranking.iter().position(|number| *number == 0);
    let shown = ranking
        .iter()
        .take(SHOWN)
        .chain(baseline.filter(|place| *place >= SHOWN).map(|place| &ranking[place]));
    let names: Vec<&str> = state.study.objectives.iter().map(|objective| objective.metric.as_str()).collect();
    writeln!(
        out,
        "{:>4}  {:>5}  {:>4}  {:>9}  {:24}  setting",
        "rank",
        "trial",
        "rung",
        "status",
        names.join(", ")
    )?;
    for number in shown {
        let trial = &state.trials[*number as usize];
        let rank = ranking.iter().position(|one| one == number).unwrap_or(0) + 1;
        writeln!(
            out,
            "{rank:>4}  {number:>5}  {:>4}  {:>9}  {:24}  {}",
            trial.outcomes.len(),
            words(state.status(trial)),
            value(state, trial),
            setting(trial),
        )?;
    }
    for (run, attempt, target) in state.running() {
        let spent = state.run(run).map_or(0, sweep::Run::spent);
        writeln!(
            out,
            "running: trial {}, seed {}: {spent} of {target} (start {attempt}; trials/{:04}/jobs/seed-{}.{attempt}.log)",
            run.trial,
            run.seed + 1,
            run.trial,
            run.seed + 1
        )?;
    }
    for trial in state.trials.iter().filter(|trial| state.status(trial) == TrialStatus::Failed) {
        let failure = trial.runs.values().find_map(|run| run.failure.as_ref());
        let (why, log) =
            failure.map_or(("no reason is known", ""), |(why, log)| (why.as_str(), log.as_str()));
        writeln!(out, "trial {} failed: {why}; {}", trial.number, setting(trial))?;
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
            writeln!(out, "    {}", common::name::printable(line))?;
        }
    }
    Ok(())
}

/// The comparison with the baseline on held-out seeds, where it was made.
///
/// # Errors
/// Where `out` cannot be written.
pub fn comparison(layout: &Layout, state: &State, out: &mut impl Write) -> std::io::Result<()> {
    let rows = match held_out(layout, state) {
        Ok(rows) => rows,
        Err(why) => return writeln!(out, "the comparison on held-out seeds cannot be shown: {why}"),
    };
    for row in rows {
        let number = |value: f64| format!("{value:.4}");
        let baseline = row.baseline.map_or(row.best.mean - row.difference.mean, |value| value.mean);
        writeln!(
            out,
            "held-out seeds: {}: best {}, baseline {}, difference {} [{}, {}]: {}",
            row.what,
            number(row.best.mean),
            number(baseline),
            number(row.difference.mean),
            number(row.difference.low),
            number(row.difference.high),
            row.verdict(),
        )?;
    }
    Ok(())
}

fn words(status: TrialStatus) -> &'static str {
    match status {
        TrialStatus::Waiting => "waiting",
        TrialStatus::Running => "running",
        TrialStatus::Paused => "paused",
        TrialStatus::Pruned => "pruned",
        TrialStatus::Finished => "finished",
        TrialStatus::Failed => "failed",
    }
}

fn setting(trial: &Trial) -> String {
    match trial.origin {
        Origin::Baseline => "the baseline".to_owned(),
        _ => shown(&trial.setting) + &trial.copied_from.map_or_else(String::new, copied),
    }
}

fn copied(from: sweep::CopiedFrom) -> String {
    format!(" (from trial {} at rung {})", from.trial, from.rung + 1)
}

fn shown(setting: &Setting) -> String {
    setting.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// What a trial came to at the last rung that it has completed.
pub fn value(state: &State, trial: &Trial) -> String {
    let Some(outcome) = trial.outcomes.last() else { return "–".to_owned() };
    let objective = |(objective, value): (&sweep::Objective, &f64)| {
        let sign = objective.direction.sign();
        format!("{:.4}", sign * value)
    };
    let values: Vec<String> = state.study.objectives.iter().zip(&outcome.objectives).map(objective).collect();
    let missed = if outcome.missed > 0.0 {
        format!(" (over by {:.1}%)", 100.0 * outcome.missed)
    } else {
        String::new()
    };
    format!("{}{missed}", values.join(", "))
}

/// Everything about a study.
pub fn as_json(layout: &Layout, state: &State) -> serde_json::Value {
    let trial = |trial: &Trial| {
        let runs: Vec<serde_json::Value> = trial
            .runs
            .iter()
            .map(|(seed, run)| {
                json!({
                    "seed": seed + 1,
                    "attempts": run.attempts,
                    "spent": run.spent(),
                    "values": run.points.last().map(|(_, values)| values),
                    "failure": run.failure.as_ref().map(|(why, _)| why),
                    "log": run.failure.as_ref().map(|(_, log)| log),
                })
            })
            .collect();
        json!({
            "trial": trial.number,
            "origin": trial.origin,
            "copied_from": trial.copied_from,
            "status": state.status(trial),
            "rung": trial.outcomes.len(),
            "setting": trial.setting,
            "objectives": trial.outcomes.last().map(|outcome| &outcome.objectives),
            "missed": trial.outcomes.last().map(|outcome| outcome.missed + 0.0),
            "runs": runs,
        })
    };
    json!({
        "study": state.study.name,
        "ended": has_ended(state),
        "objectives": state.study.objectives,
        "budget": state.study.budget,
        "minutes": state.seconds / 60.0,
        "best": state.best().map(|best| best.number),
        "held_out": held_out(layout, state).unwrap_or_default().iter().map(compared).collect::<Vec<_>>(),
        "trials": state.trials.iter().map(trial).collect::<Vec<_>>(),
    })
}

fn compared(row: &sweep::Comparison) -> serde_json::Value {
    let value = |value: drawing::Value| json!({ "mean": value.mean, "low": value.low, "high": value.high });
    json!({
        "what": row.what,
        "best": value(row.best),
        "baseline": row.baseline.map(value),
        "difference": value(row.difference),
        "is_better": row.is_better(),
    })
}
