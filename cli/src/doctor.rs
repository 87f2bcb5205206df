//! `longshore doctor`: is this machine fit to train on, and if not, what would make it so.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::ExitCode;
use configuration::{Config, Durability, LinkAddress, MetricsAddress};
use serde::Serialize;
use transport::{Keys, Role, TransportError, curve_support};

/// Below this a training run is likely to be killed for memory.
const LITTLE_MEMORY_MIB: u64 = 2048;
/// Checkpoints and metrics of a long run.
const LITTLE_DISK_MIB: u64 = 1024;

/// Checks what training needs: libraries, memory, disk, keys, ports.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  longshore doctor -c configs/train/cluster.toml --run-folder runs")]
pub struct DoctorArguments {
    /// Checks the devices, keys and ports of this configuration, too.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Sets one value of the configuration.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Where run folders are written.
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    pub run_folder: PathBuf,
    /// One JSON object a check: name, state, reason.
    #[arg(long)]
    pub json: bool,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The check found no problem.
    Ok,
    /// Training will work, but perhaps not well.
    Warning,
    /// Training will not work.
    Failed,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the check, e.g. `gpus`.
    pub name: &'static str,
    /// Result of the check.
    pub state: State,
    /// What was found and, where it is wrong, what would be right.
    pub reason: String,
}

/// Prints every check. `libtorch` loads the tensor library and says which, or why it cannot be loaded; `cuda` says which GPUs
/// there are, or why none.
///
/// # Errors
/// A configuration that cannot be read; output that cannot be written.
pub fn run(
    arguments: &DoctorArguments,
    libtorch: impl FnOnce() -> Result<String, String>,
    cuda: impl FnOnce() -> String,
) -> anyhow::Result<ExitCode> {
    let config = match &arguments.config {
        Some(path) => Some(configuration::load(path, &arguments.settings)?),
        None => None,
    };
    let mut checks = vec![
        libzmq(),
        outcome("libtorch", libtorch()),
        gpus(cuda()),
        cores(),
        memory(),
        disk(&arguments.run_folder),
    ];
    if let Some(config) = &config {
        checks.push(devices(config));
        checks.extend(replay_disk(config));
        checks.push(keys(config));
        checks.extend(ports(config));
    }
    print(&checks, arguments.json)?;
    let failed = checks.iter().any(|check| check.state == State::Failed);
    Ok(if failed { ExitCode::Failure } else { ExitCode::Success })
}

fn print(checks: &[Check], json: bool) -> anyhow::Result<()> {
    let mut stdout = telemetry::stdout();
    for check in checks {
        if json {
            writeln!(stdout, "{}", serde_json::to_string(check)?)?;
            continue;
        }
        let state = match check.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "FAILED",
        };
        writeln!(stdout, "{state:8} {:16} {}", check.name, check.reason)?;
    }
    Ok(())
}

fn outcome<E: std::fmt::Display>(name: &'static str, result: Result<String, E>) -> Check {
    match result {
        Ok(reason) => Check { name, state: State::Ok, reason },
        Err(error) => Check { name, state: State::Failed, reason: error.to_string() },
    }
}

fn libzmq() -> Check {
    outcome("libzmq", curve_support().map(|version| format!("version {version}, with CURVE")))
}

/// A machine without GPUs is fit: learning runs on the CPU.
fn gpus(found: String) -> Check {
    Check { name: "gpus", state: State::Ok, reason: found }
}

/// The devices on which the learner of a configuration computes.
fn devices(config: &Config) -> Check {
    let found = learner::device(&config.learner, 0, None);
    let names: Vec<String> = config.learner.devices.iter().map(ToString::to_string).collect();
    outcome("learner.devices", found.map(|_| format!("{} are here", names.join(", "))))
}

fn cores() -> Check {
    let found = std::thread::available_parallelism().map(|cores| format!("{cores} to use"));
    outcome("cores", found)
}

fn memory() -> Check {
    let read = std::fs::read_to_string("/proc/meminfo").ok();
    let available = read.as_deref().and_then(available_mib);
    match available {
        Some(mib) if mib < LITTLE_MEMORY_MIB => Check {
            name: "memory",
            state: State::Warning,
            reason: format!("{mib} MiB available; lower max_mib of replay.tables and actor.environments"),
        },
        Some(mib) => Check { name: "memory", state: State::Ok, reason: format!("{mib} MiB available") },
        None => Check {
            name: "memory",
            state: State::Warning,
            reason: "unknown: /proc/meminfo names no MemAvailable".to_owned(),
        },
    }
}

