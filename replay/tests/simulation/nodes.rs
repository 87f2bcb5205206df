//! Who takes part.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use common::ids::{
    ActorId, Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber, ShardId,
};
use common::seed::RunSeed;
use common::trajectory::TrajectoryHeader;
use configuration::{Config, FRESH_TABLE, REPLAYED_TABLE};
use durable::SimulatedDisk;
use replay::{Change, Core, Effect, Journal, Outgoing};
use transport::{
    ActorCore, ActorIdentity, Block, Endpoint, LearnerIdentity, LinkOptions, Role, SamplerCore,
    ShardDirectory, Trajectory, WeightsCore, WeightsEndpoints, WriterOptions,
};

use crate::history::{Identity, ShardHistory, identity};
use crate::network::SimulatedPort;
use crate::publisher::weights_of;

pub const SHARDS: usize = 2;
pub const ACTORS: usize = 3;
/// The learner is the last client.
pub const LEARNER: usize = ACTORS;
pub const RUN: RunId = RunId([7; 16]);
const SCHEMA: Digest = Digest([5; 32]);

pub fn config() -> Config {
    let text = "schema = 1\nname = \"simulated\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n[actor]\nunroll = 4\n\
                [learner]\nreplayed_share = 0.5\n[replay]\ncredits = 16\n[replay.tables.fresh]\nsampler = \"fifo\"\n\
                remover = { times_sampled = 1 }\nsamples_per_insert = 1.0\ntolerance_steps = 40\nmax_items = 12\n\
                [replay.tables.replayed]\nsampler = { prioritised = { exponent = 0.7 } }\nremover = \"lowest_priority\"\n\
                max_items = 20\n";
    configuration::parse(text, "simulated", &[]).unwrap()
}

fn link() -> LinkOptions {
    LinkOptions {
        heartbeat: Duration::from_millis(200),
        peer_timeout: Duration::from_millis(800),
        backoff: Duration::from_millis(20),
        backoff_max: Duration::from_millis(200),
        reach_deadline: Duration::from_secs(1_000_000),
        complaint_period: Duration::from_secs(1_000_000),
    }
}

fn directory() -> ShardDirectory {
    ShardDirectory::fixed((0..SHARDS).map(|shard| Endpoint::inproc(&format!("shard-{shard}"))).collect())
}

fn port(_: &Endpoint) -> SimulatedPort {
    SimulatedPort::default()
}

/// A shard, its disk, and what is between them.
pub struct ShardNode {
    pub disk: SimulatedDisk,
    pub alive: Option<Alive>,
    pub history: ShardHistory,
    pub life: u64,
    /// What was queued when it crashed: durable or not.
    unsure: Vec<Change>,
}

pub struct Alive {
    pub core: Core,
    pub journal: Journal,
    /// What waits for the disk, and whether the disk knows.
    pub queued: VecDeque<Effect>,
    pub writing: bool,
    /// The newest weights that the shard can relay.
    pub relays: Option<PolicyVersion>,
}

impl ShardNode {
    pub fn new() -> Self {
        ShardNode {
            disk: SimulatedDisk::new(),
            alive: None,
            history: ShardHistory::default(),
            life: 0,
            unsure: Vec::new(),
        }
    }

    pub fn start(&mut self, shard: usize, config: &Config) {
        self.life += 1;
        let (journal, remembered) = Journal::open(Arc::new(self.disk.clone()), 6_000).unwrap();
        assert_eq!(remembered.damaged, 0, "power losses damage nothing that was durable");
        let tables = config.replay.tables_for(&config.learner);
        let core = Core::new(ShardId(shard as u32), &config.replay, &tables, RunSeed(9), Some(remembered));
        self.history.recovered(&core, &std::mem::take(&mut self.unsure));
        self.alive = Some(Alive { core, journal, queued: VecDeque::new(), writing: false, relays: None });
    }

    /// The power goes; what was queued may have been on its way to the disk.
    pub fn crash(&mut self, seed: u64, halfway: bool) {
        let Some(mut alive) = self.alive.take() else { return };
        let unsure: Vec<_> = alive
            .queued
            .drain(..)
            .filter_map(|effect| match effect {
                Effect::Persist(change) => Some(change),
                Effect::Send(_) | Effect::SendAfter(_) => None,
            })
            .collect();
        if halfway {
            // The machine stops somewhere in the middle of writing.
            self.disk.stop_after(seed % 4);
            let written = unsure.iter().try_for_each(|change| alive.journal.write(change));
            let _ = written.and_then(|()| alive.journal.commit());
        }
        drop(alive);
        self.disk.crash(seed);
        self.unsure = unsure;
    }

