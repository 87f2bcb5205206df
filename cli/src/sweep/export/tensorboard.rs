//! A study for TensorBoard's HParams: a folder a run, with what it set and what it reported; runs of
//! a trial are one row.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::Value;
use sweep::{RunStatus, State, Trial};
use telemetry::{EventFile, SessionStatus};

/// Writes the folder; one that holds event files already is refused, for TensorBoard would show both.
pub(super) fn write(state: &State, folder: &Path) -> anyhow::Result<()> {
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        anyhow::bail!("{} is not empty; name a new folder with --output", folder.display());
    }
    for trial in &state.trials {
        for (seed, run) in &trial.runs {
            let group = format!("trial-{:04}", trial.number);
            let name = format!("{group}/seed-{}", seed + 1);
            let mut events = EventFile::create(&folder.join(&name), 0)?;
            events
                .hparams(now(), &group, &settings(trial), status(run.status))
                .with_context(|| format!("cannot write {name}"))?;
            for (spent, values) in &run.points {
                let values: Vec<(&str, f64)> =
                    values.iter().map(|(key, value)| (key.as_str(), *value)).collect();
                events.scalars(now(), *spent, &values)?;
            }
        }
    }
    Ok(())
}

fn settings(trial: &Trial) -> Vec<(&str, &Value)> {
    trial.setting.iter().map(|(key, value)| (key.as_str(), value)).collect()
}

fn status(status: RunStatus) -> SessionStatus {
    match status {
        RunStatus::Failed => SessionStatus::Failure,
        RunStatus::Running(_) => SessionStatus::Running,
        RunStatus::Waiting | RunStatus::Finished => SessionStatus::Success,
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
