//! Sweep files of Weights & Biases (YAML): <https://docs.wandb.ai/guides/sweeps/sweep-config-keys> says what their keys mean.

use serde_json::{Map, Value};

use super::draft::Draft;
use crate::space::Range;
use crate::study_file::{Direction, SamplerKind};

/// Trials of a sweep that does not say how many.
const TRIALS: u64 = 100;
/// Rungs of a race whose file does not say how many, beside the last.
const BRACKETS: u32 = 2;
/// Most values of a range with steps that become a choice.
const MOST_STEPS: f64 = 64.0;

/// A study file from a sweep file. `steps`: environment steps of a whole training of `config`.
///
/// # Errors
/// The key, what is wrong with it, and what would be right.
pub fn from_wandb(text: &str, origin: &str, config: &str, steps: u64) -> Result<Draft, String> {
    let file: Value = serde_saphyr::from_str(text).map_err(|error| format!("is no YAML: {error}"))?;
    let file = file.as_object().ok_or("is no table of keys; a sweep file has `method` and `parameters`")?;
    let mut draft = Draft {
        origin: format!("the W&B sweep {origin}"),
        name: file.get("name").and_then(Value::as_str).unwrap_or("imported").to_owned(),
        config: config.to_owned(),
        notes: Vec::new(),
        set: Vec::new(),
        parameters: Vec::new(),
        objectives: vec![objective(file)?],
        sampler: sampler(file)?,
        halving: None,
        trials: file.get("run_cap").and_then(Value::as_u64).unwrap_or(TRIALS),
        start: Vec::new(),
    };
    let parameters = file.get("parameters").and_then(Value::as_object);
    let parameters = parameters.ok_or("key `parameters`: is missing; a sweep varies at least one")?;
    read_parameters("", parameters, &mut draft)?;
    if let Some(early) = file.get("early_terminate") {
        let own = draft.set.iter().find(|(key, _)| key == "learner.budget_steps");
        let steps = own.and_then(|(_, value)| value.as_u64()).unwrap_or(steps);
        draft.halving = Some(halving(early, steps, &mut draft.notes)?);
    }
    if file.get("metric").is_none() {
        draft.notes.push("It names no metric; `eval/score` is minimised.".to_owned());
    }
    if !file.contains_key("run_cap") {
        draft.notes.push(format!("It has no end; `budget.trials` is {TRIALS}."));
    }
    let program = file.get("program").and_then(Value::as_str).filter(|program| *program != "longshore");
    if let Some(program) = program {
        draft.notes.push(format!("Program {program} is left out: trials are trainings of {config}."));
    }
    Ok(draft)
}

fn objective(file: &Map<String, Value>) -> Result<(String, Direction), String> {
    let metric = file.get("metric").unwrap_or(&Value::Null);
    let name = metric.get("name").and_then(Value::as_str).unwrap_or("eval/score");
    match metric.get("goal").and_then(Value::as_str).unwrap_or("minimize") {
        "minimize" => Ok((name.to_owned(), Direction::Minimise)),
        "maximize" => Ok((name.to_owned(), Direction::Maximise)),
        other => Err(format!("key `metric.goal`: is `{other}`; it must be minimize or maximize")),
    }
}

fn sampler(file: &Map<String, Value>) -> Result<SamplerKind, String> {
    match file.get("method").and_then(Value::as_str) {
        Some("grid") => Ok(SamplerKind::Grid),
        Some("random") => Ok(SamplerKind::Random),
        Some("bayes") => Ok(SamplerKind::Tpe),
        other => Err(format!(
            "key `method`: is `{}`; it must be grid, random or bayes",
            other.unwrap_or("missing")
        )),
    }
}

fn read_parameters(prefix: &str, parameters: &Map<String, Value>, draft: &mut Draft) -> Result<(), String> {
    for (name, parameter) in parameters {
        let key = format!("{prefix}{name}");
        let parameter = parameter.as_object().ok_or_else(|| {
            format!("key `parameters.{key}`: is no table with `values`, `value` or `min` and `max`")
        })?;
        if let Some(nested) = parameter.get("parameters").and_then(Value::as_object) {
            read_parameters(&format!("{key}."), nested, draft)?;
        } else if let Some(value) = parameter.get("value") {
            draft.set.push((key, value.clone()));
        } else {
            let range = range(&key, parameter, &mut draft.notes)
                .map_err(|wrong| format!("key `parameters.{key}`: {wrong}"))?;
            draft.parameters.push((key, range));
        }
    }
    Ok(())
}

