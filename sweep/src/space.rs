//! The space of settings. A setting is a point of the unit cube, one coordinate a parameter, in which every range is uniform: samplers
//! work there and know nothing of logarithms, whole numbers or words.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a trial sets, by key; parameters that don't count in it are absent.
pub type Setting = BTreeMap<String, Value>;

/// Significant digits of a number that is drawn, so that a configuration stays readable.
const DIGITS: usize = 6;

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its key or name.
    pub key: String,
    /// Its values.
    pub range: Range,
    /// The parameter that decides whether it counts, as an index of the space, and with which values it does.
    pub only_if: Option<(usize, Vec<Value>)>,
}

/// The values of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// Numbers from the first to the second.
    Uniform(f64, f64),
    /// The same on a logarithmic scale.
    LogUniform(f64, f64),
    /// Whole numbers, both ends included.
    Integer(i64, i64),
    /// The same on a logarithmic scale.
    LogInteger(i64, i64),
    /// One of these.
    Choice(Vec<Value>),
}

impl Range {
    /// Number of values; `None` where they are numbers without steps.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        match self {
            Range::Uniform(..) | Range::LogUniform(..) => None,
            Range::Integer(low, high) | Range::LogInteger(low, high) => Some(high.abs_diff(*low) + 1),
            Range::Choice(values) => Some(values.len() as u64),
        }
    }

    /// The value at a place from 0 to 1.
    #[must_use]
    pub fn at(&self, place: f64) -> Value {
        let place = place.clamp(0.0, 1.0);
        let between = |low: f64, high: f64| low + (high - low) * place;
        match self {
            Range::Uniform(low, high) => Value::from(rounded(between(*low, *high)).clamp(*low, *high)),
            Range::LogUniform(low, high) => {
                let value = libm::exp(between(libm::log(*low), libm::log(*high)));
                Value::from(rounded(value).clamp(*low, *high))
            }
            Range::Integer(low, high) => {
                // All values have an equally long part of the scale.
                let value = (between(*low as f64 - 0.5, *high as f64 + 0.5)).round();
                Value::from((value as i64).clamp(*low, *high))
            }
            Range::LogInteger(low, high) => {
                let (from, to) = log_ends(*low, *high);
                Value::from((libm::exp(between(from, to)).round() as i64).clamp(*low, *high))
            }
            Range::Choice(values) => {
                let last = values.len() - 1;
                values[((place * values.len() as f64) as usize).min(last)].clone()
            }
        }
    }

    /// A number times `factor`, within the range; a whole number by at least one. What is no number stays.
    #[must_use]
    pub fn scaled(&self, value: &Value, factor: f64) -> Value {
        let Some(number) = number(value) else { return value.clone() };
        match self {
            Range::Uniform(low, high) | Range::LogUniform(low, high) => {
                Value::from(rounded(number * factor).clamp(*low, *high))
            }
            Range::Integer(low, high) | Range::LogInteger(low, high) => {
                let step = ((number * factor).round() - number).abs().max(1.0);
                let scaled = number + if factor > 1.0 { step } else { -step };
                Value::from((scaled as i64).clamp(*low, *high))
            }
            Range::Choice(_) => value.clone(),
        }
    }

    /// The place of a value, from 0 to 1; `None` where it is not in the range.
    #[must_use]
    pub fn place(&self, value: &Value) -> Option<f64> {
        let place = match self {
            Range::Uniform(low, high) => (number(value)? - low) / (high - low),
            Range::LogUniform(low, high) => {
                (libm::log(number(value)?) - libm::log(*low)) / (libm::log(*high) - libm::log(*low))
            }
            Range::Integer(low, high) => {
                (value.as_i64()?.checked_sub(*low)? as f64 + 0.5) / (high.abs_diff(*low) as f64 + 1.0)
            }
            Range::LogInteger(low, high) => {
                let (from, to) = log_ends(*low, *high);
                (libm::log(value.as_i64().filter(|value| value > &0)? as f64) - from) / (to - from)
            }
            Range::Choice(values) => {
                let found = values.iter().position(|one| same(one, value))?;
                (found as f64 + 0.5) / values.len() as f64
            }
        };
        (0.0..=1.0).contains(&place).then_some(place)
    }

    /// What values it has, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Range::Uniform(low, high) | Range::LogUniform(low, high) => {
                format!("a number from {low} to {high}")
            }
            Range::Integer(low, high) | Range::LogInteger(low, high) => {
                format!("a whole number from {low} to {high}")
            }
            Range::Choice(values) => {
                let all: Vec<String> = values.iter().map(Value::to_string).collect();
                format!("one of {}", all.join(", "))
            }
        }
    }

    /// Whether every value of `other` is one of its own.
    #[must_use]
    pub fn holds(&self, other: &Range) -> bool {
        match (self, other) {
            (Range::Uniform(low, high), Range::Uniform(from, to))
            | (Range::LogUniform(low, high), Range::LogUniform(from, to)) => low <= from && to <= high,
            (Range::Integer(low, high), Range::Integer(from, to))
            | (Range::LogInteger(low, high), Range::LogInteger(from, to)) => low <= from && to <= high,
            (Range::Choice(own), Range::Choice(others)) => {
                others.iter().all(|other| own.iter().any(|one| same(one, other)))
            }
            _ => false,
        }
    }
}

