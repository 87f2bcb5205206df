//! All trials as a table.

use std::fmt::Write as _;

use sweep::{State, Trial, plain_text};

/// The table (CSV), one row a trial and seed: status, parameters, and what it measured last.
pub(super) fn table(state: &State) -> String {
    let parameters: Vec<&str> =
        state.study.space.parameters.iter().map(|parameter| parameter.key.as_str()).collect();
    let metrics = state.study.metrics();
    let head = ["trial", "origin", "copied_from", "status", "rungs", "seed", "attempts", "spent"];
    let objectives: Vec<String> =
        state.study.objectives.iter().map(|objective| format!("objective:{}", objective.metric)).collect();
    let names = head.into_iter().chain(parameters.iter().copied()).chain(metrics.iter().copied());
    let mut text = row(names.map(str::to_owned).chain(objectives));
    for trial in &state.trials {
        for (seed, run) in &trial.runs {
            let last = run.points.last().map(|(_, values)| values);
            let cells = [
                trial.number.to_string(),
                word(&trial.origin),
                trial.copied_from.map_or_else(String::new, |from| from.trial.to_string()),
                word(&state.status(trial)),
                trial.outcomes.len().to_string(),
                (seed + 1).to_string(),
                run.attempts.to_string(),
                run.spent().to_string(),
            ];
            let set =
                parameters.iter().map(|key| trial.setting.get(*key).map_or_else(String::new, plain_text));
            let measured = metrics.iter().map(|name| {
                last.and_then(|values| values.get(*name)).map_or_else(String::new, f64::to_string)
            });
            text.push_str(&row(cells.into_iter().chain(set).chain(measured).chain(outcomes(state, trial))));
        }
    }
    text
}

/// What the trial came to at its last rung, a cell an objective.
fn outcomes(state: &State, trial: &Trial) -> Vec<String> {
    let cell = |(place, objective): (usize, &sweep::Objective)| {
        let sign = objective.direction.sign();
        trial
            .outcomes
            .last()
            .map_or_else(String::new, |outcome| (sign * outcome.objectives[place]).to_string())
    };
    state.study.objectives.iter().enumerate().map(cell).collect()
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A row of CSV (RFC 4180).
fn row(cells: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for (place, cell) in cells.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        if cell.contains([',', '"', '\n']) {
            let _ = write!(text, "{comma}\"{}\"", cell.replace('"', "\"\""));
        } else {
            let _ = write!(text, "{comma}{cell}");
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_are_quoted() {
        let cells = ["a", "b,c", "say \"d\""].map(str::to_owned);
        assert_eq!(row(cells.into_iter()), "a,\"b,c\",\"say \"\"d\"\"\"\n");
    }
}
