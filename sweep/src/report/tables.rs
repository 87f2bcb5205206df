//! The tables of a report.

use drawing::{Value, escape};

use super::look::{short, style, word};
use crate::held_out::Comparison;
use crate::outcome::of_run;
use crate::state::State;
use crate::statistics::mean_of;
use crate::trial::{Trial, TrialStatus};

/// Trials of the leaderboard.
const SHOWN: usize = 20;

pub(super) fn leaderboard(state: &State) -> String {
    let ranking = state.ranking();
    let baseline = ranking.iter().position(|number| *number == 0).filter(|place| *place >= SHOWN);
    let rows: String = ranking
        .iter()
        .enumerate()
        .filter(|(place, _)| *place < SHOWN || Some(*place) == baseline)
        .map(|(place, number)| row(state, place, &state.trials[*number as usize]))
        .collect();
    let objectives: String = state
        .study
        .objectives
        .iter()
        .map(|objective| format!("<th>{}</th>", escape(&objective.metric)))
        .collect();
    let parameters: String = state
        .study
        .space
        .parameters
        .iter()
        .map(|parameter| format!("<th>{}</th>", escape(short(&parameter.key))))
        .collect();
    format!(
        "<p class=\"soft\">Who completed more rungs comes first. Means over the seeds of the last rung that a trial completed, \
         with 95% intervals by Student's t where there are two and more.</p><div class=\"wide\"><table><tr><th>rank</th>\
         <th>trial</th><th>status</th><th>rung</th>{objectives}{parameters}</tr>{rows}</table></div>"
    )
}

fn row(state: &State, place: usize, trial: &Trial) -> String {
    let objectives: String = (0..state.study.objectives.len())
        .map(|objective| format!("<td>{}</td>", interval(&over_seeds(state, trial, objective))))
        .collect();
    let parameters: String = state
        .study
        .space
        .parameters
        .iter()
        .map(|parameter| {
            let value =
                trial.setting.get(&parameter.key).map_or_else(|| "–".to_owned(), crate::space::plain_text);
            format!("<td>{}</td>", escape(&value))
        })
        .collect();
    let style = style(place, trial);
    let sample =
        if style.soft { String::new() } else { format!("<span class=\"sample\">{}</span>", style.sample()) };
    let name = if trial.number == 0 { "baseline".to_owned() } else { trial.number.to_string() };
    let missed = trial.outcomes.last().map_or(0.0, |outcome| outcome.missed);
    let status = word(&state.status(trial)) + if missed > 0.0 { ", over a limit" } else { "" };
    format!(
        "<tr><td>{}{sample}</td><td>{name}</td><td>{status}</td><td>{}</td>{objectives}{parameters}</tr>",
        place + 1,
        trial.outcomes.len()
    )
}

/// An objective of a trial over the seeds of the last rung that it completed.
pub(super) fn over_seeds(state: &State, trial: &Trial, objective: usize) -> Value {
    let Some(rung) = trial.outcomes.len().checked_sub(1).map(|place| state.study.rungs[place]) else {
        return Value::exact(f64::NAN);
    };
    let sign = state.study.objectives[objective].direction.sign();
    let of_seed = |seed: u32| {
        let outcome = of_run(&state.study, &trial.runs.get(&seed)?.points, rung.spent)?;
        Some(sign * outcome.objectives[objective])
    };
    mean_of(&(0..rung.seeds).filter_map(of_seed).collect::<Vec<_>>())
}

fn interval(value: &Value) -> String {
    if value.low.is_finite() && value.high.is_finite() {
        format!("{:.4}<small>{:.4} to {:.4}</small>", value.mean, value.low, value.high)
    } else {
        format!("{:.4}", value.mean)
    }
}

pub(super) fn comparison(state: &State, rows: &[Comparison]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let best = state.held_out.last().copied().unwrap_or_default();
    let row = |row: &Comparison| {
        let class = match row.is_better() {
            Some(true) => "good",
            Some(false) => "bad",
            None => "soft",
        };
        let verdict = row.verdict();
        let baseline = row.baseline.as_ref().map_or_else(|| "–".to_owned(), interval);
        format!(
            "<tr><td>{}</td><td>{}</td><td>{baseline}</td><td>{}</td><td class=\"{class}\">{verdict}</td></tr>",
            escape(&row.what),
            interval(&row.best),
            interval(&row.difference),
        )
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<p class=\"soft\">Differences are paired by seed, with 95% intervals.</p><div class=\"wide\"><table><tr><th>what</th>\
         <th>trial {best}</th><th>baseline</th><th>difference</th><th>verdict</th></tr>{rows}</table></div>"
    )
}

pub(super) fn rungs(state: &State) -> String {
    let chosen: Vec<&Trial> = state.trials.iter().skip(1).collect();
    if state.study.rungs.len() < 2 {
        return String::new();
    }
    let row = |(place, rung): (usize, &crate::Rung)| {
        let count = |is: &dyn Fn(&Trial) -> bool| chosen.iter().filter(|trial| is(trial)).count();
        format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            place + 1,
            rung.spent,
            rung.seeds,
            count(&|trial| trial.outcomes.len() > place),
            count(&|trial| trial.rung > place),
            count(&|trial| trial.pruned == Some(place)),
        )
    };
    let rows: String = state.study.rungs.iter().enumerate().map(row).collect();
    format!(
        "<table><tr><th>rung</th><th>spent</th><th>seeds</th><th>completed by</th><th>gone on</th><th>ended there</th></tr>{rows}</table>"
    )
}

pub(super) fn failures(state: &State) -> String {
    let failed = state.trials.iter().filter(|trial| state.status(trial) == TrialStatus::Failed);
    let one = |trial: &Trial| {
        let failure = trial.runs.values().find_map(|run| run.failure.as_ref());
        let (why, log) = failure.map_or(("", ""), |(why, log)| (why.as_str(), log.as_str()));
        let lines: Vec<String> = log.lines().map(escape).collect();
        format!("<h3>Trial {}: {}</h3><pre>{}</pre>", trial.number, escape(why), lines.join("\n"))
    };
    failed.map(one).collect()
}