fn range(key: &str, parameter: &Map<String, Value>, notes: &mut Vec<String>) -> Result<Range, String> {
    if let Some(values) = parameter.get("values") {
        let values = values.as_array().filter(|values| !values.is_empty());
        if parameter.contains_key("probabilities") {
            notes.push(format!("`{key}`: its probabilities are left out; all values are alike."));
        }
        return values.cloned().map(Range::Choice).ok_or_else(|| "`values` is no list".to_owned());
    }
    let end =
        |name: &str| parameter.get(name).cloned().ok_or_else(|| format!("has no `{name}`, and no `values`"));
    let distribution = match parameter.get("distribution").and_then(Value::as_str) {
        Some(distribution) => distribution.to_owned(),
        None if end("min")?.is_i64() && end("max")?.is_i64() => "int_uniform".to_owned(),
        None => "uniform".to_owned(),
    };
    let known =
        ["int_uniform", "uniform", "q_uniform", "log_uniform", "log_uniform_values", "q_log_uniform_values"];
    if !known.contains(&distribution.as_str()) {
        return Err(format!(
            "distribution `{distribution}` has no equal here; those that have: {}, constant and categorical",
            known.join(", ")
        ));
    }
    let number = |name: &str| end(name)?.as_f64().ok_or_else(|| format!("`{name}` is no number"));
    let whole = |name: &str| end(name)?.as_i64().ok_or_else(|| format!("`{name}` is no whole number"));
    let (low, high) = (number("min")?, number("max")?);
    let step = parameter.get("q").and_then(Value::as_f64).unwrap_or(1.0);
    Ok(match distribution.as_str() {
        "int_uniform" => Range::Integer(whole("min")?, whole("max")?),
        "q_uniform" => stepped(key, low, high, step, notes),
        // Its ends are exponents of e.
        "log_uniform" => Range::LogUniform(libm::exp(low), libm::exp(high)),
        "q_log_uniform_values" if [low, high, step].iter().all(|number| number.fract() == 0.0) => {
            if step > 1.0 {
                notes.push(format!("`{key}`: its steps of {step} are left out."));
            }
            Range::LogInteger(low as i64, high as i64)
        }
        "q_log_uniform_values" => {
            notes.push(format!("`{key}`: its steps of {step} are left out."));
            Range::LogUniform(low, high)
        }
        "log_uniform_values" => Range::LogUniform(low, high),
        _ => Range::Uniform(low, high),
    })
}

/// A range with steps: whole numbers, a choice where there are few, else one without.
pub(super) fn stepped(key: &str, low: f64, high: f64, step: f64, notes: &mut Vec<String>) -> Range {
    if step == 1.0 && low.fract() == 0.0 && high.fract() == 0.0 {
        return Range::Integer(low as i64, high as i64);
    }
    // A step that is left off by rounding counts.
    let count = ((high - low) / step + 1e-9).floor();
    if step > 0.0 && (0.0..MOST_STEPS).contains(&count) {
        // Without the noise of a sum of steps.
        let value = |place: usize| ((low + place as f64 * step) * 1e9).round() / 1e9;
        return Range::Choice((0..=count as usize).map(|place| Value::from(value(place))).collect());
    }
    notes.push(format!("`{key}`: its steps of {step} are left out."));
    Range::Uniform(low, high)
}

/// Hyperband stops trials by how often they have reported; a race here has environment steps, so its rungs are parts of a training.
fn halving(early: &Value, steps: u64, notes: &mut Vec<String>) -> Result<(u64, Vec<u64>), String> {
    let kind = early.get("type").and_then(Value::as_str).unwrap_or("missing");
    if kind != "hyperband" {
        return Err(format!("key `early_terminate.type`: is `{kind}`; it must be hyperband"));
    }
    let one_in = early.get("eta").and_then(Value::as_u64).unwrap_or(3).max(2);
    let brackets = early.get("s").and_then(Value::as_u64).map_or(BRACKETS, |brackets| brackets.min(8) as u32);
    let rungs = (0..=brackets).rev().map(|bracket| steps / one_in.pow(bracket)).filter(|steps| *steps > 0);
    notes.push(format!(
        "hyperband counts reports; the rungs are parts of a training of {steps} environment steps instead."
    ));
    Ok((one_in, rungs.collect()))
}
