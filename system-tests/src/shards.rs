//! A replay shard as a process of its own, on a real disk.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use transport::Endpoint;

use crate::{Fault, Service};

/// Trajectories that the table `replayed` of [`ShardProcess`] holds: the newest.
pub const REPLAYED: u64 = 30;

/// Where a shard's process has its files and its addresses; it may be started again and again.
#[derive(Debug)]
pub struct ShardProcess {
    folder: PathBuf,
    config: String,
    endpoint: Endpoint,
    health: String,
}

impl ShardProcess {
    /// Files in `folder`, which exists; addresses on `host`, which `transport` settings of the configuration go with.
    /// Each segment is of a MiB. The actor may run ten trajectories and its credits ahead of the learner.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn new(folder: &Path, host: &str, transport: &str) -> Self {
        let [port, health] = [(); 2].map(|()| free_port());
        let (endpoint, health) = (format!("tcp://{host}:{port}"), format!("{host}:{health}"));
        let text = format!(
            "schema = 1\nname = \"faults\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n[actor]\nunroll = 10\n[transport]\n\
             shards = [\"{endpoint}\"]\n{transport}\n[replay]\nfolder = \"{}\"\nsegment_mib = 1\ncredits = 4\n\
             metrics_address = \"{health}\"\n[replay.tables.fresh]\nsampler = \"fifo\"\nremover = {{ times_sampled = 1 }}\n\
             samples_per_insert = 1.0\ntolerance_steps = 100\n[replay.tables.replayed]\nsampler = \"uniform\"\n\
             remover = \"fifo\"\nmax_items = {REPLAYED}\n",
            folder.display()
        );
        let config = folder.join("config.toml");
        fs::write(&config, text).expect("the test's folder can be written");
        let endpoint = endpoint.parse().expect("it is an address");
        ShardProcess { folder: folder.to_owned(), config: config.display().to_string(), endpoint, health }
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The arguments of `longshore-replay`.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        ["-c", &self.config, "--shard", "0"].map(str::to_owned).into()
    }

    /// Starts it as in production.
    #[must_use]
    pub fn start(&self) -> Service {
        Service::start(&self.folder, "shard", "longshore-replay", &self.arguments())
    }

    /// Starts it on a disk with a fault at one operation.
    #[must_use]
    pub fn start_faulty(&self, fault: Fault, at: u64) -> Service {
        let at = at.to_string();
        let arguments = [self.config.as_str(), self.endpoint.as_str(), fault.name(), &at];
        Service::start(&self.folder, "shard", "faulty-shard", &arguments)
    }

    /// The folder of its segments.
    #[must_use]
    pub fn segments(&self) -> PathBuf {
        self.folder.join("shard-0")
    }

    /// What it answers at a path, `/readyz` or `/metrics`, headers included; nothing when it does not.
    #[must_use]
    pub fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(&self.health) {
            let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: shard\r\nConnection: close\r\n\r\n");
            // A shard that dies meanwhile answers nothing.
            let _ = asked.and_then(|()| stream.read_to_string(&mut answer));
        }
        answer
    }

    /// The value of a metric that has these labels, 0 before it is there.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics");
        let of_line = |line: &str| line.strip_prefix(name)?.rsplit_once(' ')?.1.parse::<f64>().ok();
        text.lines().filter_map(of_line).sum()
    }
}

/// A port of loopback that was free a moment ago.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.expect("a port is free").port()
}