    /// The disk takes what is queued; what waited for it may go.
    pub fn write(&mut self) -> Vec<Outgoing> {
        let Some(alive) = &mut self.alive else { return Vec::new() };
        alive.writing = false;
        let effects: Vec<_> = alive.queued.drain(..).collect();
        for effect in &effects {
            if let Effect::Persist(change) = effect {
                alive.journal.write(change).unwrap();
            }
        }
        alive.journal.commit().unwrap();
        let mut outgoing = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(change) => self.history.committed(&change),
                Effect::Send(message) | Effect::SendAfter(message) => outgoing.push(message),
            }
        }
        let items = alive.core.items();
        alive.journal.clean(2_000, &items).unwrap();
        outgoing
    }
}

/// An actor that sends one trajectory after the other.
pub struct ActorNode {
    pub core: ActorCore<SimulatedPort>,
    pub life: u64,
    /// The newest version that it follows.
    pub follows: Option<PolicyVersion>,
    next: u64,
    /// Sent and not known to be stored, by what they are; and the shard that has them.
    pending: HashMap<Identity, usize>,
}

impl ActorNode {
    pub fn new(actor: usize, life: u64) -> Self {
        let identity = ActorIdentity {
            run: RUN,
            actor: ActorId(actor as u64),
            incarnation: Incarnation(life),
            schema: SCHEMA,
        };
        let options = WriterOptions { spool: 10, spool_bytes: 1 << 20, link: link() };
        let seed = actor as u64 * 1000 + life;
        let ports = (SimulatedPort::default(), SimulatedPort::default());
        let endpoints = WeightsEndpoints::inproc();
        let mut weights = WeightsCore::new(ports, &endpoints, Role::Actor, SCHEMA, link(), seed);
        weights.ask_shards_first();
        let core = ActorCore::new(&directory(), port, identity, options, Some(weights), seed);
        ActorNode { core, life, follows: None, next: 0, pending: HashMap::new() }
    }

    pub fn offer(&mut self, actor: usize, steps: u32, priority: f32, now: Duration) {
        let version = PolicyVersion { token: FencingToken(1), number: 1 };
        let header = TrajectoryHeader {
            actor: ActorId(actor as u64),
            incarnation: Incarnation(self.life),
            sequence: SequenceNumber(0),
            ordinal: self.next,
            first_version: version,
            last_version: version,
            priority,
            steps,
        };
        let body = Block::plain(body(self.next));
        let states = Block::compressed(vec![self.next as u8; 300]);
        if self.core.offer(Trajectory { header, body, states }, now).unwrap().is_none() {
            self.next += 1;
        }
    }

    /// Follows weights that have come: each is newer than those before.
    pub fn follow(&mut self) {
        if let Some((version, weights)) = self.core.weights_mut().unwrap().take_newest() {
            assert!(self.follows < Some(version), "{version} came after {:?}", self.follows);
            assert_eq!(*weights, weights_of(version));
            self.follows = Some(version);
        }
    }

    /// Which trajectories are acknowledged since the last look, and by whom.
    pub fn acknowledged(&mut self) -> Vec<(Identity, usize)> {
        let still: HashMap<Identity, usize> =
            self.core.unacknowledged().map(|(link, header)| (identity(header), link.0)).collect();
        let acked = self.pending.iter().filter(|(identity, _)| !still.contains_key(identity));
        let acked = acked.map(|(identity, shard)| (*identity, *shard)).collect();
        self.pending = still;
        acked
    }
}

/// Bytes that could be those of four steps, which say the number of their trajectory.
pub fn body(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(16)
}

/// A learner that asks again and again.
pub struct LearnerNode {
    pub sampler: SamplerCore<SimulatedPort>,
    pub life: u64,
    asks: u64,
}

impl LearnerNode {
    pub fn new(life: u64) -> Self {
        let identity = LearnerIdentity {
            run: RUN,
            token: FencingToken(life as u32),
            incarnation: Incarnation(0),
            schema: SCHEMA,
        };
        LearnerNode { sampler: SamplerCore::new(&directory(), port, identity, link(), life), life, asks: 0 }
    }

    /// Asks once more; every third time for old trajectories.
    pub fn ask(&mut self, now: Duration) {
        let table = if self.asks % 3 == 2 { REPLAYED_TABLE } else { FRESH_TABLE };
        self.asks += 1;
        let selector = transport::Selector::Table(table);
        self.sampler.ask(selector, 12, Duration::from_millis(50), now).unwrap();
    }
}
