//! `longshore-learner`: the learner's process, or one of its ranks.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use configuration::Config;
use learner::{LearnerError, LearnerOptions, Meeting, RankArguments, default_run_folder};
use telemetry::{Failure, Health, HealthServer, LogFormat, Program, Shutdown};
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
    /// A checkpoint or run folder that a fresh run goes on from as a copy: weights, optimisers, scales and steps.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["init_from", "resume"])]
    copy_from: Option<PathBuf>,
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

impl Program for Arguments {
    fn log_format(&self) -> LogFormat {
        if self.log_json { LogFormat::Json } else { LogFormat::Plain }
    }

    fn run(&self) -> Result<common::ExitCode, Failure> {
        if let Some(Command::Rank(rank)) = &self.command {
            rank.run()?;
            return Ok(common::ExitCode::Success);
        }
        let path = self.config.as_deref().unwrap_or(Path::new(""));
        let config = configuration::load(path, &self.settings)?;
        let deadline = config.learner.rank_deadline_seconds.duration();
        let insecure = config.transport.insecure;
        let meeting = Meeting::of_environment(|name| std::env::var(name).ok(), deadline, insecure)?;
        let shutdown = telemetry::shutdown_on_signals()?;
        // Before its port is bound: rank 0 is the service, perhaps on the same machine.
        let (rank, local_rank) = meeting.map_or((0, None), |meeting| (meeting.rank, meeting.local_rank));
        let device = learner::device(&config.learner, rank, local_rank)?;
        if let Some(meeting) = meeting.filter(|meeting| meeting.rank > 0) {
            learner::serve_rank(&meeting, config.learner.threads, device)?;
            return Ok(common::ExitCode::Success);
        }
        self.serve(config, meeting, device, &shutdown)
    }
}

impl Arguments {
    /// The service itself: the only rank, or rank 0.
    fn serve(
        &self,
        config: Config,
        meeting: Option<Meeting>,
        device: policy::Device,
        shutdown: &Shutdown,
    ) -> Result<common::ExitCode, Failure> {
        let run_folder = self.run_folder.clone().unwrap_or_else(|| default_run_folder(&config));
        learner::check_run_folder(&run_folder, &config, self.init_from.as_deref())?;
        if self.resume {
            learner::check_resumable(&run_folder)?;
        }
        let health = Health::new();
        let _server = match &config.learner.metrics_address {
            Some(address) => Some(HealthServer::start(address.as_str(), health.clone(), shutdown.clone())?),
            None => None,
        };
        policy::set_threads(config.learner.threads_of_rank());
        let links = Links::of_learner(&config.transport)?;
        let options = LearnerOptions {
            run_folder,
            init_from: self.init_from.clone(),
            copy_from: self.copy_from.clone(),
            device,
            meeting,
        };
        let summary = learner::run(&Arc::new(config), &options, &links, &health, shutdown)?;
        if summary.finished { Ok(common::ExitCode::Success) } else { Err(LearnerError::Interrupted.into()) }
    }
}

fn main() -> ExitCode {
    policy::let_waiting_threads_sleep();
    policy::keep_freed_memory();
    telemetry::run_program::<Arguments>()
}
