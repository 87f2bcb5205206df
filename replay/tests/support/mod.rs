//! Shards, learners and actors of one test, without policies.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use common::Shutdown;
use common::ids::{
    ActorId, Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber, ShardId,
};
use common::trajectory::TrajectoryHeader;
use configuration::{Config, Durability};
use replay::{ReplaySummary, Shard};
use telemetry::Health;
use transport::{
    ActorClient, ActorIdentity, Endpoint, KeyPair, Keys, LearnerIdentity, LinkOptions, Role, Security,
    ShardDirectory, TrajectorySampler, Transport, TransportError, WeightsEndpoints, WeightsFollower,
    WriterOptions,
};

pub const SCHEMA: Digest = Digest([5; 32]);
pub const RUN: RunId = RunId([1; 16]);
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A shard on a thread of its own.
pub struct RunningShard {
    pub endpoint: Endpoint,
    shutdown: Shutdown,
    thread: JoinHandle<ReplaySummary>,
}

impl RunningShard {
    pub fn start(transport: &Transport, shard: u32, endpoint: &str, settings: &[&str]) -> Self {
        let config = config(settings);
        let endpoint = endpoint.parse().unwrap();
        let bind = || {
            let (id, health) = (ShardId(shard), Health::new());
            Shard::bind(&config, id, &endpoint, transport, health, Durability::Memory)
        };
        // The socket of a shard before it may take a moment to close.
        let mut bound = bind();
        let start = std::time::Instant::now();
        while bound.is_err() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
            bound = bind();
        }
        let shard = bound.unwrap();
        RunningShard::serve(shard)
    }

    /// One that fetches the weights of a learner at `weights`.
    pub fn start_relaying(
        transport: &Transport,
        shard: u32,
        endpoint: &str,
        settings: &[&str],
        weights: WeightsEndpoints,
    ) -> Self {
        let config = config(settings);
        let endpoint = endpoint.parse().unwrap();
        let mut shard =
            Shard::on(&config, ShardId(shard), &endpoint, transport, Health::new(), None).unwrap();
        shard.relay_weights(&config, transport, weights).unwrap();
        RunningShard::serve(shard)
    }

    fn serve(shard: Shard) -> Self {
        let (endpoint, shutdown) = (shard.endpoint().clone(), Shutdown::new());
        let stop = shutdown.clone();
        RunningShard { endpoint, shutdown, thread: std::thread::spawn(move || shard.serve(&stop).unwrap()) }
    }

    pub fn stop(self) -> ReplaySummary {
        self.shutdown.trigger();
        self.thread.join().unwrap()
    }

    pub fn join(self) -> ReplaySummary {
        self.thread.join().unwrap()
    }
}

pub fn config(settings: &[&str]) -> Config {
    let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    let text = "schema = 1\nname = \"test\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n";
    configuration::parse(text, "test", &settings).unwrap()
}

/// The setting of a queue that tolerates so many steps that nobody has sampled.
pub fn fresh(tolerance: u64) -> String {
    format!(
        "replay.tables.fresh={{sampler=\"fifo\",remover={{times_sampled=1}},samples_per_insert=1.0,tolerance_steps={tolerance}}}"
    )
}

/// Key pairs of all roles, in the order of `Role::ALL`.
pub fn pairs() -> [KeyPair; 3] {
    [(); 3].map(|()| KeyPair::generate().unwrap())
}

pub fn curve(role: Role, pairs: &[KeyPair; 3]) -> Transport {
    let keys = Keys::from_pairs(role, pairs[role as usize].clone(), pairs);
    Transport::tcp(Security::Curve(Arc::new(keys))).unwrap()
}

pub fn plain() -> Transport {
    Transport::tcp(Security::Plain { insecure: false }).unwrap()
}

/// Impatient enough for tests.
pub fn link() -> LinkOptions {
    LinkOptions {
        heartbeat: Duration::from_millis(100),
        peer_timeout: Duration::from_secs(1),
        reach_deadline: PATIENCE,
        ..LinkOptions::default()
    }
}

pub fn learner(run: RunId, token: u32) -> LearnerIdentity {
    LearnerIdentity { run, token: FencingToken(token), incarnation: Incarnation(0), schema: SCHEMA }
}

pub fn sampler(transport: &Transport, shards: &[Endpoint]) -> TrajectorySampler {
    let mut sampler =
        TrajectorySampler::connect(transport, &directory(shards), learner(RUN, 1), link(), &Shutdown::new())
            .unwrap();
    wait_until(|| {
        sampler.poll().unwrap();
        sampler.live_shards() == shards.len()
    });
    sampler
}

pub fn directory(shards: &[Endpoint]) -> ShardDirectory {
    ShardDirectory::fixed(shards.to_vec())
}

pub fn writer(transport: &Transport, shards: &[Endpoint], actor: u64, run: RunId) -> ActorClient {
    try_writer(transport, shards, actor, run, None).unwrap()
}

pub fn try_writer(
    transport: &Transport,
    shards: &[Endpoint],
    actor: u64,
    run: RunId,
    weights: Option<WeightsFollower>,
) -> Result<ActorClient, TransportError> {
    let identity =
        ActorIdentity { run, actor: ActorId(actor), incarnation: Incarnation(actor * 7 + 1), schema: SCHEMA };
    let options = WriterOptions { spool: 1000, spool_bytes: 64 << 20, link: link() };
    ActorClient::connect(transport, &directory(shards), identity, options, weights, &Shutdown::new())
}

/// Of an item of ten steps.
pub fn header(actor: u64, ordinal: u64, version: u64) -> TrajectoryHeader {
    let version = PolicyVersion { token: FencingToken(1), number: version };
    TrajectoryHeader {
        actor: ActorId(actor),
        incarnation: Incarnation(actor * 7 + 1),
        sequence: SequenceNumber(0),
        ordinal,
        first_version: version,
        last_version: version,
        priority: 1.0,
        steps: 10,
    }
}

/// Bytes that could be those of ten steps, which say the ordinal.
pub fn body(ordinal: u64) -> Vec<u8> {
    ordinal.to_le_bytes().repeat(40)
}

/// An item of ten steps; `ordinal` is also in its bytes.
pub fn insert(
    writer: &mut ActorClient,
    actor: u64,
    ordinal: u64,
    version: u64,
) -> Result<(), TransportError> {
    writer.insert(header(actor, ordinal, version), body(ordinal), vec![ordinal as u8; 1000])
}

pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "what was waited for did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
