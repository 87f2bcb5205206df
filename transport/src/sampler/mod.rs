//! How a learner samples from its shards, without sockets and clock: which shard is asked for how much, and what arrives.

mod request;
mod shard_state;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use common::ids::{Digest, FencingToken, Incarnation, PolicyVersion, RunId, ShardId};
use common::trajectory::TrajectoryHeader;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use self::shard_state::ShardState;
use crate::block::Block;
use crate::message::{Batch, Hello, Message, Prioritise, Role};
use crate::options::{Complaint, LinkOptions};
use crate::port::Port;
use crate::shard_links::{LinkEvent, LinkId, ShardLinks};
use crate::{Endpoint, Frame, ShardDirectory, TransportError};

/// Which learner samples, and claims the shards for its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerIdentity {
    /// Run that the learner belongs to.
    pub run: RunId,
    /// Tells this life of the learner from earlier ones.
    pub token: FencingToken,
    /// Tells it from a learner on a copy of the same run folder, which may have the same token.
    pub incarnation: Incarnation,
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

/// A sampled trajectory.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledItem {
    /// The shard that stores it.
    pub shard: ShardId,
    /// Its key in that shard.
    pub key: u64,
    /// Header of the trajectory.
    pub header: TrajectoryHeader,
    /// The encoded steps ([`crate::wire::decode_body`]).
    pub body: Block,
    /// The encoded states.
    pub states: Block,
    /// The probability with which one draw over all connected shards would have selected it.
    pub probability: f64,
    /// Items that such a draw was among.
    pub population: u64,
    /// The table that it was sampled from.
    pub table: Arc<str>,
}

/// What arrived with one batch.
struct Answer {
    table: Arc<str>,
    /// Their probabilities are not divided by the mass of all shards yet.
    items: Vec<SampledItem>,
}

/// Claims the shards for a run and samples from all that are connected, in proportion to what they hold. Over sockets it is
/// driven by [`crate::TrajectorySampler`].
pub struct SamplerCore<P> {
    links: ShardLinks<P>,
    shards: BTreeMap<LinkId, ShardState>,
    /// How long a shard that did not answer is not asked again.
    rest: Duration,
    complaint: Complaint,
    next_request: u64,
    received: Vec<Answer>,
    /// Items of a turn that is not complete yet, in the order of actors and of play.
    turn: Vec<SampledItem>,
    /// Draws which shard is asked for what does not divide.
    rng: ChaCha8Rng,
}