fn available_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Where shards keep what they acknowledged: dead bytes are let grow to as much as what is alive and two segments, and one
/// more segment is written meanwhile. Shards of this machine share the folder.
fn replay_disk(config: &Config) -> Option<Check> {
    let replay = &config.replay;
    if replay.durability == Some(Durability::Memory) {
        return None;
    }
    let shards = shards_here(config);
    let tables = replay.tables_for(&config.learner);
    let held: u64 = tables.values().map(|table| table.max_mib as u64).sum();
    let needed = (2 * held + 3 * u64::from(replay.segment_mib)) * shards;
    let (existing, free) = free_at(&replay.folder);
    let of = format!(
        "{shards} shards of durability \"disk\" may need {needed} MiB at {} (replay.folder)",
        existing.display()
    );
    let (state, reason) = match (takes_files(&replay.folder), free) {
        (Err(why), _) => (State::Failed, why),
        (_, Some(mib)) if mib < needed => {
            (State::Warning, format!("{of}, and {mib} are free; lower max_mib of replay.tables"))
        }
        (_, Some(mib)) => (State::Ok, format!("{of}; {mib} are free")),
        (_, None) => (State::Warning, format!("{of}; df does not say how much is free")),
    };
    Some(Check { name: "replay.folder", state, reason })
}

/// Shards that may run on this machine: those of loopback, or one where each has a host of its own.
fn shards_here(config: &Config) -> u64 {
    let is_loopback = |address: &&LinkAddress| address.host_port().host.is_loopback();
    (config.transport.shards.iter().filter(is_loopback).count() as u64).max(1)
}

/// The nearest folder that is there, and the MiB that are free at it.
fn free_at(folder: &Path) -> (&Path, Option<u64>) {
    let existing = nearest(folder);
    let output = Command::new("df").arg("-Pk").arg(existing).output();
    let text = output.ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    (existing, text.as_deref().and_then(free_mib))
}

fn nearest(folder: &Path) -> &Path {
    folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."))
}

/// Why nothing could be written into a folder, which need not be there yet.
fn takes_files(folder: &Path) -> Result<(), String> {
    if let Some(file) = folder.ancestors().find(|path| path.exists()).filter(|path| !path.is_dir()) {
        return Err(format!("{} is a file; name a folder", file.display()));
    }
    let existing = nearest(folder);
    tempfile::tempfile_in(existing)
        .map(drop)
        .map_err(|error| format!("nothing can be written to {}: {error}", existing.display()))
}

fn disk(folder: &Path) -> Check {
    let (existing, free) = free_at(folder);
    let (state, reason) = match (takes_files(folder), free) {
        (Err(why), _) => (State::Failed, why),
        (_, Some(mib)) if mib < LITTLE_DISK_MIB => {
            (State::Failed, format!("{mib} MiB free at {}; {LITTLE_DISK_MIB} are needed", existing.display()))
        }
        (_, Some(mib)) => (State::Ok, format!("{mib} MiB free at {}", existing.display())),
        (_, None) => (State::Warning, format!("unknown: df says nothing about {}", existing.display())),
    };
    Check { name: "disk", state, reason }
}

