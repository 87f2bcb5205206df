//! `longshore-learner`: the learner's process, or one of its ranks.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use learner::{LearnerError, LearnerOptions, Meeting, RankArguments, default_run_folder};
use telemetry::{Failure, HealthServer, LogFormat, Readiness};
use transport::Links;

/// Learns from the trajectories in the replay shards and publishes weights to the actors.
///
/// Started again on the same run folder it goes on from its newest checkpoint; with `--resume` it does nothing else.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = format!(
        "Examples:\n  longshore-learner -c configs/train/cluster.toml --run-folder runs/cluster\n  \
         longshore-learner -c configs/train/cluster.toml --run-folder runs/cluster --resume\n  \
         RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 longshore-learner -c configs/train/cluster.toml\n\n{}",
        common::ExitCode::help()
    )
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The run's configuration; `transport` says where the shards are and what the learner binds.
    #[arg(short, long, required = true)]
    config: Option<PathBuf>,
    /// Sets one value, e.g. `learner.budget_steps=100000`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Where the run lives; `runs/NAME` when it is not given.
    #[arg(long)]
    run_folder: Option<PathBuf>,
    /// A checkpoint or run folder whose weights a fresh run starts from.
    #[arg(long, value_name = "RUN")]
    init_from: Option<PathBuf>,
    /// Only goes on with the run in the run folder: an error where it holds no checkpoint.
    #[arg(long, conflicts_with = "init_from")]
    resume: bool,
    /// Logs as JSON, a line each.
    #[arg(long)]
    log_json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// One of the learner's ranks; the learner starts it.
    #[command(hide = true)]
    Rank(RankArguments),
}

fn main() -> ExitCode {
    policy::keep_freed_memory();
    telemetry::run_program(start)
}

fn start(arguments: &Arguments) -> Result<common::ExitCode, Failure> {
    telemetry::set_up_logging(if arguments.log_json { LogFormat::Json } else { LogFormat::Plain })?;
    let failed = |error: LearnerError| Failure::new(error.exit_code(), &error);
    if let Some(Command::Rank(rank)) = &arguments.command {
        return rank.run().map(|()| common::ExitCode::Success).map_err(failed);
    }
    let path = arguments.config.as_deref().unwrap_or(Path::new(""));
    let config = configuration::load(path, &arguments.settings)
        .map_err(|error| Failure::new(common::ExitCode::Config, &error))?;
    let deadline = Duration::from_secs_f64(config.learner.rank_deadline_seconds);
    let insecure = config.transport.insecure;
    let meeting =
        Meeting::of_environment(|name| std::env::var(name).ok(), deadline, insecure).map_err(failed)?;
    let shutdown = telemetry::shutdown_on_signals()?;
    // Before its port is bound: rank 0 is the service, perhaps on the same machine.
    let (rank, local_rank) = meeting.map_or((0, None), |meeting| (meeting.rank, meeting.local_rank));
    let device = learner::device(&config.learner, rank, local_rank).map_err(failed)?;
    if let Some(meeting) = meeting.filter(|meeting| meeting.rank > 0) {
        return learner::serve_rank(&meeting, config.learner.threads, device)
            .map(|()| common::ExitCode::Success)
            .map_err(failed);
    }
    let run_folder = arguments.run_folder.clone().unwrap_or_else(|| default_run_folder(&config));
    learner::check_run_folder(&run_folder, &config, arguments.init_from.as_deref()).map_err(failed)?;
    if arguments.resume {
        learner::check_resumable(&run_folder).map_err(failed)?;
    }
    let readiness = Readiness::new();
    let _health = match &config.learner.metrics_address {
        Some(address) => Some(HealthServer::start(address, readiness.clone(), shutdown.clone())?),
        None => None,
    };
    policy::set_threads(config.learner.threads_of_rank());
    let links =
        Links::of_learner(&config.transport).map_err(|error| Failure::new(error.exit_code(), &error))?;
    let options = LearnerOptions { run_folder, init_from: arguments.init_from.clone(), device, meeting };
    let summary = learner::run(&Arc::new(config), &options, &links, &readiness, &shutdown).map_err(failed)?;
    if summary.finished { Ok(common::ExitCode::Success) } else { Err(failed(LearnerError::Interrupted)) }
}
