//! The learner's way to the replay shards.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::config::FRESH_TABLE;
use common::ids::{Digest, LearnerEpoch, PolicyVersion, RunId, ShardId};
use common::trajectory::TrajectoryHeader;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::block::Block;
use crate::channel::{Channel, Event, refusal};
use crate::client::{Complaint, LinkOptions};
use crate::message::{Batch, Hello, Message, Pick, Prioritise, Role, Sample, ShardStats, TableShare};
use crate::port::{Port, SocketPort, wait_any};
use crate::{Endpoint, Frame, ShardDirectory, Transport, TransportError};

const POLL: Duration = Duration::from_millis(20);
/// A shard that cannot fill its share answers with what it has after this long; the rest is asked of all again.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the shards have to say that they know of the end.
const FAREWELL: Duration = Duration::from_secs(3);

/// Which learner samples, and claims the shards for its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerIdentity {
    /// The run.
    pub run: RunId,
    /// The learner's fencing epoch.
    pub epoch: LearnerEpoch,
    /// Digest of the observation and action schema.
    pub schema: Digest,
    /// Digest of the configuration, for the shards' logs.
    pub config: Digest,
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
    /// How often its table gave it out, this time included.
    pub times_sampled: u32,
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
    /// What the shard said last of each table.
    shares: HashMap<Arc<str>, TableShare>,
    stats: Option<ShardStats>,
    finished: bool,
}

impl<P: Port> ShardLink<P> {
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
            shares: HashMap::new(),
            stats: None,
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
            } else if self.now() >= deadline + self.options.peer_timeout {
                self.give_up_waiting();
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
        for link in self.links.iter_mut().filter(|link| link.channel.protocol() >= 2) {
            if let Some(updates) = updates.remove(&link.shard) {
                let prioritise = Prioritise { table: table.to_owned(), updates };
                link.channel.send(&Message::Prioritise(prioritise), Vec::new(), now)?;
            }
        }
        Ok(())
    }

    /// What each live shard counts; a shard that does not answer in time is missing.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn stats(&mut self) -> Result<Vec<ShardStats>, TransportError> {
        let deadline = self.now() + self.options.peer_timeout;
        let mut asked = Vec::new();
        for (place, link) in self.links.iter_mut().enumerate() {
            link.stats = None;
            if link.channel.send(&Message::StatsRequest(()), Vec::new(), self.epoch.elapsed())? {
                asked.push(place);
            }
        }
        loop {
            self.poll()?;
            let answered = |place: &usize| {
                let link = &self.links[*place];
                link.stats.is_some() || !link.channel.is_ready()
            };
            if asked.iter().all(answered) || self.now() >= deadline {
                return Ok(self.links.iter().filter_map(|link| link.stats).collect());
            }
            self.wait();
        }
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
        let after = self.options.reach_deadline;
        let never = !self.links.iter().any(|link| link.channel.was_reached());
        if never && self.now() >= after {
            let endpoints: Vec<_> = self.links.iter().map(|link| link.channel.endpoint().as_str()).collect();
            return Err(TransportError::Unreachable {
                what: "every replay shard",
                endpoints: endpoints.join(", "),
                after,
            });
        }
        Ok(())
    }
}

