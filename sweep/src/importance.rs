//! Which parameters matter: functional analysis of variance on a random forest (fANOVA, Hutter et al. 2014), by crate `fanova`.

use fanova::{FanovaOptions, RandomForestOptions};

use crate::state::State;

/// Fewer trials say nothing.
const FEWEST_TRIALS: usize = 8;

/// Each parameter with the part of the variance of the first objective that it explains by itself, the largest first; nothing with
/// too few trials. All trials count that have completed the first rung, by what they came to there.
#[must_use]
pub fn importances(state: &State) -> Vec<(String, f64)> {
    let trials: Vec<_> =
        state.trials.iter().filter(|trial| !trial.outcomes.is_empty() && !trial.setting.is_empty()).collect();
    let target: Vec<f64> = trials.iter().map(|trial| trial.outcomes[0].objectives[0]).collect();
    let varies = target.iter().any(|value| *value != target[0]);
    if trials.len() < FEWEST_TRIALS || !varies {
        return Vec::new();
    }
    let space = &state.study.space;
    // A parameter that does not count has a place of its own.
    let places: Vec<Vec<f64>> = trials
        .iter()
        .map(|trial| space.places(&trial.setting).into_iter().map(|place| place.unwrap_or(-0.5)).collect())
        .collect();
    let columns: Vec<Vec<f64>> =
        (0..space.dimensions()).map(|place| places.iter().map(|row| row[place]).collect()).collect();
    let forest = RandomForestOptions::new().seed(state.study.seed.0);
    let fitted =
        FanovaOptions::new().random_forest(forest).fit(columns.iter().map(Vec::as_slice).collect(), &target);
    let Ok(mut fitted) = fitted else { return Vec::new() };
    let mut importances: Vec<(String, f64)> = space
        .parameters
        .iter()
        .enumerate()
        .map(|(place, parameter)| (parameter.key.clone(), fitted.quantify_importance(&[place]).mean))
        .collect();
    importances.sort_by(|one, other| other.1.total_cmp(&one.1));
    importances
}
