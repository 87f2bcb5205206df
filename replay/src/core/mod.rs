//! What a shard does with the messages that it receives. It knows no socket, clock, disk or thread: callers pass messages and
//! the time, and carry out the [`Effect`]s that come out. The same code runs in production and in simulated networks.

mod actors;
mod handshake;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::ids::{FencingToken, PolicyVersion, ShardId};
use common::seed::{RunSeed, Stream};
use configuration::{FRESH_TABLE, ReplayConfig, TableConfig};
use rand_chacha::ChaCha8Rng;
use transport::{BulkDigest, Frame, Incoming, Message, PeerId, Prioritise};

use crate::claim::{self, Claim};
use crate::effect::{Change, Effect, Outgoing, Reply};
use crate::item::Content;
use crate::journal::Remembered;
use crate::peers::{Peer, Peers};
use crate::requests::{Request, Requests};
use crate::sessions::{SessionKey, Sessions};
use crate::stats::ShardStats;
use crate::tables::{Items, TableStats, Tables};

/// An actor with many credits gets one acknowledgement for several trajectories, because each wakes threads at both ends; but it
/// waits no longer than this.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(1);

/// Bytes that may wait for the disk before the shard takes no more from actors.
const DISK_BACKLOG: u64 = 128 << 20;

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
    /// Acknowledgements that are due.
    unacknowledged: BTreeMap<SessionKey, PendingAck>,
    /// After so many trajectories an acknowledgement is sent at once.
    acknowledged_together: u64,
    /// Whether some actor has fewer credits than it may have.
    starved: bool,
    weights: Option<RelayedWeights>,
    /// Actors that wait for newer weights, and the versions that they have.
    pulls: BTreeMap<PeerId, Option<PolicyVersion>>,
    counts: Counts,
    /// Bytes that wait for the disk.
    disk_backlog: u64,
    /// When a refusal was last logged.
    complained: Option<Duration>,
    /// When a trajectory that is not stored was last logged.
    complained_of_unfit: Option<Duration>,
    finished: bool,
    rng: ChaCha8Rng,
    effects: Vec<Effect>,
}

/// Refused peers try again and again: they are logged once in this time.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(1);

/// An acknowledgement that was not sent yet.
#[derive(Debug)]
struct PendingAck {
    peer: PeerId,
    /// Trajectories that arrived since the last one.
    items: u64,
    /// When the first of them arrived.
    since: Duration,
}

#[derive(Debug)]
struct RelayedWeights {
    version: PolicyVersion,
    digest: BulkDigest,
    bytes: Frame,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    inserted: u64,
    duplicates: u64,
    unfit: u64,
}