impl<P: Port> TrajectorySampler<P> {
    /// A sampler over any ports; begins to connect with the first tick. `seed` draws the pauses of reconnections and
    /// which shard gives how much.
    pub fn over(
        ports: Vec<(Endpoint, P)>,
        identity: LearnerIdentity,
        options: LinkOptions,
        seed: u64,
    ) -> Self {
        let hello = Hello {
            run: Some(identity.run),
            epoch: Some(identity.epoch),
            config: Some(identity.config),
            ..Hello::new(Role::Learner, identity.schema)
        };
        TrajectorySampler {
            links: ports
                .into_iter()
                .enumerate()
                .map(|(place, (endpoint, port))| {
                    let seed = seed.wrapping_add(place as u64);
                    ShardLink::new(port, &endpoint, &hello, options, seed, place)
                })
                .collect(),
            hello,
            directory: None,
            options,
            shutdown: Shutdown::new(),
            epoch: Instant::now(),
            complaint: Complaint::new(options.complaint_period),
            next_request: 0,
            received: Vec::new(),
            turn: Vec::new(),
            dealer: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Takes answers and reconnects, at the time `now` since any fixed moment; never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn tick(&mut self, now: Duration) -> Result<(), TransportError> {
        for place in 0..self.links.len() {
            while let Some(event) = self.links[place].channel.step(now)? {
                let link = &mut self.links[place];
                match event {
                    Event::Ready(welcome) => link.shard = welcome.shard.unwrap_or(link.shard),
                    Event::Lost => {
                        link.asked = None;
                        link.overdue.clear();
                    }
                    Event::Refused(refused) => return Err(refusal(link.channel.endpoint(), refused)),
                    Event::Finished => link.finished = true,
                    Event::Message(Message::Batch(batch), bulk) => self.take(place, batch, bulk),
                    Event::Message(Message::Stats(stats), _) => link.stats = Some(stats),
                    Event::Message(..) => {}
                }
            }
        }
        Ok(())
    }

    /// Asks every live shard for its part of `missing` steps (of a turn: trajectories); [`TrajectorySampler::take_received`]
    /// has the answers.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when a request cannot be encoded.
    pub fn ask(
        &mut self,
        selector: Selector<'_>,
        missing: u64,
        patience: Duration,
        now: Duration,
    ) -> Result<(), TransportError> {
        let (table, pick) = match selector {
            Selector::Table(table) => (table, Pick::Next),
            Selector::Turn { version, .. } => (FRESH_TABLE, Pick::Turn(version)),
        };
        if self.live_shards() == 0 {
            if let Some(waited) = self.complaint.due(now) {
                tracing::warn!(?waited, "no replay shard can be reached");
            }
            return Ok(());
        }
        self.complaint.settle();
        let name: Arc<str> = table.into();
        let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        for (place, steps) in self.deal(table, missing) {
            let request = self.next_request;
            self.next_request += 1;
            let sample = Sample { request, table: table.to_owned(), pick, steps, patience_ms };
            let link = &mut self.links[place];
            if link.channel.send(&Message::Sample(sample), Vec::new(), now)? {
                link.asked = Some((request, Arc::clone(&name)));
            }
        }
        Ok(())
    }

    /// A shard that lives and does not answer, say because its disk is full, holds up the others no longer; its answer is taken all the same
    /// when it comes.
    pub fn give_up_waiting(&mut self) {
        for link in &mut self.links {
            if let Some((request, table)) = link.asked.take() {
                tracing::warn!(endpoint = %link.channel.endpoint(), "the shard does not answer a request for trajectories");
                link.overdue.insert(request, table);
            }
        }
    }

    /// Whether no answer is awaited.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.links.iter().all(|link| link.asked.is_none())
    }

    /// What has come since the last call; to be called when no answer is awaited, as only then it is known what all shards
    /// hold.
    #[must_use]
    pub fn take_received(&mut self) -> Vec<SampledItem> {
        let mut items = Vec::new();
        for answer in std::mem::take(&mut self.received) {
            let (population, mass) = self.held(&answer.table);
            items.extend(answer.items.into_iter().map(|item| SampledItem {
                // Answers that come late were drawn out of more than there is now.
                probability: (item.probability / mass).min(1.0),
                population: population.max(1),
                ..item
            }));
        }
        items
    }

    /// Items and mass of a table, over all live shards.
    fn held(&self, table: &str) -> (u64, f64) {
        let live = self.links.iter().filter(|link| link.channel.is_ready());
        let shares = live.filter_map(|link| link.shares.get(table));
        shares.fold((0, 0.0), |(items, mass), share| (items + share.items, mass + share.mass))
    }

    /// How many shards are connected.
    #[must_use]
    pub fn live_shards(&self) -> usize {
        self.links.iter().filter(|link| link.channel.is_ready()).count()
    }

    /// The port to each shard.
    pub fn ports_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.links.iter_mut().map(|link| link.channel.port_mut())
    }

