//! `longshore-replay`: one replay shard as a process of its own.

use std::path::PathBuf;

use clap::Parser;
use common::ExitCode;
use common::ids::ShardId;
use configuration::{Config, Durability, LinkAddress};
use replay::Shard;
use telemetry::{Failure, Health, HealthServer, LogFormat, Program};
use transport::{Endpoint, Role, Transport, WeightsEndpoints};

/// Stores trajectories for a learner; one process a shard.
#[derive(Debug, Parser)]
#[command(
    name = "longshore-replay",
    version,
    after_help = format!(
        "Examples:\n  longshore-replay -c configs/train/cluster.toml --shard 0\n  \
         longshore-replay -c configs/train/cluster.toml --shard 1 --bind 'tcp://*:7102'\n\n{}",
        ExitCode::help()
    )
)]
struct Arguments {
    /// The run's configuration file.
    #[arg(short, long)]
    config: PathBuf,
    /// Which entry of `transport.shards` this process is, from 0.
    #[arg(long)]
    shard: u32,
    /// The address to bind, where it is not that entry.
    #[arg(long, value_name = "ADDRESS", value_parser = |text: &str| LinkAddress::try_from(text.to_owned()))]
    bind: Option<LinkAddress>,
    /// Overrides a value of the configuration, e.g. --set replay.folder=/data/replay.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Logs one JSON object a line.
    #[arg(long)]
    log_json: bool,
}

impl Program for Arguments {
    fn log_format(&self) -> LogFormat {
        if self.log_json { LogFormat::Json } else { LogFormat::Plain }
    }

    fn run(&self) -> Result<ExitCode, Failure> {
        let config = configuration::load(&self.config, &self.settings)?;
        let endpoint = self.endpoint(&config)?;
        let shutdown = telemetry::shutdown_on_signals()?;
        let transport = Transport::from_config(&config.transport, Role::Replay)?;
        let health = Health::new();
        let _server = match &config.replay.metrics_address {
            Some(address) => Some(HealthServer::start(address.as_str(), health.clone(), shutdown.clone())?),
            None => None,
        };
        let id = ShardId(self.shard);
        let mut shard = Shard::bind(&config, id, &endpoint, &transport, health, Durability::Disk)?;
        if config.transport.relay_weights {
            shard.relay_weights(&config, &transport, WeightsEndpoints::of_actors(&config.transport))?;
        }
        let summary = shard.serve(&shutdown)?;
        Ok(if summary.run_finished { ExitCode::Success } else { ExitCode::Interrupted })
    }
}

impl Arguments {
    /// The address to bind.
    fn endpoint(&self, config: &Config) -> Result<Endpoint, Failure> {
        let listed = config.transport.shards.get(self.shard as usize);
        let bind = self.bind.as_ref().or(config.replay.bind.as_ref()).or(listed);
        bind.map(Endpoint::from).ok_or_else(|| Failure {
            code: ExitCode::Config,
            message: format!(
                "--shard {} has no entry in transport.shards: the configuration names no address for this shard; give --bind \
                 tcp://HOST:PORT",
                self.shard
            ),
        })
    }
}

fn main() -> std::process::ExitCode {
    telemetry::run_program::<Arguments>()
}
