//! `faulty-shard CONFIG ENDPOINT FAULT AT`: a replay shard on a disk that fails, or takes the process along, at one
//! operation. The production code knows nothing of such faults.

use std::path::PathBuf;
use std::sync::Arc;

use common::ExitCode;
use common::ids::ShardId;
use replay::Shard;
use system_tests::{Fault, FaultyDisk};
use telemetry::{Failure, Health, Program};
use transport::{Endpoint, Role, Transport};

/// A shard on a disk with a fault.
#[derive(clap::Parser)]
struct Arguments {
    config: PathBuf,
    endpoint: String,
    fault: String,
    at: u64,
}

impl Program for Arguments {
    fn run(&self) -> Result<ExitCode, Failure> {
        let config = configuration::load(&self.config, &[])?;
        let transport = Transport::from_config(&config.transport, Role::Replay)?;
        let folder = config.replay.folder.join("shard-0");
        std::fs::create_dir_all(&folder).map_err(|error| Failure::new(ExitCode::Storage, &error))?;
        let fault = Fault::from_name(&self.fault)
            .ok_or_else(|| Failure { code: ExitCode::Usage, message: "no such fault".to_owned() })?;
        let disk = Arc::new(FaultyDisk::new(&folder, fault, self.at));
        let endpoint = self.endpoint.parse::<Endpoint>()?;
        let shard = Shard::on(&config, ShardId(0), &endpoint, &transport, Health::new(), Some(disk))?;
        shard.serve(&telemetry::shutdown_on_signals()?)?;
        Ok(ExitCode::Success)
    }
}

fn main() -> std::process::ExitCode {
    telemetry::run_program::<Arguments>()
}
