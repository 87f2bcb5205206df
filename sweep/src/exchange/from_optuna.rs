//! Studies of Optuna: their space, and their best trials as settings to try first. What those came to was measured with other seeds or
//! other code, so they are run again.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::draft::Draft;
use super::from_wandb::stepped;
use crate::SweepError;
use crate::space::{Range, Setting, same};
use crate::storage::Storage;
use crate::study_file::{Direction, SamplerKind};

/// What is imported from where.
#[derive(Clone, Debug)]
pub struct Imported<'a> {
    /// Where the study lies.
    pub storage: &'a Storage,
    /// Its name there.
    pub name: &'a str,
    /// The metrics of its values, in their order.
    pub metrics: &'a [String],
    /// The configuration that trials train.
    pub config: &'a str,
    /// How many of its best trials are tried first.
    pub best: usize,
}

#[derive(Deserialize)]
struct Found {
    directions: Vec<Direction>,
    parameters: std::collections::BTreeMap<String, Vec<Distribution>>,
    trials: Vec<Tried>,
}

#[derive(Deserialize)]
struct Distribution {
    kind: String,
    values: Vec<Value>,
    #[serde(default)]
    step: Option<f64>,
}

#[derive(Deserialize)]
struct Tried {
    setting: Setting,
    values: Option<Vec<f64>>,
}

/// A study file from a study of Optuna, read with the Python that has it.
///
/// # Errors
/// [`SweepError::Tool`] with what Optuna says; [`SweepError::Request`] where the study cannot be one here.
pub fn from_optuna(imported: &Imported<'_>, python: &Path) -> Result<Draft, SweepError> {
    let found = crate::optuna::read(imported.name, imported.storage, python)?;
    let wrong = |message: String| SweepError::Request(format!("study `{}`: {message}", imported.name));
    let found: Found = serde_json::from_value(found).map_err(|error| wrong(error.to_string()))?;
    draft(imported, found).map_err(wrong)
}

fn draft(imported: &Imported<'_>, found: Found) -> Result<Draft, String> {
    if found.directions.len() != imported.metrics.len() {
        return Err(format!(
            "has {} values a trial; give so many --metric, in their order",
            found.directions.len()
        ));
    }
    if found.parameters.is_empty() {
        return Err("has no trial yet, so nothing says what its parameters are".to_owned());
    }
    let mut notes = vec![
        "Its best trials come first, as [[start]]: what they came to was measured elsewhere. They count in `budget.trials`."
            .to_owned(),
        "Optuna does not keep which parameters depend on which: add `only_if` where they do.".to_owned(),
    ];
    let mut parameters = Vec::new();
    for (key, distributions) in &found.parameters {
        parameters.push((key.clone(), united(key, distributions, &mut notes)?));
    }
    let sign = found.directions[0].sign();
    let mut complete: Vec<(f64, &Setting)> = found
        .trials
        .iter()
        .filter_map(|trial| Some((sign * trial.values.as_ref()?.first()?, &trial.setting)))
        .collect();
    complete.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut start: Vec<Setting> = Vec::new();
    for (_, setting) in complete {
        if start.len() < imported.best && !start.contains(setting) {
            start.push(setting.clone());
        }
    }
    Ok(Draft {
        origin: format!("the Optuna study {}", imported.name),
        name: imported.name.to_owned(),
        config: imported.config.to_owned(),
        notes,
        set: Vec::new(),
        parameters,
        objectives: imported.metrics.iter().cloned().zip(found.directions).collect(),
        sampler: SamplerKind::Tpe,
        halving: None,
        trials: found.trials.len().max(2 * start.len()) as u64,
        start,
    })
}

/// Whole numbers as such, where a range is one of them.
fn whole(range: Range, is_whole: bool) -> Range {
    match range {
        Range::Choice(values) if is_whole => {
            let whole = values.iter().filter_map(Value::as_f64).map(|value| Value::from(value as i64));
            Range::Choice(whole.collect())
        }
        Range::Uniform(low, high) if is_whole => Range::Integer(low as i64, high as i64),
        range => range,
    }
}

/// One range that holds all values of a parameter: Optuna has a distribution a trial.
fn united(key: &str, distributions: &[Distribution], notes: &mut Vec<String>) -> Result<Range, String> {
    let last = distributions.last().ok_or_else(|| format!("parameter `{key}` has no distribution"))?;
    let alike = distributions.iter().filter(|one| one.kind == last.kind);
    if last.kind == "choice" {
        let mut values: Vec<Value> = Vec::new();
        for value in alike.flat_map(|one| &one.values) {
            if !value.is_null() && !values.iter().any(|known| same(known, value)) {
                values.push(value.clone());
            }
        }
        return Ok(Range::Choice(values));
    }
    let all: Vec<f64> = alike.flat_map(|one| one.values.iter().filter_map(Value::as_f64)).collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = last.step.filter(|step| *step != 1.0 && !last.kind.starts_with("log"));
    match last.kind.as_str() {
        "integer" | "uniform" if step.is_some() => {
            Ok(whole(stepped(key, low, high, step.unwrap_or(1.0), notes), last.kind == "integer"))
        }
        "uniform" => Ok(Range::Uniform(low, high)),
        "log_uniform" => Ok(Range::LogUniform(low, high)),
        "integer" => Ok(Range::Integer(low as i64, high as i64)),
        "log_integer" => Ok(Range::LogInteger(low as i64, high as i64)),
        other => Err(format!("parameter `{key}` has a distribution that is not known: {other}")),
    }
}