/// Ends of the logarithmic scale on which each whole number has the part around it.
fn log_ends(low: i64, high: i64) -> (f64, f64) {
    (libm::log(low as f64 - 0.5), libm::log(high as f64 + 0.5))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|value| value.is_finite())
}

/// Whether two values mean the same: 1 and 1.0 do.
#[must_use]
pub fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// The number with [`DIGITS`] significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value)
}

/// All parameters, each behind the one that decides whether it counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    /// The parameters.
    pub parameters: Vec<Parameter>,
}

impl Space {
    /// Number of parameters, and of coordinates of a point.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.parameters.len()
    }

    /// The setting at a point of the unit cube.
    #[must_use]
    pub fn at(&self, point: &[f64]) -> Setting {
        let mut setting = Setting::new();
        for (parameter, place) in self.parameters.iter().zip(point) {
            if self.counts(parameter, &setting) {
                setting.insert(parameter.key.clone(), parameter.range.at(*place));
            }
        }
        setting
    }

    /// Whether a parameter counts, by the values of those before it.
    #[must_use]
    pub fn counts(&self, parameter: &Parameter, setting: &Setting) -> bool {
        parameter.only_if.as_ref().is_none_or(|(other, values)| {
            let value = setting.get(&self.parameters[*other].key);
            value.is_some_and(|value| values.iter().any(|one| same(one, value)))
        })
    }

    /// The place of each parameter; `None` where it does not count or, after the space was changed, has a value outside.
    #[must_use]
    pub fn places(&self, setting: &Setting) -> Vec<Option<f64>> {
        let place = |parameter: &Parameter| {
            setting.get(&parameter.key).and_then(|value| parameter.range.place(value))
        };
        self.parameters.iter().map(place).collect()
    }

    /// What is wrong with a setting that a person gives, which may leave parameters out.
    ///
    /// # Errors
    /// The key and what would be right.
    pub fn check(&self, setting: &Setting) -> Result<(), String> {
        for (key, value) in setting {
            let Some(parameter) = self.parameters.iter().find(|one| &one.key == key) else {
                let known = self.parameters.iter().map(|parameter| parameter.key.as_str());
                let close = common::nearest(key, known.clone());
                let hint = if close.is_empty() {
                    format!("its parameters are `{}`", known.collect::<Vec<_>>().join("`, `"))
                } else {
                    format!("did you mean `{}`?", close.join("` or `"))
                };
                return Err(format!("`{key}` is no parameter of the study; {hint}"));
            };
            if parameter.range.place(value).is_none() {
                return Err(format!("`{key}` is {value}; it must be {}", parameter.range.words()));
            }
            if let Some((other, values)) = &parameter.only_if
                && let Some(own) = setting.get(&self.parameters[*other].key)
                && !values.iter().any(|one| same(one, own))
            {
                let all: Vec<String> = values.iter().map(Value::to_string).collect();
                return Err(format!(
                    "`{key}` counts only where `{}` is {}, and that is {own}",
                    self.parameters[*other].key,
                    all.join(" or ")
                ));
            }
        }
        Ok(())
    }

    /// A person's setting with what it leaves out taken from `point`; parameters that don't count are dropped.
    #[must_use]
    pub fn completed(&self, given: &Setting, point: &[f64]) -> Setting {
        let mut setting = Setting::new();
        for (parameter, place) in self.parameters.iter().zip(point) {
            if self.counts(parameter, &setting) {
                let value = given.get(&parameter.key).cloned().unwrap_or_else(|| parameter.range.at(*place));
                setting.insert(parameter.key.clone(), value);
            }
        }
        setting
    }
}

