//! `longshore sweep import`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use common::ExitCode;
use configuration::ConfigError;
use sweep::{Draft, Imported, Storage, Study, SweepError, from_optuna, from_wandb};

/// Most bytes of a sweep file.
const LARGEST_FILE: u64 = 4 << 20;

/// Makes a study file of a study of another tool.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longshore sweep import wandb sweep.yaml -c configs/train/slots.toml -o study.toml\n  \
                  longshore sweep import optuna sqlite:///optuna.db --study slots -c configs/train/slots.toml -o study.toml"
)]
pub struct ImportArguments {
    /// From what.
    #[command(subcommand)]
    pub from: From,
}

/// Where a study comes from.
#[derive(Debug, clap::Subcommand)]
pub enum From {
    /// A sweep file of Weights & Biases.
    Wandb(WandbArguments),
    /// A study of Optuna: its space, and its best trials as settings to try first.
    Optuna(OptunaArguments),
}

/// A sweep file of Weights & Biases.
#[derive(Debug, clap::Args)]
pub struct WandbArguments {
    /// The sweep file.
    #[arg(value_name = "SWEEP.yaml")]
    pub sweep: PathBuf,
    #[command(flatten)]
    pub into: Into,
}

/// A study of Optuna.
#[derive(Debug, clap::Args)]
pub struct OptunaArguments {
    /// Where it lies: an address without password, or the path of a file that holds the address.
    #[arg(value_name = "STORAGE")]
    pub storage: String,
    /// Its name there.
    #[arg(long)]
    pub study: String,
    /// The metric of its values, as trainings here report it; one for each value, in their order.
    #[arg(long, default_value = "eval/score")]
    pub metric: Vec<String>,
    /// How many of its best trials are tried first.
    #[arg(long, default_value_t = 10)]
    pub best: usize,
    /// The Python that has Optuna.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub python: PathBuf,
    #[command(flatten)]
    pub into: Into,
}

/// What is written.
#[derive(Debug, clap::Args)]
pub struct Into {
    /// The configuration that trials train.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// The study file to write.
    #[arg(short, long, value_name = "STUDY.toml")]
    pub output: PathBuf,
}

/// Reads and writes.
///
/// # Errors
/// What is wrong with the study there, or where the file cannot be written.
pub fn run(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let (draft, into) = match &arguments.from {
        From::Wandb(own) => {
            let config = configuration::load(&own.into.config, &[])?;
            let text = common::user_file::read_text(&own.sweep, LARGEST_FILE)
                .map_err(|source| ConfigError::Read { path: own.sweep.clone(), source })?;
            let origin = own.sweep.display().to_string();
            let steps = config.learner.budget_steps;
            let draft = from_wandb(&text, &origin, &own.into.config.display().to_string(), steps)
                .map_err(|wrong| SweepError::Request(format!("{origin}: {wrong}")))?;
            (draft, &own.into)
        }
        From::Optuna(own) => {
            configuration::load(&own.into.config, &[])?;
            let imported = Imported {
                storage: &storage(&own.storage)?,
                name: &own.study,
                metrics: &own.metric,
                config: &own.into.config.display().to_string(),
                best: own.best,
            };
            (from_optuna(&imported, &own.python)?, &own.into)
        }
    };
    write(&draft, &into.output)
}

/// Writes the study file, and says what of it does not go with the configuration.
fn write(draft: &Draft, output: &Path) -> anyhow::Result<ExitCode> {
    if output.is_file() {
        anyhow::bail!("{} exists; name another file with --output, or remove it", output.display());
    }
    durable::check_writable(output).with_context(|| format!("--output {}", output.display()))?;
    durable::atomic_write(output, draft.text().as_bytes())
        .with_context(|| format!("cannot write {}", output.display()))?;
    draft.notes.iter().for_each(|note| tracing::warn!(note, "not all is as it was there"));
    let mut out = telemetry::stdout();
    match Study::load(output) {
        Ok(_) => writeln!(out, "wrote {0}; `longshore sweep run {0}` runs it", output.display())?,
        Err(error) => {
            tracing::warn!(%error, "the study does not run yet");
            writeln!(out, "wrote {}; mend what the warning names before you run it", output.display())?;
        }
    }
    Ok(ExitCode::Success)
}

/// A storage of Optuna from an argument.
///
/// # Errors
/// Where it is an address with a password.
pub fn storage(text: &str) -> Result<Storage, SweepError> {
    Storage::parse(text).map_err(|wrong| SweepError::Request(format!("the storage {wrong}")))
}
