//! What a shard does with what it hears. It knows no socket, clock, disk or thread: messages and the time are told, and
//! what is to be done comes out as [`Effect`]s. The same code runs in production and in simulated networks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::config::{FRESH_TABLE, ReplayConfig, TableConfig};
use common::ids::{LearnerEpoch, PolicyVersion, SequenceNumber, ShardId};
use common::seed::{RunSeed, Stream};
use rand_chacha::ChaCha8Rng;
use transport::{
    Ack, BulkDigest, Frame, Hello, Incoming, Insert, Inserts, Message, NotReady, PeerId, Prioritise, Refusal,
    Refused, Role, ShardStats, Weights, Welcome, wire,
};

use crate::claim::{self, Claim};
use crate::effect::{Change, Effect, Outgoing, Reply};
use crate::item::Content;
use crate::journal::Remembered;
use crate::peers::{Peer, Peers, Who};
use crate::requests::{Request, Requests};
use crate::sessions::{Arrival, MAX_SESSIONS, SessionKey, Sessions};
use crate::tables::{Items, TableStats, Tables};

/// Who has many credits is acknowledged several trajectories at a time, but within this: each acknowledgement wakes threads
/// at both ends.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(1);

/// The state of a shard.
#[derive(Debug)]
pub struct Core {
    shard: ShardId,
    durable: bool,
    tables: Tables<Content>,
    sessions: Sessions,
    peers: Peers,
    claim: Option<Claim>,
    requests: Requests,
    /// Actors that sent something since the last [`Core::settle`].
    unacknowledged: BTreeMap<SessionKey, Owed>,
    /// So many trajectories are acknowledged at once.
    acknowledged_together: u64,
    /// Whether credits are withheld from somebody.
    starved: bool,
    weights: Option<RelayedWeights>,
    /// Who asked for newer weights than there are, and what he has.
    pulls: BTreeMap<PeerId, Option<PolicyVersion>>,
    counts: Counts,
    /// When a refusal was last told in the log.
    complained: Option<Duration>,
    finished: bool,
    rng: ChaCha8Rng,
    effects: Vec<Effect>,
}

/// Refused peers try again and again: one line in this time tells of them.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(1);

/// An acknowledgement.
#[derive(Debug)]
struct Owed {
    peer: PeerId,
    /// Trajectories that came since the last one.
    items: u64,
    /// When the first of them came.
    since: Duration,
}

#[derive(Debug)]
struct RelayedWeights {
    version: PolicyVersion,
    digest: BulkDigest,
    bytes: Frame,
    budget_share: f32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    inserted: u64,
    duplicates: u64,
}

impl Core {
    /// A shard with `tables`, going on with what it `remembered` where its changes are made `durable`.
    #[must_use]
    pub fn new(
        shard: ShardId,
        config: &ReplayConfig,
        tables: &BTreeMap<String, TableConfig>,
        seed: RunSeed,
        remembered: Option<Remembered>,
    ) -> Self {
        let mut core = Core {
            shard,
            durable: remembered.is_some(),
            tables: Tables::new(tables),
            sessions: Sessions::new(config.credits),
            peers: Peers::default(),
            claim: None,
            requests: Requests::default(),
            unacknowledged: BTreeMap::new(),
            acknowledged_together: u64::from(config.credits / 8).max(1),
            starved: false,
            weights: None,
            pulls: BTreeMap::new(),
            counts: Counts::default(),
            complained: None,
            finished: false,
            rng: seed.rng(Stream::Sampling, u64::from(shard.0)),
            effects: Vec::new(),
        };
        if let Some(remembered) = remembered {
            core.remember(remembered);
        }
        core
    }

    fn remember(&mut self, remembered: Remembered) {
        self.claim = remembered.claim;
        for (key, next) in remembered.sessions {
            self.sessions.restore(key, next);
        }
        for item in remembered.items {
            let bytes = item.content.bytes();
            self.tables.restore(item.key, item.header, bytes, item.content, &item.left);
        }
        self.tables.set_next_key(remembered.next_key);
        // Where bounds have shrunk, some had to go.
        self.persist_departures();
    }