/// A value as TOML, for `--set` and configuration files.
#[must_use]
pub fn toml_text(value: &Value) -> String {
    match toml::Value::try_from(value) {
        Ok(value) => value.to_string(),
        Err(_) => value.to_string(),
    }
}

/// A value as it stands in the name of a scheduler: texts without quotes.
#[must_use]
pub fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ranges() -> Vec<Range> {
        vec![
            Range::Uniform(-2.0, 3.0),
            Range::LogUniform(1e-5, 0.1),
            Range::Integer(-3, 7),
            Range::LogInteger(1, 4096),
            Range::Choice(vec![json!("a"), json!(2), json!(["x", "y"])]),
        ]
    }

    proptest! {
        #[test]
        fn a_value_lies_where_it_was_drawn(place in 0.0..=1.0_f64) {
            for range in ranges() {
                let value = range.at(place);
                let found = range.place(&value).unwrap();
                let width = range.count().map_or(1e-5, |count| 1.0 / count as f64);
                let is_log = matches!(range, Range::LogInteger(..));
                prop_assert!(is_log || (found - place).abs() <= width, "{range:?} {place} {found}");
                prop_assert_eq!(range.at(found), value);
            }
        }
    }

    #[test]
    fn whole_numbers_and_words_are_equally_likely() {
        for (range, count) in [(Range::Integer(0, 4), 5), (Range::Choice(vec![json!(1), json!(2)]), 2)] {
            let mut seen = BTreeMap::new();
            (0..1000).for_each(|draw| {
                *seen.entry(range.at((f64::from(draw) + 0.5) / 1000.0).to_string()).or_insert(0) += 1;
            });
            assert!(seen.len() == count && seen.values().all(|times| times * count == 1000), "{seen:?}");
        }
    }

    #[test]
    fn a_parameter_counts_only_where_its_condition_holds() {
        let space = Space {
            parameters: vec![
                Parameter {
                    key: "a".into(),
                    range: Range::Choice(vec![json!("x"), json!("y")]),
                    only_if: None,
                },
                Parameter {
                    key: "b".into(),
                    range: Range::Integer(1, 3),
                    only_if: Some((0, vec![json!("x")])),
                },
                Parameter {
                    key: "c".into(),
                    range: Range::Uniform(0.0, 1.0),
                    only_if: Some((1, vec![json!(2)])),
                },
            ],
        };
        assert_eq!(json!(space.at(&[0.2, 0.5, 0.25])), json!({"a": "x", "b": 2, "c": 0.25}));
        assert_eq!(json!(space.at(&[0.2, 0.9, 0.25])), json!({"a": "x", "b": 3}));
        assert_eq!(json!(space.at(&[0.7, 0.5, 0.25])), json!({"a": "y"}));
        let given: Setting = [("a".to_owned(), json!("y")), ("b".to_owned(), json!(1))].into();
        assert_eq!(json!(space.completed(&given, &[0.0; 3])), json!({"a": "y"}));
        let wrong = |key: &str, value: Value| space.check(&[(key.to_owned(), value)].into()).unwrap_err();
        assert!(wrong("b", json!(4)).contains("`b` is 4; it must be a whole number from 1 to 3"));
        assert!(wrong("bb", json!(4)).contains("`bb` is no parameter of the study"));
        let contradiction = space.check(&given).unwrap_err();
        assert_eq!(contradiction, "`b` counts only where `a` is \"x\", and that is \"y\"");
    }

    #[test]
    fn values_stand_in_configurations_as_toml() {
        assert_eq!(toml_text(&json!(["start", "wait"])), "[\"start\", \"wait\"]");
        assert_eq!(toml_text(&json!("sjf")), "\"sjf\"");
        assert_eq!(toml_text(&json!(0.001)), "0.001");
        assert_eq!(plain_text(&json!("sjf")), "sjf");
    }
}
