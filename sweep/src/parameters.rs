//! From the parameters of a study file to a space.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::faults::Faults;
use crate::space::{Parameter, Range, Space, same};
use crate::study_file::{Condition, ParameterFile};

/// The space of these parameters, each behind the one that its condition names.
pub(crate) fn space_of(files: &BTreeMap<String, ParameterFile>, faults: &mut Faults) -> Space {
    if files.is_empty() {
        faults.push("parameters", "is missing; name at least one parameter, e.g. [parameters.\"learner.epochs\"] with integer = [1, 4]");
    }
    let mut space = Space::default();
    let mut waiting: Vec<(&String, &ParameterFile)> = files.iter().collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|(key, file)| {
            let Some(only_if) = condition(file.only_if.as_ref(), &space) else { return true };
            if let Some(range) = range_of(key, file, faults) {
                space.parameters.push(Parameter { key: (*key).clone(), range, only_if });
            }
            false
        });
        if waiting.len() == before {
            waiting.iter().for_each(|(key, file)| blame_condition(key, file, files, faults));
            break;
        }
    }
    check_conditions(&space, faults);
    space
}

/// The condition with the index of its parameter, or none; the outer `None`: that parameter is not in the space yet.
#[expect(clippy::option_option, reason = "no condition differs from one whose parameter is not known yet")]
fn condition(condition: Option<&Condition>, space: &Space) -> Option<Option<(usize, Vec<Value>)>> {
    let Some(condition) = condition else { return Some(None) };
    let other = space.parameters.iter().position(|parameter| parameter.key == condition.key)?;
    Some(Some((other, condition.is.clone())))
}

/// Says why a parameter never came behind the one that its condition names.
fn blame_condition(
    key: &str,
    file: &ParameterFile,
    files: &BTreeMap<String, ParameterFile>,
    faults: &mut Faults,
) {
    let Some(condition) = &file.only_if else { return };
    let at = format!("parameters.{key}.only_if.key");
    let other = &condition.key;
    if files.contains_key(other) {
        faults.push(&at, &format!("names `{other}`, whose own range is wrong or whose condition leads back to this parameter; conditions must not form a circle"));
        return;
    }
    let close = common::nearest(other, files.keys().map(String::as_str));
    let hint = if close.is_empty() {
        "name another parameter of this study".to_owned()
    } else {
        format!("did you mean `{}`?", close.join("` or `"))
    };
    faults.push(&at, &format!("names `{other}`, which is no parameter of this study; {hint}"));
}

/// A condition must be able to hold.
fn check_conditions(space: &Space, faults: &mut Faults) {
    for parameter in &space.parameters {
        let Some((other, values)) = &parameter.only_if else { continue };
        let other = &space.parameters[*other];
        if matches!(other.range, Range::Uniform(..) | Range::LogUniform(..)) {
            faults.push(
                &format!("parameters.{}.only_if.key", parameter.key),
                &format!(
                    "names `{}`, a number without steps; a condition needs a choice or an integer",
                    other.key
                ),
            );
        } else if let Some(value) = values.iter().find(|value| other.range.place(value).is_none()) {
            faults.push(
                &format!("parameters.{}.only_if.is", parameter.key),
                &format!("holds {value}, which `{}` never is; it is {}", other.key, other.range.words()),
            );
        }
    }
}

/// The range of a parameter; where it has none, says so.
fn range_of(key: &str, file: &ParameterFile, faults: &mut Faults) -> Option<Range> {
    let at = format!("parameters.{key}");
    let given =
        [file.uniform.is_some(), file.log_uniform.is_some(), file.integer.is_some(), file.choice.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        faults.push(&at, "needs exactly one of `uniform`, `log_uniform`, `integer` and `choice`");
        return None;
    }
    if file.log && file.integer.is_none() {
        faults
            .push(&format!("{at}.log"), "goes with `integer` only; for other numbers there is `log_uniform`");
    }
    if let Some([low, high]) = file.uniform {
        return numbers(&format!("{at}.uniform"), low, high, faults).then_some(Range::Uniform(low, high));
    }
    if let Some([low, high]) = file.log_uniform {
        let at = format!("{at}.log_uniform");
        if low <= 0.0 {
            faults.push(
                &at,
                &format!("begins at {low}; a logarithmic range needs ends above 0, e.g. [1e-4, 1e-2]"),
            );
            return None;
        }
        return numbers(&at, low, high, faults).then_some(Range::LogUniform(low, high));
    }
    if let Some([low, high]) = file.integer {
        return whole_numbers(&format!("{at}.integer"), low, high, file.log, faults);
    }
    choice(&format!("{at}.choice"), file.choice.as_deref().unwrap_or_default(), faults)
}

fn numbers(at: &str, low: f64, high: f64, faults: &mut Faults) -> bool {
    let is_sound = low.is_finite() && high.is_finite() && low < high && (high - low).is_finite();
    if !is_sound {
        faults.push(at, &format!("is [{low}, {high}]; it must be two numbers, the smaller one first"));
    }
    is_sound
}

fn whole_numbers(at: &str, low: i64, high: i64, log: bool, faults: &mut Faults) -> Option<Range> {
    const LARGEST: i64 = 1 << 53;
    if low > high || low < -LARGEST || high > LARGEST {
        faults.push(
            at,
            &format!("is [{low}, {high}]; it must be two whole numbers within ±2⁵³, the smaller one first"),
        );
        return None;
    }
    if log && low < 1 {
        faults.push(at, &format!("begins at {low}; with `log = true` it must begin at 1 or above"));
        return None;
    }
    Some(if log { Range::LogInteger(low, high) } else { Range::Integer(low, high) })
}

fn choice(at: &str, values: &[Value], faults: &mut Faults) -> Option<Range> {
    if values.is_empty() {
        faults.push(at, "is empty; give at least one value");
        return None;
    }
    let twice = (1..values.len()).find(|&place| values[..place].iter().any(|one| same(one, &values[place])));
    if let Some(place) = twice {
        faults.push(at, &format!("holds {} twice; give each value once", values[place]));
        return None;
    }
    Some(Range::Choice(values.to_vec()))
}