impl<P: Port> SamplerCore<P> {
    /// A sampler that begins to connect to the shards of `directory` with the first tick. `seed` draws the pauses between
    /// attempts, and which shard is asked for how much.
    pub fn new(
        directory: &ShardDirectory,
        make_port: impl FnMut(&Endpoint) -> P + Send + 'static,
        identity: LearnerIdentity,
        options: LinkOptions,
        seed: u64,
    ) -> Self {
        let hello = Hello {
            run: Some(identity.run),
            token: Some(identity.token),
            incarnation: Some(identity.incarnation),
            ..Hello::new(Role::Learner, identity.schema)
        };
        SamplerCore {
            links: ShardLinks::new(directory, make_port, hello, options, seed),
            shards: BTreeMap::new(),
            rest: options.peer_timeout,
            complaint: Complaint::new(options.complaint_period),
            next_request: 0,
            received: Vec::new(),
            turn: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Takes answers and reconnects, at the time `now` since any fixed moment; never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn tick(&mut self, now: Duration) -> Result<(), TransportError> {
        for (id, event) in self.links.tick(now) {
            self.handle(id, event);
        }
        // What a shard that is listed no longer holds cannot be sampled soon.
        for (id, _) in self.links.retired() {
            self.links.remove(id);
            self.shards.remove(&id);
        }
        self.links.take_fault().map_or(Ok(()), Err)
    }

    fn handle(&mut self, id: LinkId, event: LinkEvent) {
        let shard = self.shards.entry(id).or_insert_with(|| ShardState::new(id));
        match event {
            LinkEvent::Ready(welcome) => shard.id = welcome.shard.unwrap_or(shard.id),
            LinkEvent::Lost => shard.forget_requests(),
            LinkEvent::RunFinished => shard.knows_end = true,
            LinkEvent::Message(Message::Batch(batch), bulk) => {
                let answer = take_batch(shard, batch, bulk);
                self.received.extend(answer);
            }
            LinkEvent::Message(..) => {}
        }
    }

    /// What has arrived since the last call. To be called when no answer is awaited: only then it is known what all shards
    /// hold.
    #[must_use]
    pub fn take_received(&mut self) -> Vec<SampledItem> {
        let mut items = Vec::new();
        for answer in std::mem::take(&mut self.received) {
            let (population, mass) = self.held(&answer.table);
            items.extend(answer.items.into_iter().map(|item| SampledItem {
                // Answers that are late were drawn out of more than there is now.
                probability: (item.probability / mass).min(1.0),
                population: population.max(1),
                ..item
            }));
        }
        items
    }

    /// Items and mass of a table, over all connected shards.
    fn held(&self, table: &str) -> (u64, f64) {
        let connected = self.shards.iter().filter(|(id, _)| self.links.is_ready(**id));
        let sizes = connected.filter_map(|(_, shard)| shard.held.get(table));
        sizes.fold((0, 0.0), |(items, mass), size| (items + size.items, mass + size.mass))
    }

    /// How many shards are connected.
    #[must_use]
    pub fn live_shards(&self) -> usize {
        self.links.ready_count()
    }

    /// Sends new priorities of items to the shards that store them; never waits. A shard that is unreachable keeps the old
    /// ones.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when they cannot be encoded.
    pub fn prioritise(
        &mut self,
        table: &str,
        priorities: impl IntoIterator<Item = (ShardId, u64, f32)>,
        now: Duration,
    ) -> Result<(), TransportError> {
        let mut updates: HashMap<ShardId, Vec<(u64, f32)>> = HashMap::new();
        for (shard, key, priority) in priorities {
            updates.entry(shard).or_default().push((key, priority));
        }
        for (id, shard) in &self.shards {
            if let Some(updates) = updates.remove(&shard.id) {
                let prioritise = Prioritise { table: table.to_owned(), updates };
                self.links.send(*id, &Message::Prioritise(prioritise), now)?;
            }
        }
        Ok(())
    }

    /// Tells the connected shards that the run has ended.
    ///
    /// # Errors
    /// [`TransportError::Wire`].
    pub(crate) fn announce_end(&mut self, now: Duration) -> Result<(), TransportError> {
        for id in self.links.ids() {
            self.links.send(id, &Message::RunFinished(()), now)?;
        }
        Ok(())
    }

    /// Whether every connected shard knows that the run has ended.
    pub(crate) fn end_is_known(&self) -> bool {
        let mut shards = self.shards.iter();
        shards.all(|(id, shard)| shard.knows_end || !self.links.is_ready(*id))
    }

    /// Fails where no shard was ever reached within the deadline.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`].
    pub(crate) fn check_reached(&self, now: Duration) -> Result<(), TransportError> {
        self.links.check_reached(now)
    }

    /// The port to each shard.
    pub fn ports(&self) -> impl Iterator<Item = &P> {
        self.links.ports()
    }

    /// The port to each shard.
    pub fn ports_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.links.ports_mut()
    }

    /// How much (steps; of a turn: trajectories) is still missing. Takes a turn's items into the turn.
    pub(crate) fn missing(
        &mut self,
        selector: Selector<'_>,
        steps: usize,
        items: &mut Vec<SampledItem>,
    ) -> u64 {
        match selector {
            Selector::Turn { version, count } => {
                self.turn.append(items);
                self.turn.retain(|item| item.header.last_version == version);
                // An actor that was started again plays its turn again; each trajectory counts once.
                let place = |item: &SampledItem| (item.header.actor, item.header.ordinal);
                self.turn.sort_by_key(place);
                self.turn.dedup_by_key(|item| place(item));
                count.saturating_sub(self.turn.len()) as u64
            }
            Selector::Table(_) => {
                let found: u64 = items.iter().map(|item| u64::from(item.header.steps)).sum();
                (steps as u64).saturating_sub(found)
            }
        }
    }

    /// What a call of `sample` returns: `items`, or the turn once it is complete.
    pub(crate) fn complete(&mut self, selector: Selector<'_>, items: Vec<SampledItem>) -> Vec<SampledItem> {
        match selector {
            Selector::Turn { count, .. } if self.turn.len() >= count => std::mem::take(&mut self.turn),
            _ => items,
        }
    }
}

/// The items of a batch; none when it answers no request that is open.
fn take_batch(shard: &mut ShardState, batch: Batch, bulk: Vec<Frame>) -> Option<Answer> {
    let table = shard.answered(batch.request)?;
    let mass = batch.table.mass;
    shard.held.insert(Arc::clone(&table), batch.table);
    let mut items = unpack(shard.id, &table, batch, bulk);
    items.iter_mut().for_each(|item| item.probability *= mass);
    Some(Answer { table, items })
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
                probability: item.probability,
                population: 1,
                table: Arc::clone(table),
            });
        }
    }
    items
}

impl<P: Port> std::fmt::Debug for SamplerCore<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SamplerCore").field("live", &self.live_shards()).finish_non_exhaustive()
    }
}
