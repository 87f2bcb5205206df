//! `longshore-learner`: the learner's process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use learner::{LearnerOptions, default_run_folder};
use telemetry::{HealthServer, LogFormat, Readiness};
use transport::Links;

/// Learns from the trajectories in the replay shards and publishes weights to the actors.
///
/// Started again on the same run folder it goes on from its newest checkpoint.
#[derive(Parser)]
#[command(
    version,
    after_help = format!(
        "Example:\n  longshore-learner -c configs/train/cluster.toml --run-folder runs/cluster\n\n{}",
        common::ExitCode::help()
    )
)]
struct Arguments {
    /// The run's configuration; `transport` says where the shards are and what the learner binds.
    #[arg(short, long)]
    config: PathBuf,
    /// Sets one value, e.g. `learner.budget_steps=100000`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Where the run lives; `runs/NAME` when it is not given.
    #[arg(long)]
    run_folder: Option<PathBuf>,
    /// A checkpoint or run folder whose weights a fresh run starts from.
    #[arg(long, value_name = "RUN")]
    init_from: Option<PathBuf>,
    /// Logs as JSON, a line each.
    #[arg(long)]
    log_json: bool,
}

fn main() -> ExitCode {
    policy::keep_freed_memory();
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(code) => code.into(),
        Err((code, message)) => {
            tracing::error!("{message}");
            code.into()
        }
    }
}

fn start(arguments: &Arguments) -> Result<common::ExitCode, (common::ExitCode, String)> {
    let failure = |error: telemetry::TelemetryError| (common::ExitCode::Failure, error.to_string());
    telemetry::set_up_logging(if arguments.log_json { LogFormat::Json } else { LogFormat::Plain })
        .map_err(failure)?;
    let config = common::config::load(&arguments.config, &arguments.settings)
        .map_err(|error| (common::ExitCode::Config, error.to_string()))?;
    let shutdown = telemetry::shutdown_on_signals().map_err(failure)?;
    let readiness = Readiness::new();
    let _health = match &config.learner.metrics_address {
        Some(address) => {
            Some(HealthServer::start(address, readiness.clone(), shutdown.clone()).map_err(failure)?)
        }
        None => None,
    };
    policy::set_threads(config.learner.threads);
    let links =
        Links::of_learner(&config.transport).map_err(|error| (error.exit_code(), error.to_string()))?;
    let options = LearnerOptions {
        run_folder: arguments.run_folder.clone().unwrap_or_else(|| default_run_folder(&config)),
        init_from: arguments.init_from.clone(),
    };
    let summary = learner::run(&Arc::new(config), &options, &links, &readiness, &shutdown)
        .map_err(|error| (error.exit_code(), error.to_string()))?;
    Ok(if !summary.finished { common::ExitCode::Interrupted } else { common::ExitCode::Success })
}
