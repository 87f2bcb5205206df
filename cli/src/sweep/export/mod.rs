//! `longshore sweep export`.

mod csv;
mod tensorboard;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use common::ExitCode;
use sweep::{Layout, State, SweepError, export_to_optuna, to_wandb};

use super::folder::state;

/// Writes a study for other tools.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  longshore sweep export sweeps/slots -o trials.csv\n  \
                  longshore sweep export sweeps/slots --to tensorboard -o hparams && tensorboard --logdir hparams\n  \
                  longshore sweep export sweeps/slots --to wandb -o sweep.yaml\n  \
                  longshore sweep export sweeps/slots --to optuna --storage sqlite:///optuna.db\n\n\
                  `longshore sweep status --json` has all trials as JSON.")]
pub struct ExportArguments {
    /// The folder of the study.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// For which tool.
    #[arg(long, value_enum, default_value_t = To::Csv)]
    pub to: To,
    /// What to write; `trials.csv`, `sweep.yaml` or `hparams` when it is not given.
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// With `--to optuna`: an address without password, or the path of a file that holds the address.
    #[arg(long, value_name = "STORAGE", required_if_eq("to", "optuna"))]
    pub storage: Option<String>,
    /// With `--to optuna`: the Python that has Optuna.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub python: PathBuf,
}

/// Other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum To {
    /// A table (CSV), one row a trial and seed.
    Csv,
    /// A folder of event files for TensorBoard's HParams.
    Tensorboard,
    /// A sweep file of Weights & Biases.
    Wandb,
    /// A study of Optuna, with all trials that have ended.
    Optuna,
}

/// Reads and writes.
///
/// # Errors
/// Where the folder holds no study, or the output cannot be written.
pub fn run(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let state = state(&arguments.folder)?;
    let path_or = |default: &str| arguments.output.clone().unwrap_or_else(|| PathBuf::from(default));
    let path = match arguments.to {
        To::Optuna => return to_optuna(arguments, &state),
        To::Csv => {
            let path = path_or("trials.csv");
            write(&path, &csv::table(&state))?;
            path
        }
        To::Tensorboard => {
            let path = path_or("hparams");
            tensorboard::write(&state, &path)?;
            path
        }
        To::Wandb => {
            let path = path_or("sweep.yaml");
            let (text, notes) = to_wandb(&state.study).map_err(SweepError::Request)?;
            notes.iter().for_each(|note| tracing::warn!(note, "a sweep file cannot say all of the study"));
            write(&path, &text)?;
            path
        }
    };
    tracing::info!(path = %path.display(), trials = state.trials.len(), "the study is written");
    Ok(ExitCode::Success)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    durable::check_writable(path).with_context(|| format!("--output {}", path.display()))?;
    durable::atomic_write(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn to_optuna(arguments: &ExportArguments, state: &State) -> anyhow::Result<ExitCode> {
    let storage = super::import::storage(arguments.storage.as_deref().unwrap_or_default())?;
    export_to_optuna(state, &storage, &arguments.python, &Layout::new(&arguments.folder))?;
    tracing::info!(study = state.study.name, "Optuna has all trials of the study that have ended");
    Ok(ExitCode::Success)
}
