//! The comparison at the end: the best trial beside the baseline, on seeds that no trial has used.

use drawing::Value;
use serde_json::Value as Json;

use crate::entry::RunId;
use crate::layout::Layout;
use crate::measure::own_points;
use crate::outcome::of_run;
use crate::program::Program;
use crate::state::State;
use crate::statistics::mean_of;
use crate::study_file::Direction;

/// One row of the comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The objective, and where it was measured.
    pub what: String,
    /// Of the best trial.
    pub best: Value,
    /// Of the baseline.
    pub baseline: Option<Value>,
    /// The mean of the paired differences, best less baseline.
    pub difference: Value,
    /// Whether less is better.
    pub less_is_better: bool,
}

impl Comparison {
    /// Whether the best trial is better than the baseline: true, false, or `None` where the interval holds 0.
    #[must_use]
    pub fn is_better(&self) -> Option<bool> {
        let Value { low, high, .. } = self.difference;
        match (low > 0.0, high < 0.0) {
            (true, _) => Some(!self.less_is_better),
            (_, true) => Some(self.less_is_better),
            _ => None,
        }
    }

    /// The same in words.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match self.is_better() {
            Some(true) => "better than the baseline",
            Some(false) => "worse than the baseline",
            None => "no difference is shown",
        }
    }
}

/// The comparison, as far as its runs have ended; `Err`: why it cannot be made.
///
/// # Errors
/// What is missing from the results.
pub fn held_out(layout: &Layout, state: &State) -> Result<Vec<Comparison>, String> {
    match (&state.study.program, state.held_out.as_slice()) {
        (Program::Train { .. }, [baseline, best]) => Ok(of_trainings(state, *baseline, *best)),
        (Program::Evaluate { .. }, [best]) => of_evaluations(layout, state, *best),
        _ => Ok(Vec::new()),
    }
}

fn of_trainings(state: &State, baseline: u64, best: u64) -> Vec<Comparison> {
    let Some(last) = state.study.rungs.last() else { return Vec::new() };
    let outcomes = |trial: u64, number: u32| {
        let run = state.run(RunId::held_out(trial, number)).filter(|run| run.has_spent(last.spent))?;
        of_run(&state.study, &run.points, last.spent)
    };
    let seeds = 0..state.study.held_out.map_or(0, |held_out| held_out.seeds);
    // Only seeds of which both are there.
    let pairs: Vec<_> =
        seeds.filter_map(|seed| Some((outcomes(best, seed)?, outcomes(baseline, seed)?))).collect();
    let compare = |(place, objective): (usize, &crate::Objective)| {
        let less_is_better = objective.direction == Direction::Minimise;
        let sign = if less_is_better { 1.0 } else { -1.0 };
        let column = |of: &dyn Fn(usize) -> f64| mean_of(&(0..pairs.len()).map(of).collect::<Vec<_>>());
        let (best, baseline) = (
            |pair: usize| sign * pairs[pair].0.objectives[place],
            |pair: usize| sign * pairs[pair].1.objectives[place],
        );
        Comparison {
            what: format!("{}, {} seeds", objective.metric, pairs.len()),
            best: column(&best),
            baseline: Some(column(&baseline)),
            difference: column(&|pair| best(pair) - baseline(pair)),
            less_is_better,
        }
    };
    if pairs.is_empty() {
        return Vec::new();
    }
    state.study.objectives.iter().enumerate().map(compare).collect()
}

fn of_evaluations(layout: &Layout, state: &State, best: u64) -> Result<Vec<Comparison>, String> {
    let run = RunId::held_out(best, 0);
    if !state.run(run).is_some_and(|run| run.status == crate::RunStatus::Finished) {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for point in own_points(layout, state, run)? {
        for objective in &state.study.objectives {
            let metric = objective.metric.as_str();
            let differences = point.get("differences").and_then(Json::as_array).into_iter().flatten();
            let own = differences.filter(|one| one.get("metric").and_then(Json::as_str) == Some(metric));
            let text = |name: &str| point.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
            let load = point.get("load").and_then(Json::as_f64).unwrap_or(f64::NAN);
            rows.extend(own.map(value).map(|difference| Comparison {
                what: format!("{metric}, {} at {load}%", text("workload")),
                best: point.get(metric).map_or(Value::exact(f64::NAN), value),
                baseline: point.get(metric).map(|own| Value::exact(value(own).mean - difference.mean)),
                difference,
                less_is_better: objective.direction == Direction::Minimise,
            }));
        }
    }
    Ok(rows)
}

fn value(json: &Json) -> Value {
    let number = |name: &str| json.get(name).and_then(Json::as_f64).unwrap_or(f64::NAN);
    Value { mean: number("mean"), low: number("low"), high: number("high") }
}
