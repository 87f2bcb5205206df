//! `longshore-actor`: one actor process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use common::ids::ActorId;
use telemetry::{Failure, Health, HealthServer, LogFormat, Program};
use transport::Links;

/// Plays simulated clusters and sends trajectories to the replay shards, until the learner ends the run.
#[derive(Parser)]
#[command(
    version,
    after_help = format!(
        "Example:\n  longshore-actor -c configs/train/cluster.toml --set actor.environments=128\n\n{}",
        common::ExitCode::help()
    )
)]
struct Arguments {
    /// The run's configuration; `transport` says where the learner and the shards are.
    #[arg(short, long)]
    config: PathBuf,
    /// Sets one value, e.g. `actor.environments=128`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// This actor's id, unique among the actors of the run; drawn at random where it is not set.
    #[arg(long)]
    id: Option<u64>,
    /// Logs as JSON, a line each.
    #[arg(long)]
    log_json: bool,
}

impl Program for Arguments {
    fn log_format(&self) -> LogFormat {
        if self.log_json { LogFormat::Json } else { LogFormat::Plain }
    }

    fn run(&self) -> Result<common::ExitCode, Failure> {
        let config = configuration::load(&self.config, &self.settings)?;
        let shutdown = telemetry::shutdown_on_signals()?;
        let health = Health::new();
        let _server = match &config.actor.metrics_address {
            Some(address) => Some(HealthServer::start(address.as_str(), health.clone(), shutdown.clone())?),
            None => None,
        };
        policy::set_threads(config.actor.threads);
        let links = Links::of_actor(&config.transport)?;
        let id = ActorId(self.id.unwrap_or_else(rand::random));
        actor::run(Arc::new(config), id, &links, &health, &shutdown)?;
        Ok(if shutdown.is_triggered() { common::ExitCode::Interrupted } else { common::ExitCode::Success })
    }
}

fn main() -> ExitCode {
    policy::let_waiting_threads_sleep();
    policy::keep_freed_memory();
    telemetry::run_program::<Arguments>()
}
