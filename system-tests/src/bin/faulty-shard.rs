//! `faulty-shard CONFIG ENDPOINT FAULT AT`: a replay shard on a disk that fails, or takes the process along, at one
//! operation. The production code knows nothing of such faults.

use std::sync::Arc;

use common::ExitCode;
use common::ids::ShardId;
use replay::{ReplayError, Shard};
use system_tests::{Fault, FaultyDisk};
use telemetry::{LogFormat, Readiness};
use transport::{Role, Transport};

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let code = match serve(&arguments) {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            tracing::error!("{}", common::error_text(error.as_ref()));
            error.downcast_ref::<ReplayError>().map_or(ExitCode::Failure, ReplayError::exit_code)
        }
    };
    code.into()
}

fn serve(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [config, endpoint, fault, at] = arguments else {
        return Err("usage: faulty-shard CONFIG ENDPOINT FAULT AT".into());
    };
    telemetry::set_up_logging(LogFormat::Plain)?;
    let config = configuration::load(config.as_ref(), &[])?;
    let transport = Transport::from_config(&config.transport, Role::Replay)?;
    let folder = config.replay.folder.join("shard-0");
    std::fs::create_dir_all(&folder)?;
    let fault = Fault::from_name(fault).ok_or("no such fault")?;
    let disk = Arc::new(FaultyDisk::new(&folder, fault, at.parse()?));
    let (endpoint, readiness) = (endpoint.parse()?, Readiness::new());
    let shard = Shard::on(&config, ShardId(0), &endpoint, &transport, readiness, Some(disk))?;
    shard.serve(&telemetry::shutdown_on_signals()?)?;
    Ok(())
}
