//! The learner's way to the replay shards.

mod advance;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{Digest, FencingToken, PolicyVersion, RunId, ShardId};
use common::trajectory::TrajectoryHeader;
use rand_chacha::ChaCha8Rng;

use crate::block::Block;
use crate::channel::{Channel, check_reached};
use crate::client::{Complaint, LinkOptions};
use crate::message::{Hello, Message, Prioritise, Role, TableSize};
use crate::port::{Port, SocketPort, wait_any};
use crate::{Endpoint, ShardDirectory, Transport, TransportError};

const POLL: Duration = Duration::from_millis(20);
/// A shard that cannot fill its share answers with what it has after this long; the rest is asked of all again.
const PATIENCE: Duration = Duration::from_millis(200);
/// How much later than asked a shard may answer before the learner goes on without it.
const GRACE: Duration = Duration::from_secs(1);
/// How long the shards have to say that they know of the end.
const FAREWELL: Duration = Duration::from_secs(3);

/// Which learner samples, and claims the shards for its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerIdentity {
    /// The run.
    pub run: RunId,
    /// The learner's fencing token.
    pub token: FencingToken,
    /// Digest of the observation and action schema.
    pub schema: Digest,
}

/// Which trajectories are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector<'a> {
    /// What the sampler of this table selects.
    Table(&'a str),
    /// For lockstep: exactly those of one version, once all are there, by actor and then in the order of their play.
    Turn {
        /// The version that played them.
        version: PolicyVersion,
        /// How many there are, over all shards.
        count: usize,
    },
}

/// A trajectory as a shard gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledItem {
    /// Which shard.
    pub shard: ShardId,
    /// The shard's key of it.
    pub key: u64,
    /// Header.
    pub header: TrajectoryHeader,
    /// The encoded steps ([`crate::wire::decode_body`]).
    pub body: Block,
    /// The states.
    pub states: Block,
    /// The probability with which one draw over all live shards would have selected it.
    pub probability: f64,
    /// Items that such a draw was among.
    pub population: u64,
    /// The table that gave it.
    pub table: Arc<str>,
}

/// Claims the shards for a run and samples from all that are live, in proportion to what they hold.
///
/// It knows neither sockets nor clock: see [`Port`]. Over sockets, [`TrajectorySampler::sample`] and its like tell the time.
pub struct TrajectorySampler<P = SocketPort> {
    links: Vec<ShardLink<P>>,
    hello: Hello,
    /// Where shards that come are looked for, over sockets.
    directory: Option<(ShardDirectory, Transport)>,
    options: LinkOptions,
    shutdown: Shutdown,
    epoch: Instant,
    complaint: Complaint,
    next_request: u64,
    received: Vec<Answer>,
    /// Items of a turn that is not complete yet.
    turn: Vec<SampledItem>,
    /// Deals steps to shards.
    dealer: ChaCha8Rng,
}

struct ShardLink<P> {
    channel: Channel<P>,
    shard: ShardId,
    /// The request that awaits its answer, and the table that it is for.
    asked: Option<(u64, Arc<str>)>,
    /// Requests that were not answered in time; their answers are welcome all the same.
    overdue: HashMap<u64, Arc<str>>,
    /// Until then it is not asked again, unless it answers.
    rests_until: Duration,
    /// What the shard said last of each table.
    held: HashMap<Arc<str>, TableSize>,
    finished: bool,
}

impl<P: Port> ShardLink<P> {
    /// Whether it is connected, and answers what it is asked.
    fn answers(&self, now: Duration) -> bool {
        self.channel.is_ready() && (self.overdue.is_empty() || now >= self.rests_until)
    }

    fn new(
        port: P,
        endpoint: &Endpoint,
        hello: &Hello,
        options: LinkOptions,
        seed: u64,
        place: usize,
    ) -> Self {
        ShardLink {
            channel: Channel::new(port, endpoint, Role::Replay, hello.clone(), options, seed),
            shard: ShardId(place as u32),
            asked: None,
            overdue: HashMap::new(),
            rests_until: Duration::ZERO,
            held: HashMap::new(),
            finished: false,
        }
    }
}

/// What came with one batch.
struct Answer {
    table: Arc<str>,
    /// Their probabilities are not divided by the shards' whole mass yet.
    items: Vec<SampledItem>,
}

