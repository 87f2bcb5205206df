//! A study file that is made from a study of another tool.

use std::fmt::Write as _;

use serde_json::Value;

use crate::space::{Range, Setting, toml_text};
use crate::study_file::{Direction, SamplerKind};

/// A study file to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What it was made from.
    pub origin: String,
    /// Name of the study; letters that a name cannot have are replaced.
    pub name: String,
    /// The configuration that trials train.
    pub config: String,
    /// What has no equal here and was left out or changed.
    pub notes: Vec<String>,
    /// Settings of all trials.
    pub set: Vec<(String, Value)>,
    /// What is varied.
    pub parameters: Vec<(String, Range)>,
    /// What is wanted.
    pub objectives: Vec<(String, Direction)>,
    /// How settings are chosen.
    pub sampler: SamplerKind,
    /// Successive halving: one in how many goes on, and the environment steps of each rung.
    pub halving: Option<(u64, Vec<u64>)>,
    /// How many trials.
    pub trials: u64,
    /// What is tried first.
    pub start: Vec<Setting>,
}

impl Draft {
    /// The study file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("# Made from {}.\n", self.origin);
        for note in &self.notes {
            let _ = writeln!(text, "# {note}");
        }
        let _ = write!(text, "schema = 1\nname = {}\nseed = 1\n\n[train]\n", quoted(&sound(&self.name)));
        let _ = writeln!(text, "config = {}", quoted(&self.config));
        if !self.set.is_empty() {
            let settings: Vec<String> =
                self.set.iter().map(|(key, value)| quoted(&format!("{key}={}", toml_text(value)))).collect();
            let _ = writeln!(text, "set = [{}]", settings.join(", "));
        }
        for (key, range) in &self.parameters {
            let _ = write!(text, "\n[parameters.{}]\n{}\n", quoted(key), range_text(range));
        }
        for (metric, direction) in &self.objectives {
            let direction = if *direction == Direction::Minimise { "minimise" } else { "maximise" };
            let _ =
                write!(text, "\n[[objectives]]\nmetric = {}\ndirection = \"{direction}\"\n", quoted(metric));
        }
        let kind = serde_json::to_value(self.sampler).unwrap_or_default();
        let _ = write!(text, "\n[sampler]\nkind = {}\n", toml_text(&kind));
        if let Some((one_in, rungs)) = &self.halving {
            let rungs: Vec<String> = rungs.iter().map(|steps| format!("{{ steps = {steps} }}")).collect();
            let _ = write!(
                text,
                "\n[racing]\nrule = \"successive_halving\"\none_in = {one_in}\nrungs = [{}]\n",
                rungs.join(", ")
            );
        }
        let _ = write!(text, "\n[budget]\ntrials = {}\n", self.trials);
        for setting in &self.start {
            text.push_str("\n[[start]]\n");
            for (key, value) in setting {
                let _ = writeln!(text, "{} = {}", quoted(key), toml_text(value));
            }
        }
        text
    }
}

fn range_text(range: &Range) -> String {
    match range {
        Range::Uniform(low, high) => format!("uniform = [{low:?}, {high:?}]"),
        Range::LogUniform(low, high) => format!("log_uniform = [{low:?}, {high:?}]"),
        Range::Integer(low, high) => format!("integer = [{low}, {high}]"),
        Range::LogInteger(low, high) => format!("integer = [{low}, {high}]\nlog = true"),
        Range::Choice(values) => {
            let values: Vec<String> = values.iter().map(toml_text).collect();
            format!("choice = [{}]", values.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    toml_text(&Value::from(text))
}

/// A name that a study can have.
fn sound(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = name.chars().map(letter).take(common::name::LONGEST_NAME).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "imported".to_owned() } else { name.to_owned() }
}
