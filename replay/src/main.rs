//! `longshore-replay`: one replay shard as a process of its own.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use common::ExitCode;
use common::ids::ShardId;
use configuration::{Config, ConfigError, Durability};
use replay::{ReplayError, Shard};
use telemetry::{Failure, HealthServer, LogFormat, Readiness, TelemetryError};
use transport::{Endpoint, Role, Transport, TransportError, WeightsEndpoints};

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
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Overrides a value of the configuration, e.g. --set replay.folder=/data/replay.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Logs one JSON object a line.
    #[arg(long)]
    log_json: bool,
}

fn main() -> std::process::ExitCode {
    telemetry::run_program(|arguments| {
        serve(arguments).map_err(|error| Failure::new(exit_code(&error), error.as_ref()))
    })
}

fn serve(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    telemetry::set_up_logging(if arguments.log_json { LogFormat::Json } else { LogFormat::Plain })?;
    let config = configuration::load(&arguments.config, &arguments.settings)?;
    let endpoint = endpoint(arguments, &config)?;
    let shutdown = telemetry::shutdown_on_signals()?;
    let transport = Transport::from_config(&config.transport, Role::Replay)?;
    let readiness = Readiness::new();
    let _health = match &config.replay.metrics_address {
        Some(address) => Some(HealthServer::start(address, readiness.clone(), shutdown.clone())?),
        None => None,
    };
    let mut shard =
        Shard::bind(&config, ShardId(arguments.shard), &endpoint, &transport, readiness, Durability::Disk)?;
    if config.transport.relay_weights {
        shard.relay_weights(&config, &transport, WeightsEndpoints::of_actors(&config.transport)?)?;
    }
    let summary = shard.serve(&shutdown)?;
    Ok(if summary.run_finished { ExitCode::Success } else { ExitCode::Interrupted })
}

fn endpoint(arguments: &Arguments, config: &Config) -> anyhow::Result<Endpoint> {
    let listed = config.transport.shards.get(arguments.shard as usize);
    let bind = arguments.bind.as_ref().or(config.replay.bind.as_ref()).or(listed);
    let text = bind.with_context(|| {
        format!("--shard {} has no entry in transport.shards; give --bind tcp://HOST:PORT", arguments.shard)
    });
    Ok(text.map_err(|error| error.context(Misconfigured))?.parse()?)
}

/// Marks errors that end the program with [`ExitCode::Config`].
#[derive(Debug, thiserror::Error)]
#[error("the configuration names no address for this shard")]
struct Misconfigured;

fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<ConfigError>() || error.is::<Misconfigured>() {
        return ExitCode::Config;
    }
    let replay = error.downcast_ref::<ReplayError>().map(ReplayError::exit_code);
    let transport = || error.downcast_ref::<TransportError>().map(TransportError::exit_code);
    let telemetry = || error.downcast_ref::<TelemetryError>().map(TelemetryError::exit_code);
    replay.or_else(transport).or_else(telemetry).unwrap_or(ExitCode::Failure)
}
