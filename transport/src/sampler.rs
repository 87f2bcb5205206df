//! The learner's way to the replay shards.

use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{Digest, LearnerEpoch, PolicyVersion, RunId, ShardId};
use common::trajectory::TrajectoryHeader;

use crate::channel::{Channel, Event, refusal, wait_any};
use crate::client::{Complaint, LinkOptions};
use crate::message::{Batch, Hello, Message, Role, Sample, SampleKind, ShardStats};
use crate::{Endpoint, Transport, TransportError};

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
pub enum Selector {
    /// Each once, oldest first.
    Fifo,
    /// Among all that are stored.
    Uniform,
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
    pub body: Vec<u8>,
    /// The states.
    pub frames: Vec<u8>,
    /// How often it was given out, this time included.
    pub times_sampled: u32,
}

/// Claims the shards for a run and samples from all that are live.
pub struct TrajectorySampler {
    links: Vec<ShardLink>,
    options: LinkOptions,
    shutdown: Shutdown,
    started: Instant,
    complaint: Complaint,
    next_request: u64,
    received: Vec<SampledItem>,
    /// Items of a turn that is not complete yet.
    turn: Vec<SampledItem>,
}

struct ShardLink {
    channel: Channel,
    shard: ShardId,
    /// The request that awaits its answer.
    asked: Option<u64>,
    stats: Option<ShardStats>,
    finished: bool,
}

impl TrajectorySampler {
    /// Begins to connect to every shard; does not wait for them.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where a shard refuses at once.
    pub fn connect(
        transport: &Transport,
        shards: &[Endpoint],
        identity: LearnerIdentity,
        options: LinkOptions,
        shutdown: &Shutdown,
    ) -> Result<Self, TransportError> {
        let hello = Hello {
            run: Some(identity.run),
            epoch: Some(identity.epoch),
            config: Some(identity.config),
            ..Hello::new(Role::Learner, identity.schema)
        };
        let link = |(place, endpoint): (usize, &Endpoint)| ShardLink {
            channel: Channel::new(transport, endpoint, Role::Replay, hello.clone(), options),
            shard: ShardId(place as u32),
            asked: None,
            stats: None,
            finished: false,
        };
        let mut sampler = TrajectorySampler {
            links: shards.iter().enumerate().map(link).collect(),
            options,
            shutdown: shutdown.clone(),
            started: Instant::now(),
            complaint: Complaint::new(options.complaint_period),
            next_request: 0,
            received: Vec::new(),
            turn: Vec::new(),
        };
        sampler.poll()?;
        Ok(sampler)
    }

