//! One actor and one learner in the test's own process, over real links: the actor writes as fast as the shards let it,
//! the learner takes what is new. Nothing waits, so that a test can look at any time.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use common::ids::{ActorId, Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber};
use common::seed::{RunSeed, Stream};
use common::trajectory::TrajectoryHeader;
use configuration::FRESH_TABLE;
use rand::RngCore as _;
use transport::{
    ActorCore, ActorIdentity, Block, Endpoint, LearnerIdentity, LinkOptions, SampledItem, SamplerCore,
    Selector, ShardDirectory, SocketPort, Trajectory, Transport, WriterOptions,
};

/// The run of all tests' peers.
pub const RUN: RunId = RunId([1; 16]);
/// The schema of all tests' peers.
pub const SCHEMA: Digest = Digest([5; 32]);
/// Steps of each trajectory.
pub const STEPS: u32 = 10;

const ACTOR: ActorId = ActorId(1);
const LIFE: Incarnation = Incarnation(8);
/// How long a shard may keep a request.
const PATIENCE: Duration = Duration::from_millis(50);
/// An answer that takes longer has been lost.
const LOST: Duration = Duration::from_secs(2);

/// What the two send and sample.
pub struct Traffic {
    writer: ActorCore<SocketPort>,
    sampler: SamplerCore<SocketPort>,
    started: Instant,
    asked: Duration,
    state_bytes: usize,
    batch: u64,
    offered: u64,
    sampled: BTreeSet<u64>,
}

impl Traffic {
    /// An actor and a learner on their transports. Trajectories are of `state_bytes` that no compression shortens; the
    /// learner asks for `batch` of them at a time. The spool holds `spool` trajectories.
    #[must_use]
    pub fn new(
        [of_actor, of_learner]: [&Transport; 2],
        shards: &[Endpoint],
        options: LinkOptions,
        (state_bytes, batch, spool): (usize, u64, usize),
    ) -> Self {
        let started = Instant::now();
        let shards = &ShardDirectory::fixed(shards.to_vec());
        let actor = ActorIdentity { run: RUN, actor: ACTOR, incarnation: LIFE, schema: SCHEMA };
        let bounds = WriterOptions { spool, spool_bytes: 1 << 30, link: options };
        let writer = ActorCore::new(shards, SocketPort::to_shards(of_actor), actor, bounds, None, 1);
        let learner =
            LearnerIdentity { run: RUN, token: FencingToken(1), incarnation: Incarnation(0), schema: SCHEMA };
        let sampler = SamplerCore::new(shards, SocketPort::to_shards(of_learner), learner, options, 2);
        Traffic {
            writer,
            sampler,
            started,
            asked: Duration::ZERO,
            state_bytes,
            batch,
            offered: 0,
            sampled: BTreeSet::new(),
        }
    }

    /// Writes what is taken, and takes what is there.
    pub fn turn(&mut self) {
        self.write();
        self.sample();
        std::thread::sleep(Duration::from_millis(1));
    }

    /// Offers new trajectories until one is not taken.
    ///
    /// # Panics
    /// When a shard refuses the actor.
    pub fn write(&mut self) {
        self.acknowledge();
        loop {
            let trajectory = self.trajectory(self.offered);
            match self.writer.offer(trajectory, self.started.elapsed()).expect("it can be encoded") {
                None => self.offered += 1,
                Some(_) => return,
            }
        }
    }

    /// Takes acknowledgements, and sends again, but writes nothing new.
    ///
    /// # Panics
    /// When a shard refuses the actor.
    pub fn acknowledge(&mut self) {
        self.writer.tick(self.started.elapsed());
        assert!(self.writer.take_fault().is_none(), "an actor meets no fault that is final");
    }

    /// Takes what the learner has sampled, and asks for more. Does nothing while an answer is due.
    ///
    /// # Panics
    /// When a trajectory comes for the second time, or not as it was written.
    pub fn sample(&mut self) {
        let now = self.started.elapsed();
        self.sampler.tick(now).expect("a shard refuses no learner of its run");
        if !self.sampler.is_idle() && now.saturating_sub(self.asked) < LOST {
            return;
        }
        self.sampler.give_up_waiting(now);
        for item in self.sampler.take_received() {
            self.take(item);
        }
        self.asked = now;
        let steps = self.batch * u64::from(STEPS);
        self.sampler.ask(Selector::Table(FRESH_TABLE), steps, PATIENCE, now).expect("it can be encoded");
    }

    fn take(&mut self, item: SampledItem) {
        let ordinal = item.header.ordinal;
        assert_eq!(*item.states.open().expect("it is not compressed"), *states(ordinal, self.state_bytes));
        assert!(self.sampled.insert(ordinal), "trajectory {ordinal} was sampled twice");
    }

    /// Turns until `condition` holds.
    ///
    /// # Panics
    /// After `patience`.
    pub fn until(&mut self, patience: Duration, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < patience, "never: {what}; {self:?}");
            self.turn();
        }
    }

    /// How many trajectories the writer has taken: those numbered from 0.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// How many are acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.offered - self.writer.spooled() as u64
    }

    /// The numbers of those that no shard has acknowledged, each with its shard's place.
    #[must_use]
    pub fn unacknowledged(&self) -> Vec<(usize, u64)> {
        self.writer.unacknowledged().map(|(link, header)| (link.0, header.ordinal)).collect()
    }

    /// The numbers of those that the learner has sampled.
    #[must_use]
    pub fn sampled(&self) -> &BTreeSet<u64> {
        &self.sampled
    }

    /// How many shards the learner is connected with.
    #[must_use]
    pub fn live_shards(&self) -> usize {
        self.sampler.live_shards()
    }

    fn trajectory(&self, ordinal: u64) -> Trajectory {
        let body = Block::plain(ordinal.to_le_bytes().repeat(4 * STEPS as usize));
        Trajectory { header: header(ordinal), body, states: Block::plain(states(ordinal, self.state_bytes)) }
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Traffic")
            .field("writer", &self.writer)
            .field("sampler", &self.sampler)
            .field("offered", &self.offered)
            .field("acknowledged", &self.acknowledged())
            .field("sampled", &self.sampled.len())
            .finish_non_exhaustive()
    }
}

fn header(ordinal: u64) -> TrajectoryHeader {
    let version = PolicyVersion { token: FencingToken(1), number: 1 };
    TrajectoryHeader {
        actor: ACTOR,
        incarnation: LIFE,
        sequence: SequenceNumber(0),
        ordinal,
        first_version: version,
        last_version: version,
        priority: 1.0,
        steps: STEPS,
    }
}

/// The states of a trajectory: noise of its own.
fn states(ordinal: u64, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    RunSeed(1).rng(Stream::Sampling, ordinal).fill_bytes(&mut noise);
    noise
}

/// A writer's and sampler's patience in tests: they notice at once that a shard has gone.
#[must_use]
pub fn impatient() -> LinkOptions {
    LinkOptions {
        heartbeat: Duration::from_millis(100),
        peer_timeout: Duration::from_secs(1),
        ..LinkOptions::default()
    }
}