impl Core {
    /// A shard with `tables`. Where its changes are made durable, it goes on with what it `remembered` from earlier lives.
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
            disk_backlog: 0,
            complained: None,
            complained_of_unfit: None,
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
        // Where bounds have shrunk, some items were removed.
        self.persist_departures();
    }

    /// The items, for threads that only read them.
    #[must_use]
    pub fn items(&self) -> Arc<Items<Content>> {
        self.tables.items()
    }

    /// The tables, for their counts.
    #[must_use]
    pub fn tables(&self) -> &Tables<Content> {
        &self.tables
    }

    /// The run and learner that have claimed the shard.
    #[must_use]
    pub fn claim(&self) -> Option<Claim> {
        self.claim
    }

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Number of connections.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Takes how many bytes wait for the disk.
    pub fn set_disk_backlog(&mut self, bytes: u64) {
        self.disk_backlog = bytes;
    }

    /// Whether so much waits for the disk that no more is taken from actors.
    fn disk_is_behind(&self) -> bool {
        self.disk_backlog >= DISK_BACKLOG
    }

    /// When [`Core::settle`] must be called even if no message arrives.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let owed = self.unacknowledged.values().map(|owed| owed.since + ACKNOWLEDGED_WITHIN).min();
        self.requests.deadline().into_iter().chain(owed).min()
    }

    /// The effects that are to be carried out, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Forgets a connection that is gone.
    pub fn forget(&mut self, peer: &PeerId) {
        self.peers.forget(peer);
        self.pulls.remove(peer);
        self.requests.forget(peer, &mut self.tables);
    }

    /// Takes the newest weights, and sends them to actors that wait for them.
    pub fn relay_weights(&mut self, version: PolicyVersion, bytes: Frame) {
        let digest = BulkDigest::of(&bytes);
        self.weights = Some(RelayedWeights { version, digest, bytes });
        for (peer, have) in std::mem::take(&mut self.pulls) {
            self.send_weights(peer, have);
        }
    }

    /// Handles a message that has arrived.
    pub fn handle(&mut self, incoming: Incoming, now: Duration) {
        let Incoming { peer, role, message, bulk, envelope } = incoming;
        match (message, self.peers.get(&peer)) {
            (Message::Hello(hello), _) => self.greet(&peer, role, &hello, now),
            (_, None) => self.send(&peer, Message::UnknownPeer(())),
            (message, Some(Peer::Learner(token))) => self.handle_learner(&peer, token, message, now),
            (Message::Insert(insert), Some(Peer::Actor(session))) => {
                self.store(peer, session, insert, envelope, bulk, now);
            }
            (Message::Inserts(inserts), Some(Peer::Actor(session))) => {
                self.store_several(&peer, session, &inserts, &bulk, now);
            }
            (Message::Pull(pull), Some(Peer::Actor(_))) => self.send_weights(peer, pull.have),
            (_, Some(Peer::Actor(_))) if self.disk_is_behind() => self.send(&peer, Message::Pong(())),
            // A ping is answered with what is stored: an acknowledgement may have been lost.
            (_, Some(Peer::Actor(session))) => {
                self.schedule_ack(session, peer, self.acknowledged_together, now);
            }
        }
    }

    /// Sends the answers, acknowledgements and credits that are due. Must be called after every few messages.
    pub fn settle(&mut self, now: Duration) {
        self.serve(now);
        self.acknowledge(now);
        self.refill();
    }

    fn handle_learner(&mut self, peer: &PeerId, token: FencingToken, message: Message, now: Duration) {
        if let Some(current) = self.claim
            && token < current.token
        {
            let refused = claim::old_token(current.token, token);
            return self.send(peer, Message::Refused(refused));
        }
        match message {
            Message::Sample(sample) => {
                let request = Request::new(peer.clone(), sample, now);
                self.requests.add(request, &mut self.tables);
            }
            Message::Prioritise(prioritise) => self.prioritise(&prioritise),
            Message::RunFinished(()) => {
                self.finish();
                self.send(peer, Message::RunFinished(()));
            }
            _ => self.send(peer, Message::Pong(())),
        }
    }

    fn prioritise(&mut self, prioritise: &Prioritise) {
        let Some(table) = self.tables.table(&prioritise.table) else { return };
        let counts = self.tables.set_priorities(table, &prioritise.updates);
        if counts.refused > 0 {
            tracing::warn!(shard = %self.shard, table = prioritise.table, refused = counts.refused, "negative or NaN priorities were refused");
        }
    }

    fn serve(&mut self, now: Duration) {
        while let Some(answer) = self.requests.serve(&mut self.tables, now, &mut self.rng) {
            // What left its table by being sampled must not be sampled again after a crash.
            let effect =
                if self.persist_departures() { Effect::SendAfter(answer) } else { Effect::Send(answer) };
            self.effects.push(effect);
        }
    }

    fn may_insert(&self) -> bool {
        !self.disk_is_behind() && self.tables.may_insert()
    }

    fn finish(&mut self) {
        if self.finished {
            return;
        }
        tracing::info!(shard = %self.shard, "the learner has ended the run");
        self.finished = true;
        // Nothing is needed any more, and the next run may use the disk.
        let mut keys: Vec<_> = self.items().iter().map(|item| *item.key()).collect();
        keys.sort_unstable();
        keys.into_iter().for_each(|key| self.persist(Change::Remove(key)));
        self.persist(Change::Claim(None));
        let actors: Vec<_> = self.peers.actors().map(|(peer, _)| peer.clone()).collect();
        for peer in actors {
            self.send(&peer, Message::RunFinished(()));
        }
    }

    /// What the shard counts, for its metrics.
    #[must_use]
    pub fn stats(&self) -> ShardStats {
        let stats = self.tables.stats();
        let sum = |count: fn(&TableStats) -> u64| stats.tables.iter().map(count).sum();
        let fresh = stats.tables.iter().find(|table| table.name == FRESH_TABLE);
        ShardStats {
            items: stats.items,
            bytes: stats.bytes,
            waiting_steps: fresh.map_or(0, |table| table.owed_steps.max(0.0) as u64),
            inserted: self.counts.inserted,
            sampled: sum(|table| table.sampled),
            evicted: sum(|table| table.evicted),
            dropped: fresh.map_or(0, |table| table.dropped),
            duplicates: self.counts.duplicates,
            unfit: self.counts.unfit,
        }
    }

    /// Makes durable which items have left which tables; returns whether there were any.
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

    fn send(&mut self, peer: &PeerId, message: Message) {
        let outgoing = Outgoing { peer: peer.clone(), reply: Reply::Message(message) };
        self.effects.push(Effect::Send(outgoing));
    }

    fn send_after(&mut self, peer: &PeerId, message: Message) {
        let outgoing = Outgoing { peer: peer.clone(), reply: Reply::Message(message) };
        self.effects.push(Effect::SendAfter(outgoing));
    }
}
