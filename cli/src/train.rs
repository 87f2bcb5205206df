//! `longshore train`: the whole job in one process, ending in a table and a picture.

use std::path::PathBuf;
use std::sync::Arc;

use common::ExitCode;
use learner::{LearnerError, LearnerOptions, default_run_folder};

use crate::{run_report, services};

/// Trains a policy in one process and shows how it compares with the heuristics.
///
/// A run that was interrupted goes on from its newest checkpoint when the command is given again; so does a finished one whose
/// budget was raised, and else it is only evaluated again. A run goes on as it began: another seed, another reward or anything else that
/// changes what is learnt is refused. With `--resume` nothing else is done: where there is no run to go on with, the command fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  longshore train\n  longshore train -c configs/train/azure2019.toml\n  \
                  longshore train --set learner.entropy_cost.from=0.03 --run-folder runs/entropy\n  \
                  longshore train --copy-from runs/slots --set learner.learning_rate.from=0.001 --run-folder runs/slower\n  \
                  longshore train --run-folder runs/slots --resume")]
pub struct TrainArguments {
    /// The configuration; `configs/train/slots.toml` when it is not given, with `--resume` the run folder's own.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Sets one value, e.g. `learner.budget_steps=100000`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Where the run lives; `runs/NAME` when it is not given.
    #[arg(long, value_name = "FOLDER")]
    pub run_folder: Option<PathBuf>,
    /// A checkpoint or run folder whose weights a fresh run starts from.
    #[arg(long, value_name = "RUN")]
    pub init_from: Option<PathBuf>,
    /// A checkpoint or run folder that a fresh run goes on from as a copy: weights, optimisers, scales and steps. The configuration may
    /// differ in everything but what shapes networks. Where the run folder holds checkpoints of its own, it goes on from those.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["init_from", "resume"])]
    pub copy_from: Option<PathBuf>,
    /// Teaches the policy to decide as this scheduler does, instead of learning from its own play: a start for a later run with
    /// `--init-from`. The same as `--set learner.imitate=SCHEDULER`.
    #[arg(long, value_name = "SCHEDULER")]
    pub imitate: Option<String>,
    /// Only goes on with the run in the run folder: an error where it holds no checkpoint.
    #[arg(long, conflicts_with = "init_from")]
    pub resume: bool,
    /// Ends after learning: no evaluation on the test seeds.
    #[arg(long)]
    pub no_report: bool,
    /// One JSON object on stdout for each point of the final evaluation.
    #[arg(long)]
    pub json: bool,
}

impl TrainArguments {
    fn settings(&self) -> Vec<String> {
        let imitate = self.imitate.iter().map(|scheduler| format!("learner.imitate={scheduler}"));
        self.settings.iter().cloned().chain(imitate).collect()
    }

    fn config_file(&self) -> anyhow::Result<PathBuf> {
        match (&self.config, &self.run_folder) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(folder)) if self.resume => {
                learner::check_resumable(folder)?;
                Ok(folder.join("config.toml"))
            }
            (None, _) => Ok("configs/train/slots.toml".into()),
        }
    }
}

/// Trains, evaluates and reports.
///
/// # Errors
/// Whatever a service ends with.
pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let config = Arc::new(configuration::load(&arguments.config_file()?, &arguments.settings())?);
    let shutdown = telemetry::shutdown_on_signals()?;
    let run_folder = arguments.run_folder.clone().unwrap_or_else(|| default_run_folder(&config));
    // Before anything is started: what is wrong should be found neither among running services nor after the training.
    crate::config::check_schedulers(&config)?;
    learner::check_run_folder(&run_folder, &config, arguments.init_from.as_deref())?;
    if arguments.resume {
        learner::check_resumable(&run_folder)?;
    }
    if let Some(path) = &arguments.init_from {
        learner::check_init_from(path, &config)?;
    }
    if let Some(path) = &arguments.copy_from {
        learner::check_copy_from(path, &config)?;
    }
    let options = LearnerOptions {
        run_folder: run_folder.clone(),
        init_from: arguments.init_from.clone(),
        copy_from: arguments.copy_from.clone(),
        device: learner::device(&config.learner, 0, None)?,
        meeting: None,
    };
    let summary = services::train(&config, &options, &shutdown)?;
    if !summary.finished {
        return Err(LearnerError::Interrupted.into());
    }
    if !arguments.no_report {
        run_report::write(&config, &run_folder, arguments.json)?;
    }
    Ok(ExitCode::Success)
}