    /// Which live shard is asked for how many steps: in proportion to what each said last that its table holds. What does
    /// not divide goes to one of them by lot, so that no shard is favoured in the long run; who has not said yet, or said
    /// that it has nothing, is asked for a step, to hear of it.
    fn deal(&mut self, table: &str, missing: u64) -> Vec<(usize, u64)> {
        let live: Vec<usize> =
            (0..self.links.len()).filter(|place| self.links[*place].channel.is_ready()).collect();
        let mass = |place: usize| self.links[place].shares.get(table).map_or(0.0, |share| share.mass);
        let total: f64 = live.iter().map(|place| mass(*place)).sum();
        if total <= 0.0 {
            let each = missing.div_ceil(live.len() as u64);
            return live.into_iter().map(|place| (place, each)).collect();
        }
        let part = |place: usize| (missing as f64 * mass(place) / total) as u64;
        let mut dealt: Vec<_> = live.iter().map(|place| (*place, part(*place))).collect();
        let rest = missing.saturating_sub(dealt.iter().map(|(_, steps)| steps).sum());
        let mut lot = self.dealer.random_range(0.0..total);
        let chosen = live.iter().position(|place| {
            lot -= mass(*place);
            lot < 0.0
        });
        dealt[chosen.unwrap_or(live.len() - 1)].1 += rest;
        for (place, steps) in &mut dealt {
            if mass(*place) <= 0.0 {
                *steps = 1;
            }
        }
        dealt.retain(|(_, steps)| *steps > 0);
        dealt
    }

    fn take(&mut self, place: usize, batch: Batch, bulk: Vec<Frame>) {
        let link = &mut self.links[place];
        let (shard, share) = (link.shard, batch.share);
        let asked = link.asked.take_if(|(request, _)| *request == batch.request);
        let overdue = || link.overdue.remove(&batch.request);
        // What was answered before is not taken again.
        let Some(table) = asked.map(|(_, table)| table).or_else(overdue) else { return };
        link.shares.insert(Arc::clone(&table), share);
        let mut items = unpack(shard, &table, batch, bulk);
        items.iter_mut().for_each(|item| item.probability *= share.mass);
        self.received.push(Answer { table, items });
    }

    /// How much (steps; of a turn: trajectories) is still to be asked for. Takes a turn's items into the turn.
    fn missing(&mut self, selector: Selector<'_>, steps: usize, items: &mut Vec<SampledItem>) -> u64 {
        match selector {
            Selector::Turn { version, count } => {
                self.turn.append(items);
                self.turn.retain(|item| item.header.last_version == version);
                count.saturating_sub(self.turn.len()) as u64
            }
            Selector::Table(_) => {
                let found: u64 = items.iter().map(|item| u64::from(item.header.steps)).sum();
                (steps as u64).saturating_sub(found)
            }
        }
    }

    fn complete(&mut self, selector: Selector<'_>, items: Vec<SampledItem>) -> Vec<SampledItem> {
        match selector {
            Selector::Turn { count, .. } if self.turn.len() >= count => {
                self.turn.sort_by_key(|item| (item.header.actor, item.header.ordinal));
                std::mem::take(&mut self.turn)
            }
            _ => items,
        }
    }
}

fn unpack(shard: ShardId, table: &Arc<str>, batch: Batch, bulk: Vec<Frame>) -> Vec<SampledItem> {
    let mut bulk = bulk.into_iter();
    let mut items = Vec::with_capacity(batch.items.len());
    for item in batch.items {
        // Decoding has checked that there are two frames an item.
        if let (Some(body), Some(states)) = (bulk.next(), bulk.next()) {
            items.push(SampledItem {
                shard,
                key: item.key,
                header: item.header,
                body: Block { bytes: body, digest: item.body },
                states: Block { bytes: states, digest: item.states },
                times_sampled: item.times_sampled,
                probability: item.probability,
                population: 1,
                table: Arc::clone(table),
            });
        }
    }
    items
}

impl<P: Port> std::fmt::Debug for TrajectorySampler<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TrajectorySampler").field("live", &self.live_shards()).finish_non_exhaustive()
    }
}
