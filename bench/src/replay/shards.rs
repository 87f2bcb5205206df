//! This project's processes: shards as production starts them, and clients that are this program again.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use configuration::Durability;
use tempfile::TempDir;

use super::client::{self, CREDITS};
use super::load::Load;
use super::plan::Plan;
use super::process::{Process, free_port};
use super::service::{Keeps, Service};

const START: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(5);
const CLEANED: &str = "longshore_replay_cleaned_bytes_total";

/// Shards of one run, claimed by its learner.
pub(super) struct Shards {
    program: std::path::PathBuf,
    load: Load,
    keeps: Keeps,
    servers: Vec<Process>,
    addresses: Vec<SocketAddr>,
    metrics: Vec<SocketAddr>,
    folder: TempDir,
}

impl Shards {
    pub(super) fn start(
        plan: &Plan,
        load: Load,
        durability: Durability,
        count: usize,
        keeps: Keeps,
    ) -> Result<Self> {
        let folder = tempfile::tempdir_in(&plan.disk)
            .with_context(|| format!("cannot write to {}", plan.disk.display()))?;
        let local = |_| Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
        let addresses = (0..count).map(local).collect::<Result<Vec<_>>>()?;
        let metrics = (0..count).map(local).collect::<Result<Vec<_>>>()?;
        let config = folder.path().join("shards.toml");
        std::fs::write(&config, configuration(&addresses, folder.path(), durability, load, keeps)?)?;
        let shard_program = plan.program.with_file_name("longshore-replay");
        let start = |(shard, metrics): (usize, &SocketAddr)| {
            let mut command = Command::new(&shard_program);
            command.args(["--shard", &shard.to_string(), "--config"]).arg(&config);
            command.args(["--set", &format!("replay.metrics_address=\"{metrics}\"")]);
            Process::start("server", command, folder.path())
        };
        let servers = metrics.iter().enumerate().map(start).collect::<Result<Vec<_>>>()?;
        client::claim(&addresses, START).with_context(|| servers[0].complaint())?;
        Ok(Shards { program: plan.program.clone(), load, keeps, servers, addresses, metrics, folder })
    }

    fn client(&self, role: &str, seconds: f64) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["bench", role, "--load", &self.load.to_string(), "--seconds", &seconds.to_string()]);
        let addresses: Vec<_> = self.addresses.iter().map(SocketAddr::to_string).collect();
        command.args(["--shards", &addresses.join(",")]);
        command
    }
}

impl Service for Shards {
    fn servers(&self) -> &[Process] {
        &self.servers
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn writer(&self, window: usize, seconds: f64) -> Command {
        let mut command = self.client("replay-write", seconds);
        // What is cleaned is measured once it has been going on for a while.
        let fill = match self.keeps {
            Keeps::Newest => self.load.max_items(),
            Keeps::Mixed => 3 * self.load.max_items(),
        };
        command.args(["--fill", &fill.to_string(), "--window", &window.to_string()]);
        if self.keeps == Keeps::Mixed {
            command.args(["--lifetimes", &self.load.max_items().to_string()]);
        }
        command
    }

    fn sampler(&self, seconds: f64) -> Command {
        self.client("replay-sample", seconds)
    }

    fn cleaned_bytes(&self) -> Result<u64> {
        self.metrics.iter().map(|address| cleaned_bytes(*address)).sum()
    }
}

/// All shards together hold as much as one alone. `fresh` is what a shard cannot be without; items that are to live for
/// times of their own must not live on in it.
fn configuration(
    addresses: &[SocketAddr],
    folder: &Path,
    durability: Durability,
    load: Load,
    keeps: Keeps,
) -> Result<String> {
    let endpoints: Vec<_> = addresses.iter().map(|address| format!("tcp://{address}")).collect();
    let max_items = load.max_items().div_ceil(addresses.len());
    let (remover, fresh_items) = match keeps {
        Keeps::Newest => ("fifo", max_items),
        Keeps::Mixed => ("lowest_priority", 16),
    };
    let durability = match durability {
        Durability::Memory => "memory",
        Durability::Disk => "disk",
    };
    let mut text =
        String::from("schema = 1\nname = \"bench\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n");
    writeln!(text, "[learner]\nreplayed_share = 0.5\n[transport]\nshards = {endpoints:?}")?;
    writeln!(
        text,
        "[replay]\ncredits = {CREDITS}\ndurability = \"{durability}\"\nfolder = \"{}\"",
        folder.display()
    )?;
    writeln!(
        text,
        "[replay.tables.fresh]\nsampler = \"fifo\"\nremover = {{ times_sampled = 1 }}\nmax_items = {fresh_items}"
    )?;
    writeln!(
        text,
        "[replay.tables.replayed]\nsampler = \"uniform\"\nremover = \"{remover}\"\nmax_items = {max_items}"
    )?;
    Ok(text)
}

/// What the metrics of a shard say.
fn cleaned_bytes(address: SocketAddr) -> Result<u64> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    // It is not there before the first report, nor without a disk.
    let line = text.lines().find(|line| line.starts_with(CLEANED));
    line.and_then(|line| line.rsplit(' ').next()).map_or(Ok(0), |value| Ok(value.parse::<f64>()? as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_accept_their_configuration() {
        let addresses = [1, 2].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        for keeps in [Keeps::Newest, Keeps::Mixed] {
            let text =
                configuration(&addresses, Path::new("/tmp"), Durability::Disk, Load::Small, keeps).unwrap();
            let config = configuration::parse(&text, "test", &[]).unwrap();
            assert_eq!(config.replay.tables[configuration::REPLAYED_TABLE].max_items, 10_000);
            let shards: Vec<_> =
                config.transport.shards.iter().map(configuration::LinkAddress::as_str).collect();
            assert_eq!(shards, ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"]);
        }
    }
}