    /// Trajectories of at least `steps` steps in all, from all live shards in equal shares and, where one has less, from
    /// the others. At the timeout it returns what there is (of an incomplete turn: nothing, it goes on with the next
    /// call). `steps` means nothing to a turn.
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::Unreachable`] when no shard was ever reached,
    /// [`TransportError::Interrupted`].
    pub fn sample(
        &mut self,
        selector: Selector,
        steps: usize,
        timeout: Duration,
    ) -> Result<Vec<SampledItem>, TransportError> {
        let deadline = Instant::now() + timeout;
        let mut items = Vec::new();
        loop {
            self.poll()?;
            items.append(&mut self.received);
            if self.links.iter().all(|link| link.asked.is_none()) {
                let remaining = deadline.saturating_duration_since(Instant::now());
                let missing = self.missing(selector, steps, &mut items);
                if missing == 0 || remaining.is_zero() {
                    return Ok(self.complete(selector, items));
                }
                self.check()?;
                self.ask(kind(selector), missing, remaining.min(PATIENCE))?;
            }
            wait_any(self.links.iter().map(|link| &link.channel), POLL);
        }
    }

    /// Keeps the links alive while nothing is sampled; never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn poll(&mut self) -> Result<(), TransportError> {
        for link in &mut self.links {
            while let Some(event) = link.channel.step()? {
                match event {
                    Event::Ready(welcome) => link.shard = welcome.shard.unwrap_or(link.shard),
                    Event::Lost => link.asked = None,
                    Event::Refused(refused) => return Err(refusal(link.channel.endpoint(), refused)),
                    Event::Finished => link.finished = true,
                    Event::Message(Message::Batch(batch), bulk) => {
                        if link.asked == Some(batch.request) {
                            link.asked = None;
                        }
                        self.received.extend(unpack(link.shard, batch, bulk));
                    }
                    Event::Message(Message::Stats(stats), _) => link.stats = Some(stats),
                    Event::Message(..) => {}
                }
            }
        }
        Ok(())
    }

    /// What each live shard counts; a shard that does not answer in time is missing.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn stats(&mut self) -> Result<Vec<ShardStats>, TransportError> {
        let deadline = Instant::now() + self.options.peer_timeout;
        let mut asked = Vec::new();
        for (place, link) in self.links.iter_mut().enumerate() {
            link.stats = None;
            if link.channel.send(&Message::StatsRequest(()), Vec::new())? {
                asked.push(place);
            }
        }
        loop {
            self.poll()?;
            let answered = |place: &usize| {
                let link = &self.links[*place];
                link.stats.is_some() || !link.channel.is_ready()
            };
            if asked.iter().all(answered) || Instant::now() >= deadline {
                return Ok(self.links.iter().filter_map(|link| link.stats).collect());
            }
            wait_any(self.links.iter().map(|link| &link.channel), POLL);
        }
    }

    /// How many shards are connected.
    #[must_use]
    pub fn live_shards(&self) -> usize {
        self.links.iter().filter(|link| link.channel.is_ready()).count()
    }

    /// Tells the shards that the run has ended, so that they tell their actors and end, too.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn finish(&mut self) -> Result<(), TransportError> {
        let deadline = Instant::now() + FAREWELL;
        for link in &mut self.links {
            link.channel.send(&Message::RunFinished(()), Vec::new())?;
        }
        let told = |link: &ShardLink| link.finished || !link.channel.is_ready();
        while !self.links.iter().all(told) && Instant::now() < deadline {
            wait_any(self.links.iter().map(|link| &link.channel), POLL);
            self.poll()?;
        }
        Ok(())
    }

    /// How much (steps; of a turn: trajectories) is still to be asked for. Takes a turn's items into the turn.
    fn missing(&mut self, selector: Selector, steps: usize, items: &mut Vec<SampledItem>) -> u64 {
        match selector {
            Selector::Turn { version, count } => {
                self.turn.append(items);
                self.turn.retain(|item| item.header.last_version == version);
                count.saturating_sub(self.turn.len()) as u64
            }
            Selector::Fifo | Selector::Uniform => {
                let found: u64 = items.iter().map(|item| u64::from(item.header.steps)).sum();
                (steps as u64).saturating_sub(found)
            }
        }
    }

    fn complete(&mut self, selector: Selector, items: Vec<SampledItem>) -> Vec<SampledItem> {
        match selector {
            Selector::Turn { count, .. } if self.turn.len() >= count => {
                self.turn.sort_by_key(|item| (item.header.actor, item.header.ordinal));
                std::mem::take(&mut self.turn)
            }
            _ => items,
        }
    }

    fn ask(&mut self, kind: SampleKind, missing: u64, patience: Duration) -> Result<(), TransportError> {
        let live = self.live_shards() as u64;
        if live == 0 {
            if let Some(waited) = self.complaint.due(Instant::now()) {
                tracing::warn!(?waited, "no replay shard can be reached");
            }
            return Ok(());
        }
        self.complaint.settle();
        let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        for link in self.links.iter_mut().filter(|link| link.channel.is_ready()) {
            let request = self.next_request;
            self.next_request += 1;
            let sample = Sample { request, kind, steps: missing.div_ceil(live), patience_ms };
            if link.channel.send(&Message::Sample(sample), Vec::new())? {
                link.asked = Some(request);
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TransportError> {
        if self.shutdown.is_triggered() {
            return Err(TransportError::Interrupted);
        }
        let after = self.options.reach_deadline;
        let never = !self.links.iter().any(|link| link.channel.was_reached());
        if never && self.started.elapsed() >= after {
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

fn kind(selector: Selector) -> SampleKind {
    match selector {
        Selector::Fifo => SampleKind::Fifo,
        Selector::Uniform => SampleKind::Uniform,
        Selector::Turn { version, .. } => SampleKind::Turn(version),
    }
}

fn unpack(shard: ShardId, batch: Batch, bulk: Vec<Vec<u8>>) -> Vec<SampledItem> {
    let mut bulk = bulk.into_iter();
    let mut items = Vec::with_capacity(batch.items.len());
    for item in batch.items {
        // Decoding has checked that there are two frames an item.
        if let (Some(body), Some(frames)) = (bulk.next(), bulk.next()) {
            let (key, header, times_sampled) = (item.key, item.header, item.times_sampled);
            items.push(SampledItem { shard, key, header, body, frames, times_sampled });
        }
    }
    items
}

impl std::fmt::Debug for TrajectorySampler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TrajectorySampler").field("live", &self.live_shards()).finish_non_exhaustive()
    }
}