/// The fourth column of the second line, as POSIX has it.
fn free_mib(df: &str) -> Option<u64> {
    df.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn keys(config: &Config) -> Check {
    let Some(folder) = &config.transport.keys else {
        let reason = "none configured: links are plain, and bound to loopback only".to_owned();
        return Check { name: "keys", state: State::Ok, reason };
    };
    // A machine needs the secrets of its own roles only.
    let mut roles = Keys::roles_in(folder);
    if roles.is_empty() {
        roles.push(Role::Learner);
    }
    let found: Result<Vec<Keys>, TransportError> =
        roles.iter().map(|role| Keys::load(folder, *role)).collect();
    let names = roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    outcome("keys", found.map(|_| format!("{} holds a pair for: {names}", folder.display())))
}

/// The addresses that the services of this configuration bind on this machine: shards, learner, and metrics.
fn ports(config: &Config) -> Vec<Check> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |key: &str, address: Option<&str>| {
        if let Some(address) = address {
            keys.entry(address.to_owned()).or_default().push(key.to_owned());
        }
    };
    let (transport, replay) = (&config.transport, &config.replay);
    add("replay.bind", replay.bind.as_ref().map(LinkAddress::as_str));
    if replay.bind.is_none() {
        for (place, shard) in transport.shards.iter().enumerate() {
            add(&format!("transport.shards[{place}]"), Some(shard.as_str()));
        }
    }
    let mut add_bind = |key: &str, bind: &Option<LinkAddress>, otherwise: &LinkAddress| match bind {
        Some(bind) => add(&format!("transport.{key}_bind"), Some(bind.as_str())),
        None => add(&format!("transport.{key}"), Some(otherwise.as_str())),
    };
    add_bind("weights_announce", &transport.weights_announce_bind, &transport.weights_announce);
    add_bind("weights_pull", &transport.weights_pull_bind, &transport.weights_pull);
    add("replay.metrics_address", replay.metrics_address.as_ref().map(MetricsAddress::as_str));
    add("learner.metrics_address", config.learner.metrics_address.as_ref().map(MetricsAddress::as_str));
    add("actor.metrics_address", config.actor.metrics_address.as_ref().map(MetricsAddress::as_str));
    keys.iter().map(|(address, keys)| port(address, &keys.join(", "))).collect()
}

/// Whether an address can be bound here. An address of another machine is no fault.
fn port(address: &str, keys: &str) -> Check {
    let bare = address.trim_start_matches("tcp://").replace('*', "0.0.0.0");
    let (state, reason) = match TcpListener::bind(&bare) {
        Ok(_) => (State::Ok, format!("{bare} is free ({keys})")),
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
            (State::Ok, format!("{bare} is of another machine ({keys})"))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            (State::Failed, format!("{bare}: {error}; choose a port from 1024 on ({keys})"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            // The address may be in use by the service that this configuration describes.
            (State::Warning, format!("{bare} is in use; is it a service that runs already? ({keys})"))
        }
        Err(error) => (State::Warning, format!("{bare}: {error} ({keys})")),
    };
    Check { name: "port", state, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_words_are_understood() {
        assert_eq!(available_mib("MemTotal: 1 kB\nMemAvailable:    4194304 kB\n"), Some(4096));
        assert_eq!(available_mib("MemTotal: 1 kB\n"), None);
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 50 2097152 5% /\n";
        assert_eq!(free_mib(df), Some(2048));
        assert_eq!(free_mib("df: no such file"), None);
    }

    #[test]
    fn a_port_in_use_is_a_warning_that_names_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", taken.local_addr().unwrap());
        let check = port(&address, "transport.shards[0]");
        assert_eq!(check.state, State::Warning);
        assert!(check.reason.contains(&taken.local_addr().unwrap().to_string()));
        assert!(check.reason.contains("transport.shards[0]"), "{}", check.reason);
        drop(taken);
        assert_eq!(port(&address, "transport.shards[0]").state, State::Ok);
    }

    #[test]
    fn every_shard_and_service_of_a_configuration_is_looked_at() {
        let text = "schema = 1\nname = \"x\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n[transport]\n\
                    shards = [\"tcp://127.0.0.1:7910\", \"tcp://[::1]:7911\", \"tcp://localhost:7912\"]\n\
                    [learner]\nmetrics_address = \"127.0.0.1:7913\"\n[replay]\nmetrics_address = \"127.0.0.1:7914\"\n\
                    folder = \"/proc/version/replay\"";
        let config = configuration::parse(text, "test", &[]).unwrap();
        let checks = ports(&config);
        assert_eq!(checks.len(), 7, "{checks:?}");
        for key in [
            "transport.shards[2]",
            "transport.weights_pull",
            "replay.metrics_address",
            "learner.metrics_address",
        ] {
            assert!(checks.iter().any(|check| check.reason.contains(key)), "{key}: {checks:?}");
        }
        assert_eq!(shards_here(&config), 3);
        let disk = replay_disk(&config).unwrap();
        assert_eq!(disk.state, State::Failed);
        assert!(disk.reason.contains("/proc/version is a file"), "{}", disk.reason);
    }
}
