//! `longshore sweep add-trial`.

use std::io::Write as _;
use std::path::PathBuf;

use common::ExitCode;
use serde_json::Value;
use sweep::{Setting, SweepError, ask_for_trial};

use super::folder::{has_coordinator, state};

/// Asks for a trial with settings of your own; what they leave out is drawn. A running coordinator takes it up at once, else the next one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  longshore sweep add-trial sweeps/slots learner.learning_rate.from=0.002 learner.epochs=3"
)]
pub struct AddTrialArguments {
    /// The folder of the study.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Parameters with their values.
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub settings: Vec<String>,
}

/// Checks the setting and leaves it for the coordinator.
///
/// # Errors
/// What is no parameter, or no value of it.
pub fn run(arguments: &AddTrialArguments) -> anyhow::Result<ExitCode> {
    let state = state(&arguments.folder)?;
    let mut setting = Setting::new();
    for text in &arguments.settings {
        let (key, value) = parsed(text)?;
        if setting.insert(key.clone(), value).is_some() {
            return Err(SweepError::Request(format!("`{key}` is given twice; give it once")).into());
        }
    }
    state.study.space.check(&setting).map_err(SweepError::Request)?;
    ask_for_trial(&arguments.folder, &setting)?;
    let folder = arguments.folder.display();
    if has_coordinator(&arguments.folder) {
        writeln!(telemetry::stdout(), "asked for a trial; the coordinator takes it up")?;
    } else {
        writeln!(
            telemetry::stdout(),
            "asked for a trial; no coordinator runs: `longshore sweep resume {folder}` takes it up"
        )?;
    }
    Ok(ExitCode::Success)
}

fn parsed(text: &str) -> Result<(String, Value), SweepError> {
    let (key, value) = text.split_once('=').ok_or_else(|| {
        SweepError::Request(format!("`{text}` must look like key=value, e.g. learner.epochs=3"))
    })?;
    let value = value.trim();
    // A word needs no quotes.
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((key.trim().to_owned(), value))
}
