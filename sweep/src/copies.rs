//! Copies of trials in a population: the checkpoint that they go on from is kept, and what a copy went on from and with is asserted.

use std::fs;
use std::path::{Path, PathBuf};

use common::user_file::read_text;
use serde_json::Value;

use crate::SweepError;
use crate::entry::{CopiedFrom, RunId};
use crate::layout::Layout;
use crate::space::{same, toml_text};
use crate::state::State;

/// Bytes of a record, a manifest or a configuration of a run.
const LARGEST_FILE: u64 = 64 << 20;
/// What identifies a checkpoint, in its manifest and in the `run.json` of a run that goes on from a copy of it.
const IDENTITY: [&str; 3] = ["run", "version", "environment_steps"];

/// Keeps the newest checkpoint of a trial that waits at a rung, for copies of it. One that is kept already stays: the trial has waited
/// since.
pub(crate) fn keep_checkpoint(layout: &Layout, from: CopiedFrom) -> Result<(), SweepError> {
    let kept = layout.copied(from);
    if kept.is_dir() {
        return Ok(());
    }
    let run = layout.run(RunId { trial: from.trial, seed: 0 });
    let newest = newest_checkpoint(&run).ok_or_else(|| {
        SweepError::Request(format!(
            "trial {} is to be copied, and {} holds no checkpoint; was it removed?",
            from.trial,
            run.join("checkpoints").display()
        ))
    })?;
    let files = fs::read_dir(&newest).map_err(|source| SweepError::io("read", &newest, source))?;
    let files: Vec<PathBuf> = files.filter_map(Result::ok).map(|file| file.path()).collect();
    durable::atomic_folder(&kept, |temporary| {
        files.iter().try_for_each(|file| {
            let name = file.file_name().unwrap_or_default();
            fs::copy(file, temporary.join(name)).map(drop)
        })
    })?;
    Ok(())
}

/// The folder of a run's newest checkpoint: they are numbered, and sort as their numbers do.
fn newest_checkpoint(run: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(run.join("checkpoints")).ok()?;
    let names = entries.filter_map(Result::ok).map(|entry| entry.path());
    let is_numbered = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.strip_prefix('v').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    names.filter(is_numbered).max()
}

/// Refuses a copy that did not go on from the checkpoint that was kept for it, or whose learner has other settings than its trial.
pub(crate) fn check_copy(layout: &Layout, state: &State, run: RunId) -> Result<(), String> {
    let trial = &state.trials[run.trial as usize];
    let Some(from) = trial.copied_from else { return Ok(()) };
    let folder = layout.run(run);
    let record = json(&folder.join("run.json"))?;
    let record = record.get("copied_from").unwrap_or(&Value::Null);
    let kept = json(&layout.copied(from).join("manifest.json"))?;
    if let Some(name) = IDENTITY.into_iter().find(|name| record.get(name) != kept.get(*name)) {
        let text = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        return Err(format!(
            "it went on from another checkpoint than that of trial {} at rung {}: `{name}` is {}, not {}",
            from.trial,
            from.rung + 1,
            text(record.get(name)),
            text(kept.get(name)),
        ));
    }
    let file = folder.join("config.toml");
    let config = text(&file)?;
    let config: toml::Table = config.parse().map_err(|error| format!("{}: {error}", file.display()))?;
    let wrong = trial.setting.iter().find_map(|(key, value)| {
        let own = value_of(&config, key).and_then(|own| serde_json::to_value(own).ok());
        let is_right = own.as_ref().is_some_and(|own| same(own, value));
        (!is_right).then(|| format!("`{key}` is {}, not {}", own.unwrap_or_default(), toml_text(value)))
    });
    wrong.map_or(Ok(()), |wrong| Err(format!("its learner has another setting than its trial: {wrong}")))
}

/// The value of a dotted key.
fn value_of<'a>(table: &'a toml::Table, key: &str) -> Option<&'a toml::Value> {
    match key.split_once('.') {
        Some((first, rest)) => value_of(table.get(first)?.as_table()?, rest),
        None => table.get(key),
    }
}

fn json(path: &Path) -> Result<Value, String> {
    serde_json::from_str(&text(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

fn text(path: &Path) -> Result<String, String> {
    read_text(path, LARGEST_FILE).map_err(|error| format!("{}: {error}", path.display()))
}