    /// The items, for those who read them elsewhere.
    #[must_use]
    pub fn items(&self) -> Arc<Items<Content>> {
        self.tables.items()
    }

    /// The tables.
    #[must_use]
    pub fn tables(&self) -> &Tables<Content> {
        &self.tables
    }

    /// Who has the shard.
    #[must_use]
    pub fn claim(&self) -> Option<Claim> {
        self.claim
    }

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Connections.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// When [`Core::settle`] is due at the latest, though nothing comes.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let owed = self.unacknowledged.values().map(|owed| owed.since + ACKNOWLEDGED_WITHIN).min();
        self.requests.deadline().into_iter().chain(owed).min()
    }

    /// What is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// A connection is gone.
    pub fn forget(&mut self, peer: &PeerId) {
        self.peers.forget(peer);
        self.pulls.remove(peer);
        self.requests.forget(peer, &mut self.tables);
    }

    /// Newest weights, for actors that ask.
    pub fn relay_weights(&mut self, version: PolicyVersion, bytes: Frame, budget_share: f32) {
        let digest = BulkDigest::of(&bytes);
        self.weights = Some(RelayedWeights { version, digest, bytes, budget_share });
        for (peer, have) in std::mem::take(&mut self.pulls) {
            self.give_weights(peer, have);
        }
    }

    /// Takes a message.
    pub fn handle(&mut self, incoming: Incoming, now: Duration) {
        let Incoming { peer, role, message, bulk, envelope } = incoming;
        match (message, self.peers.get(&peer)) {
            (Message::Hello(hello), _) => self.greet(peer, role, &hello, now),
            (_, None) => self.send(&peer, wire::PROTOCOL_OLDEST, Message::UnknownPeer(())),
            (message, Some(Peer { protocol, who: Who::Learner(epoch) })) => {
                self.hear_learner(&peer, protocol, epoch, message, now);
            }
            (Message::Insert(insert), Some(Peer { protocol, who: Who::Actor(session) })) => {
                self.store((peer, protocol), session, insert, envelope, bulk, now);
            }
            (Message::Inserts(inserts), Some(Peer { protocol, who: Who::Actor(session) })) => {
                self.store_several((peer, protocol), session, &inserts, &bulk, now);
            }
            (Message::Pull(pull), Some(Peer { who: Who::Actor(_), .. })) => {
                self.give_weights(peer, pull.have)
            }
            // An actor that asks for a sign of life is told what is stored: an acknowledgement may have been lost.
            (_, Some(Peer { who: Who::Actor(session), .. })) => {
                self.owe(session, peer, self.acknowledged_together, now);
            }
        }
    }

    /// Answers what can be answered by now: requests, acknowledgements, credits. To be called after every few messages.
    pub fn settle(&mut self, now: Duration) {
        self.serve(now);
        self.acknowledge(now);
        self.refill();
    }

    fn greet(&mut self, peer: PeerId, proven: Option<Role>, hello: &Hello, now: Duration) {
        let verdict = claim::check_peer(hello, proven).and_then(|protocol| {
            let admitted =
                if hello.role == Role::Learner { self.claim_for(hello) } else { self.admit(hello) }?;
            Ok((protocol, admitted))
        });
        let spoken = hello.common_protocol().unwrap_or(wire::PROTOCOL_OLDEST);
        let (protocol, who, ack) = match verdict {
            Ok((protocol, Some((who, ack)))) => (protocol, who, ack),
            Ok((_, None)) => {
                let message = "no learner has claimed this shard yet".to_owned();
                return self.send(&peer, spoken, Message::NotReady(NotReady { message }));
            }
            Err(refused) => return self.refuse(&peer, spoken, hello.role, refused, now),
        };
        // `claim_for` and `admit` let nobody in while there is no claim.
        let Some(Claim { run, epoch, .. }) = self.claim else { return };
        if matches!(who, Who::Learner(_)) {
            // Nobody waits for older requests any more.
            self.requests.clear(&mut self.tables);
        }
        self.peers.greet(&peer, Peer { protocol, who });
        if self.peers.len() > MAX_SESSIONS {
            let sessions = &self.sessions;
            self.peers.keep_actors(|session| sessions.knows(session));
        }
        let (shard, Ack { next, limit }) = (Some(self.shard), ack);
        // It acknowledges, too: what it says is stored must be.
        self.send_after(
            &peer,
            protocol,
            Message::Welcome(Welcome { protocol, run, epoch, shard, next, limit }),
        );
        if self.finished {
            self.send(&peer, protocol, Message::RunFinished(()));
        }
    }

    fn claim_for(&mut self, hello: &Hello) -> Result<Option<(Who, Ack)>, Refused> {
        let claim = claim::claim(self.claim, hello)?;
        if self.claim != Some(claim) {
            tracing::info!(shard = %self.shard, run = %claim.run, epoch = %claim.epoch, "claimed by a learner");
            self.persist(Change::Claim(Some(claim)));
        }
        self.claim = Some(claim);
        let nothing = Ack { next: SequenceNumber(0), limit: SequenceNumber(0) };
        Ok(Some((Who::Learner(claim.epoch), nothing)))
    }

    /// None while there is no learner to say which run this is.
    fn admit(&mut self, hello: &Hello) -> Result<Option<(Who, Ack)>, Refused> {
        let Some(current) = self.claim else { return Ok(None) };
        claim::check_run(current, hello)?;
        let (Some(actor), Some(incarnation)) = (hello.actor, hello.incarnation) else {
            let message = "an actor must say its id and its incarnation".to_owned();
            return Err(Refused { reason: Refusal::Incomplete, message });
        };
        let session = SessionKey { actor, incarnation };
        let may_insert = self.may_insert();
        self.starved |= !may_insert;
        let ack = self.sessions.open(session, hello.first_sequence, may_insert);
        tracing::debug!(shard = %self.shard, %actor, %incarnation, "actor connected");
        Ok(Some((Who::Actor(session), ack)))
    }

    fn refuse(&mut self, peer: &PeerId, protocol: u16, role: Role, refused: Refused, now: Duration) {
        metrics::counter!("longshore_peers_refused_total", "reason" => refused.reason.to_string())
            .increment(1);
        if self.complained.is_none_or(|last| now.saturating_sub(last) >= COMPLAINT_PERIOD) {
            self.complained = Some(now);
            tracing::warn!(shard = %self.shard, %role, reason = %refused.reason, "refused a peer: {}", refused.message);
        }
        self.send(peer, protocol, Message::Refused(refused));
    }

    fn hear_learner(
        &mut self,
        peer: &PeerId,
        protocol: u16,
        epoch: LearnerEpoch,
        message: Message,
        now: Duration,
    ) {
        if let Some(current) = self.claim
            && epoch < current.epoch
        {
            let refused = claim::old_epoch(current.epoch, epoch);
            return self.send(peer, protocol, Message::Refused(refused));
        }
        match message {
            Message::Sample(sample) => {
                let request = Request::new(peer.clone(), protocol, sample, now);
                self.requests.add(request, &mut self.tables);
            }
            Message::Prioritise(prioritise) => self.prioritise(&prioritise),
            Message::StatsRequest(()) => {
                let stats = Message::Stats(self.stats());
                self.send(peer, protocol, stats);
            }
            Message::RunFinished(()) => {
                self.finish();
                self.send(peer, protocol, Message::RunFinished(()));
            }
            _ => self.send(peer, protocol, Message::Pong(())),
        }
    }

    fn store(
        &mut self,
        (peer, protocol): (PeerId, u16),
        session: SessionKey,
        insert: Insert,
        envelope: Frame,
        bulk: Vec<Frame>,
        now: Duration,
    ) {
        let SessionKey { actor, incarnation } = session;
        if (insert.header.actor, insert.header.incarnation) != (actor, incarnation) {
            // It would count as the other's own after a restart.
            let message = format!("a trajectory of another than actor {actor} in its life {incarnation}");
            let refused = Refused { reason: Refusal::Incomplete, message };
            return self.refuse(&peer, protocol, Role::Actor, refused, now);
        }
        match self.sessions.arrive(session, insert.header.sequence) {
            Arrival::New => {
                // Decoding has checked that there are two frames.
                let Some((header, content)) = Content::of(insert, envelope, bulk) else { return };
                let key = self.tables.insert(header, content.bytes(), content);
                self.counts.inserted += 1;
                if self.durable
                    && let Some(item) = self.tables.items().get(&key)
                {
                    self.effects.push(Effect::Persist(Change::Insert(Arc::clone(&item))));
                }
                self.persist_departures();
            }
            Arrival::Duplicate => self.counts.duplicates += 1,
            Arrival::Gap => return self.send(&peer, protocol, Message::UnknownPeer(())),
        }
        self.owe(session, peer, 1, now);
    }

    /// Stores trajectories that came together; each has its own checksums.
    fn store_several(
        &mut self,
        from: (PeerId, u16),
        session: SessionKey,
        inserts: &Inserts,
        bulk: &[Frame],
        now: Duration,
    ) {
        let pieces = bulk.first().and_then(|frame| inserts.split(frame)).unwrap_or_default();
        for piece in pieces {
            let [envelope, body, states] = piece.map(Frame::from);
            let insert = match wire::header_of(&envelope) {
                Ok(Message::Insert(insert)) if insert.holds(&body, &states) => insert,
                _ => return metrics::counter!("longshore_malformed_messages_total").increment(1),
            };
            self.store(from.clone(), session, insert, envelope, vec![body, states], now);
        }
    }

    /// Gives newer weights at once or, when there are none, as soon as there are.
    fn give_weights(&mut self, peer: PeerId, have: Option<PolicyVersion>) {
        let Some(Peer { protocol, .. }) = self.peers.get(&peer) else { return };
        match &self.weights {
            Some(weights) if have.is_none_or(|have| weights.version > have) => {
                let RelayedWeights { version, digest, bytes, budget_share } = weights;
                let message = Message::Weights(Weights {
                    version: *version,
                    budget_share: *budget_share,
                    weights: *digest,
                });
                let reply = Reply::Bulk(message, bytes.clone());
                metrics::counter!("longshore_weights_sent_total").increment(1);
                self.effects.push(Effect::Send(Outgoing { peer, protocol, reply }));
            }
            _ => {
                self.pulls.insert(peer, have);
            }
        }
    }

    fn prioritise(&mut self, prioritise: &Prioritise) {
        let Some(table) = self.tables.table(&prioritise.table) else { return };
        let counts = self.tables.set_priorities(table, &prioritise.updates);
        if counts.refused > 0 {
            tracing::warn!(shard = %self.shard, table = prioritise.table, refused = counts.refused, "priorities that are negative or no numbers were refused");
        }
    }

    fn serve(&mut self, now: Duration) {
        while let Some(answer) = self.requests.serve(&mut self.tables, now, &mut self.rng) {
            // Who was given what has left its table must not be given it again after a crash.
            let effect =
                if self.persist_departures() { Effect::SendAfter(answer) } else { Effect::Send(answer) };
            self.effects.push(effect);
        }
    }

    /// An actor is to be told what is stored: when it has sent many, or a moment has passed since the first of them.
    fn owe(&mut self, session: SessionKey, peer: PeerId, items: u64, now: Duration) {
        let owed =
            self.unacknowledged.entry(session).or_insert(Owed { peer: peer.clone(), items: 0, since: now });
        owed.peer = peer;
        owed.items += items;
    }

    fn acknowledge(&mut self, now: Duration) {
        if self.unacknowledged.is_empty() {
            return;
        }
        let may_insert = self.may_insert();
        let due =
            |owed: &Owed| owed.items >= self.acknowledged_together || now >= owed.since + ACKNOWLEDGED_WITHIN;
        let all = std::mem::take(&mut self.unacknowledged);
        let (due, later): (BTreeMap<_, _>, BTreeMap<_, _>) = all.into_iter().partition(|(_, owed)| due(owed));
        self.unacknowledged = later;
        for (session, Owed { peer, .. }) in due {
            let Some((ack, has_all)) = self.sessions.acknowledge(session, may_insert) else { continue };
            self.starved |= !has_all;
            if let Some(Peer { protocol, .. }) = self.peers.get(&peer) {
                self.send_after(&peer, protocol, Message::Ack(ack));
            }
        }
    }

    /// Gives credits to actors that lack some, when the limiters allow it.
    fn refill(&mut self) {
        if !self.starved || self.finished || !self.may_insert() {
            return;
        }
        self.starved = false;
        let actors = self.peers.actors().map(|(peer, protocol, session)| (peer.clone(), protocol, session));
        for (peer, protocol, session) in actors.collect::<Vec<_>>() {
            if let Some(ack) = self.sessions.refill(session) {
                self.send_after(&peer, protocol, Message::Ack(ack));
            }
        }
    }

    fn may_insert(&self) -> bool {
        self.tables.may_insert()
    }

    fn finish(&mut self) {
        if self.finished {
            return;
        }
        tracing::info!(shard = %self.shard, "the learner has ended the run");
        self.finished = true;
        // Nothing is needed any more, and the next run may have the disk.
        let mut keys: Vec<_> = self.items().iter().map(|item| *item.key()).collect();
        keys.sort_unstable();
        keys.into_iter().for_each(|key| self.persist(Change::Remove(key)));
        self.persist(Change::Claim(None));
        let actors = self.peers.actors().map(|(peer, protocol, _)| (peer.clone(), protocol));
        for (peer, protocol) in actors.collect::<Vec<_>>() {
            self.send(&peer, protocol, Message::RunFinished(()));
        }
    }

    /// The counts that learners ask for.
    #[must_use]
    pub fn stats(&self) -> ShardStats {
        let stats = self.tables.stats();
        let sum = |count: fn(&TableStats) -> u64| stats.tables.iter().map(count).sum();
        let fresh = stats.tables.iter().find(|table| table.name == FRESH_TABLE);
        ShardStats {
            shard: self.shard,
            items: stats.items,
            bytes: stats.bytes,
            waiting_steps: fresh.map_or(0, |table| table.owed_steps.max(0.0) as u64),
            inserted: self.counts.inserted,
            sampled: sum(|table| table.sampled),
            evicted: sum(|table| table.evicted),
            dropped: fresh.map_or(0, |table| table.dropped),
            duplicates: self.counts.duplicates,
        }
    }

    /// Says whether there were some.
    fn persist_departures(&mut self) -> bool {
        let departures = self.tables.take_departures();
        let some = !departures.is_empty();
        for departure in departures {
            let (key, table) = (departure.key, departure.table);
            self.persist(if departure.last { Change::Remove(key) } else { Change::Leave { key, table } });
        }
        some
    }

    fn persist(&mut self, change: Change) {
        if self.durable {
            self.effects.push(Effect::Persist(change));
        }
    }

    fn send(&mut self, peer: &PeerId, protocol: u16, message: Message) {
        let outgoing = Outgoing { peer: peer.clone(), protocol, reply: Reply::Message(message) };
        self.effects.push(Effect::Send(outgoing));
    }

    fn send_after(&mut self, peer: &PeerId, protocol: u16, message: Message) {
        let outgoing = Outgoing { peer: peer.clone(), protocol, reply: Reply::Message(message) };
        self.effects.push(Effect::SendAfter(outgoing));
    }
}
