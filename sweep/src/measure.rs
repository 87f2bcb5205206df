//! What runs report: lines of a training's `metrics.jsonl`, or the results of an evaluation.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use common::user_file::{open_bounded, read_text};
use serde_json::{Map, Value};

use crate::entry::{RunId, Values};
use crate::job::{OWN_RESULTS, results_file, results_of_limit};
use crate::layout::Layout;
use crate::program::Program;
use crate::state::State;

/// Reads what runs report, each line once.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    /// Bytes of `metrics.jsonl` that were read, by run.
    read: HashMap<RunId, u64>,
    /// Metrics of the study that a run has not reported, and whether it was validated.
    missing: HashMap<RunId, (Vec<String>, bool)>,
    /// The newest values of a run since its last report: metrics can stand in different lines, some in more lines than others.
    gathered: HashMap<RunId, Values>,
}

/// Bytes of the metrics of a run, and of the results of an evaluation.
const LARGEST_METRICS: u64 = 1 << 30;
const LARGEST_RESULTS: u64 = 256 << 20;
/// A name that begins so is reported by validations.
const OF_VALIDATIONS: &str = "\"eval/";

impl Measures {
    /// What a training has reported since the last time: what it had spent, and the metrics of the study.
    pub(crate) fn of_training(&mut self, layout: &Layout, state: &State, run: RunId) -> Vec<(u64, Values)> {
        let path = layout.run(run).join("metrics.jsonl");
        let read = self.read.entry(run).or_default();
        let Some(text) = new_text(&path, *read) else { return Vec::new() };
        // A line that is being written is read when it is whole.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        *read += whole.len() as u64;
        let wanted = state.study.metrics();
        let all = || (wanted.iter().map(|name| (*name).to_owned()).collect(), false);
        let (missing, was_validated) = self.missing.entry(run).or_insert_with(all);
        missing.retain(|name| !whole.contains(&format!("\"{name}\":")));
        *was_validated |= whole.contains(OF_VALIDATIONS);
        let gathered = self.gathered.entry(run).or_default();
        let lines = whole.lines().filter_map(|line| point(line, &wanted));
        lines
            .filter_map(|(spent, values)| {
                gathered.extend(values);
                // A report is made where the last of the metrics has come.
                (gathered.len() == wanted.len()).then(|| (spent, std::mem::take(gathered)))
            })
            .collect()
    }
}

impl Measures {
    /// A metric that a run never reports: it was validated, and the metric was not there.
    pub(crate) fn missing(&self, run: RunId) -> Option<&str> {
        let (missing, was_validated) = self.missing.get(&run)?;
        missing.first().filter(|_| *was_validated).map(String::as_str)
    }
}

/// What was added to a file behind its first `read` bytes.
fn new_text(path: &Path, read: u64) -> Option<String> {
    let mut file = open_bounded(path, LARGEST_METRICS).ok()?;
    file.seek(SeekFrom::Start(read)).ok()?;
    let mut bytes = Vec::new();
    file.take(LARGEST_METRICS).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn point(line: &str, wanted: &[&str]) -> Option<(u64, Values)> {
    let line: Map<String, Value> = serde_json::from_str(line).ok()?;
    let spent = line.get("step")?.as_f64()? as u64;
    let values: Values = wanted
        .iter()
        .filter_map(|name| {
            Some(((*name).to_owned(), line.get(*name)?.as_f64().filter(|value| value.is_finite())?))
        })
        .collect();
    (!values.is_empty()).then_some((spent, values))
}

/// Every name that a run has reported, for errors.
pub(crate) fn reported_names(layout: &Layout, run: RunId) -> Vec<String> {
    let text = new_text(&layout.run(run).join("metrics.jsonl"), 0).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Map<String, Value>>(line).ok());
    let mut names: Vec<String> = lines.flat_map(|line| line.into_iter().map(|(name, _)| name)).collect();
    names.sort();
    names.dedup();
    names
}

/// A row of an evaluation's results: one scheduler at one load.
type Point = Map<String, Value>;

/// What an evaluation came to: objectives as geometric means over configurations and loads, constraints as totals.
///
/// # Errors
/// What is missing from its results.
pub(crate) fn of_evaluation(layout: &Layout, state: &State, run: RunId) -> Result<Values, String> {
    let own = own_points(layout, state, run)?;
    let mut values = Values::new();
    for objective in &state.study.objectives {
        values.insert(objective.metric.clone(), geometric_mean(&own, &objective.metric)?);
    }
    for (number, constraint) in state.study.constraints.iter().enumerate() {
        let total: f64 = all(&own, &constraint.metric)?.iter().sum();
        let bound = match constraint.of {
            Some(_) => {
                let others = points(layout, state, run, &results_of_limit(number))?;
                all(&others, &constraint.metric)?.iter().sum()
            }
            None => own.len() as f64,
        };
        values.insert(state.study.constraint_key(number), total / bound);
    }
    Ok(values)
}

