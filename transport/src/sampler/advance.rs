//! A sampler without sockets and clock: asks shards in proportion, and takes what they give.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::ShardId;
use configuration::FRESH_TABLE;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Answer, LearnerIdentity, SampledItem, Selector, ShardLink, TrajectorySampler};
use crate::block::Block;
use crate::channel::{Event, refusal, tolerable};
use crate::client::{Complaint, LinkOptions};
use crate::message::{Batch, Hello, Message, Pick, Role, Sample};
use crate::port::Port;
use crate::{Endpoint, Frame, TransportError};

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
            token: Some(identity.token),
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
                let mut links = self.links.iter().enumerate();
                let others = links.any(|(other, link)| other != place && link.channel.is_ready());
                let link = &mut self.links[place];
                match event {
                    Event::Ready(welcome) => link.shard = welcome.shard.unwrap_or(link.shard),
                    Event::Lost => {
                        link.asked = None;
                        link.overdue.clear();
                    }
                    Event::Refused(refused) if tolerable(link.channel.endpoint(), &refused, others) => {
                        link.asked = None;
                        link.overdue.clear();
                        link.channel.ask_again(now);
                    }
                    Event::Refused(refused) => return Err(refusal(link.channel.endpoint(), refused)),
                    Event::Finished => link.finished = true,
                    Event::Message(Message::Batch(batch), bulk) => self.take(place, batch, bulk),
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
        if !self.links.iter().any(|link| link.answers(now)) {
            if let Some(waited) = self.complaint.due(now) {
                tracing::warn!(?waited, "no replay shard can be reached");
            }
            return Ok(());
        }
        self.complaint.settle();
        let name: Arc<str> = table.into();
        let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        for (place, steps) in self.deal(table, missing, now) {
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
    pub fn give_up_waiting(&mut self, now: Duration) {
        for link in &mut self.links {
            if let Some((request, table)) = link.asked.take() {
                tracing::warn!(endpoint = %link.channel.endpoint(), "the shard does not answer a request for trajectories");
                link.overdue.insert(request, table);
                link.rests_until = now + self.options.peer_timeout;
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
    pub(super) fn held(&self, table: &str) -> (u64, f64) {
        let live = self.links.iter().filter(|link| link.channel.is_ready());
        let held = live.filter_map(|link| link.held.get(table));
        held.fold((0, 0.0), |(items, mass), held| (items + held.items, mass + held.mass))
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
    fn deal(&mut self, table: &str, missing: u64, now: Duration) -> Vec<(usize, u64)> {
        let live: Vec<usize> =
            (0..self.links.len()).filter(|place| self.links[*place].answers(now)).collect();
        let mass = |place: usize| self.links[place].held.get(table).map_or(0.0, |held| held.mass);
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
        let (shard, held) = (link.shard, batch.table);
        let asked = link.asked.take_if(|(request, _)| *request == batch.request);
        let overdue = || link.overdue.remove(&batch.request);
        // What was answered before is not taken again.
        let Some(table) = asked.map(|(_, table)| table).or_else(overdue) else { return };
        link.held.insert(Arc::clone(&table), held);
        let mut items = unpack(shard, &table, batch, bulk);
        items.iter_mut().for_each(|item| item.probability *= held.mass);
        self.received.push(Answer { table, items });
    }

    /// How much (steps; of a turn: trajectories) is still to be asked for. Takes a turn's items into the turn.
    pub(super) fn missing(
        &mut self,
        selector: Selector<'_>,
        steps: usize,
        items: &mut Vec<SampledItem>,
    ) -> u64 {
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

    pub(super) fn complete(&mut self, selector: Selector<'_>, items: Vec<SampledItem>) -> Vec<SampledItem> {
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
                probability: item.probability,
                population: 1,
                table: Arc::clone(table),
            });
        }
    }
    items
}
