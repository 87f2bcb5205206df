//! How a trial and a parameter are shown, in tables and pictures alike.

use drawing::Style;

use crate::trial::Trial;

/// Trials that have colours.
const COLOURED: usize = 6;

/// How the trial at a place of the ranking looks.
pub(super) fn style(place: usize, trial: &Trial) -> Style {
    let name = if trial.number == 0 { "the baseline".to_owned() } else { format!("trial {}", trial.number) };
    let mut style = Style::new(place, name);
    style.strong = trial.number == 0;
    style.soft = place >= COLOURED && trial.number != 0;
    style
}

/// The last part of a key.
pub(super) fn short(key: &str) -> &str {
    let parts: Vec<usize> = key.rmatch_indices('.').map(|(place, _)| place).collect();
    // `learner.learning_rate.from` is `learning_rate.from`.
    parts.get(1).or(parts.first()).map_or(key, |place| &key[place + 1..])
}

/// A choice as it stands in a study file.
pub(super) fn word(choice: &impl serde::Serialize) -> String {
    serde_json::to_value(choice).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