/// The rows of the trial's own scheduler.
pub(crate) fn own_points(layout: &Layout, state: &State, run: RunId) -> Result<Vec<Point>, String> {
    let mut points = points(layout, state, run, OWN_RESULTS)?;
    // A baseline that was played beside it comes second.
    let own = points.first().and_then(|point| point.get("scheduler")).cloned();
    points.retain(|point| point.get("scheduler") == own.as_ref());
    Ok(points)
}

fn points(layout: &Layout, state: &State, run: RunId, name: &str) -> Result<Vec<Point>, String> {
    let Program::Evaluate { configs, .. } = &state.study.program else { return Ok(Vec::new()) };
    let mut points = Vec::new();
    for config in 0..configs.len() {
        let path = layout.run(run).join(results_file(config, name));
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = read_text(&path, LARGEST_RESULTS).map_err(|error| wrong(&error))?;
        for line in text.lines() {
            points.push(serde_json::from_str(line).map_err(|error| wrong(&error))?);
        }
    }
    Ok(points)
}

/// The mean of a metric at each point.
fn all(points: &[Point], metric: &str) -> Result<Vec<f64>, String> {
    let mean = |value: &Value| value.get("mean").and_then(Value::as_f64);
    let value = |point: &Point| {
        point.get(metric).and_then(mean).ok_or_else(|| {
            let known: Vec<&str> = point
                .iter()
                .filter(|(_, value)| mean(value).is_some())
                .map(|(name, _)| name.as_str())
                .collect();
            format!("metric `{metric}` is not among the results, which have {}", known.join(", "))
        })
    };
    points.iter().map(value).collect()
}

fn geometric_mean(points: &[Point], metric: &str) -> Result<f64, String> {
    let values = all(points, metric)?;
    if values.iter().any(|value| *value <= 0.0) {
        return Err(format!(
            "metric `{metric}` is 0 or less somewhere; an objective is the geometric mean over configurations and loads: take a metric that is positive"
        ));
    }
    let logarithms: f64 = values.iter().map(|value| libm::log(*value)).sum();
    Ok(libm::exp(logarithms / values.len().max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Study;

    #[test]
    fn metrics_of_different_lines_are_one_report_where_the_last_of_them_has_come() {
        let text = "schema = 1\nname = \"t\"\nseed = 1\n[train]\nconfig = \"c\"\n[parameters.\"learner.epochs\"]\ninteger = [1, 3]\n\
                    [[objectives]]\nmetric = \"eval/score\"\ndirection = \"minimise\"\n\
                    [[constraints]]\nmetric = \"train/entropy\"\nat_most = 2.0\n[budget]\ntrials = 3\n";
        let config = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"slots\"\n";
        let study = Study::parse(text, "test", [("c".to_owned(), config.to_owned())].into()).unwrap();
        let state = State::new(study);
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let run = RunId { trial: 0, seed: 0 };
        let path = layout.run(run).join("metrics.jsonl");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let lines = [
            r#"{"step":10,"train/entropy":1.5,"train/loss":3}"#,
            r#"{"step":20,"train/entropy":1.4}"#,
            r#"{"step":20,"eval/score":0.5}"#,
            r#"{"step":30,"train/entropy":1.3}"#,
        ];
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let mut measures = Measures::default();
        let report = |entropy: f64, score: f64| -> Values {
            [("train/entropy".to_owned(), entropy), ("eval/score".to_owned(), score)].into()
        };
        assert_eq!(measures.of_training(&layout, &state, run), [(20, report(1.4, 0.5))]);
        assert!(measures.missing(run).is_none());
        // What was gathered counts with what comes later, also where it is read anew.
        std::fs::write(&path, lines.join("\n") + "\n{\"step\":30,\"eval/score\":0.4}\n").unwrap();
        assert_eq!(measures.of_training(&layout, &state, run), [(30, report(1.3, 0.4))]);
        let again = Measures::default().of_training(&layout, &state, run);
        assert_eq!(again, [(20, report(1.4, 0.5)), (30, report(1.3, 0.4))]);
    }
}