impl TrajectorySampler<SocketPort> {
    /// Begins to connect to every shard; does not wait for them.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where a shard refuses at once.
    pub fn connect(
        transport: &Transport,
        shards: &ShardDirectory,
        identity: LearnerIdentity,
        options: LinkOptions,
        shutdown: &Shutdown,
    ) -> Result<Self, TransportError> {
        let mut directory = shards.clone();
        let shards = directory.shards();
        directory.changed();
        let port =
            |endpoint: &Endpoint| (endpoint.clone(), SocketPort::new(transport, endpoint, Role::Replay));
        let ports = shards.iter().map(port).collect();
        let mut sampler = TrajectorySampler::over(ports, identity, options, rand::random());
        sampler.directory = Some((directory, transport.clone()));
        sampler.shutdown = shutdown.clone();
        sampler.poll()?;
        Ok(sampler)
    }

    /// Trajectories of at least `steps` steps in all, from all live shards in proportion to what they hold and, where one
    /// has less, from the others. At the timeout it returns what there is (of an incomplete turn: nothing, it goes on
    /// with the next call). `steps` means nothing to a turn.
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::Unreachable`] when no shard was ever reached,
    /// [`TransportError::Interrupted`].
    pub fn sample(
        &mut self,
        selector: Selector<'_>,
        steps: usize,
        timeout: Duration,
    ) -> Result<Vec<SampledItem>, TransportError> {
        let deadline = self.now() + timeout;
        let mut items = Vec::new();
        loop {
            self.poll()?;
            if self.is_idle() {
                items.extend(self.take_received());
                let remaining = deadline.saturating_sub(self.now());
                let missing = self.missing(selector, steps, &mut items);
                if missing == 0 || remaining.is_zero() {
                    return Ok(self.complete(selector, items));
                }
                self.check()?;
                self.ask(selector, missing, remaining.min(PATIENCE), self.now())?;
            } else if self.now() >= deadline + GRACE {
                self.give_up_waiting(self.now());
            }
            self.wait();
        }
    }

    /// Keeps the links alive while nothing is sampled; never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn poll(&mut self) -> Result<(), TransportError> {
        if let Some(shards) = self.directory.as_mut().and_then(|(directory, _)| directory.changed()) {
            self.know(&shards);
        }
        self.tick(self.now())
    }

    /// From now on samples from the shards that there are.
    fn know(&mut self, shards: &[Endpoint]) {
        let Some((_, transport)) = &self.directory else { return };
        self.links.retain(|link| shards.contains(link.channel.endpoint()));
        for endpoint in shards {
            if !self.links.iter().any(|link| link.channel.endpoint() == endpoint) {
                let port = SocketPort::new(transport, endpoint, Role::Replay);
                let (seed, place) = (rand::random(), self.links.len());
                self.links.push(ShardLink::new(port, endpoint, &self.hello, self.options, seed, place));
            }
        }
    }

    /// Tells the shards new priorities of items that they gave; it does not wait, and a shard that is away keeps the old
    /// ones.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when it cannot be encoded.
    pub fn prioritise(
        &mut self,
        table: &str,
        priorities: impl IntoIterator<Item = (ShardId, u64, f32)>,
    ) -> Result<(), TransportError> {
        let mut updates: HashMap<ShardId, Vec<(u64, f32)>> = HashMap::new();
        for (shard, key, priority) in priorities {
            updates.entry(shard).or_default().push((key, priority));
        }
        let now = self.now();
        for link in &mut self.links {
            if let Some(updates) = updates.remove(&link.shard) {
                let prioritise = Prioritise { table: table.to_owned(), updates };
                link.channel.send(&Message::Prioritise(prioritise), Vec::new(), now)?;
            }
        }
        Ok(())
    }

    /// Tells the shards that the run has ended, so that they tell their actors and end, too.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn finish(&mut self) -> Result<(), TransportError> {
        let deadline = self.now() + FAREWELL;
        for link in &mut self.links {
            link.channel.send(&Message::RunFinished(()), Vec::new(), self.epoch.elapsed())?;
        }
        let told = |link: &ShardLink<SocketPort>| link.finished || !link.channel.is_ready();
        while !self.links.iter().all(told) && self.now() < deadline {
            self.wait();
            self.poll()?;
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn wait(&self) {
        wait_any(self.links.iter().map(|link| link.channel.port()), POLL);
    }

    fn check(&self) -> Result<(), TransportError> {
        if self.shutdown.is_triggered() {
            return Err(TransportError::Interrupted);
        }
        check_reached(self.links.iter().map(|link| &link.channel), self.now(), self.options.reach_deadline)
    }
}

impl<P: Port> std::fmt::Debug for TrajectorySampler<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TrajectorySampler").field("live", &self.live_shards()).finish_non_exhaustive()
    }
}
