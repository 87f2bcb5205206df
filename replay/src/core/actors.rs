//! What actors send, and how they are answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::ids::{ActorId, PolicyVersion};
use common::trajectory::TrajectoryHeader;
use transport::{Frame, Insert, Inserts, Message, NotReady, PeerId, Refusal, Refused, Role, Weights, wire};

use super::{ACKNOWLEDGED_WITHIN, COMPLAINT_PERIOD, Core, PendingAck, RelayedWeights};
use crate::acceptance::{self, Unfit};
use crate::effect::{Change, Effect, Outgoing, Reply};
use crate::item::Content;
use crate::sessions::{Arrival, SessionKey};

impl Core {
    pub(super) fn store(
        &mut self,
        peer: PeerId,
        session: SessionKey,
        insert: Insert,
        envelope: Frame,
        bulk: Vec<Frame>,
        now: Duration,
    ) {
        let SessionKey { actor, incarnation } = session;
        if (insert.header.actor, insert.header.incarnation) != (actor, incarnation) {
            // After a restart it would count for the other actor's session.
            let message =
                format!("a trajectory that is not of actor {actor} in its incarnation {incarnation}");
            let refused = Refused { reason: Refusal::Incomplete, message };
            return self.refuse(&peer, Role::Actor, refused, now);
        }
        if self.disk_is_behind() {
            return self.put_off(&peer, "its disk is behind with writing");
        }
        // A learner that was started again publishes before it has claimed every shard.
        if self.claim.is_some_and(|claim| insert.header.last_version.token > claim.token) {
            return self.put_off(&peer, "the learner of this policy has not claimed it yet");
        }
        match self.sessions.arrive(session, insert.header.sequence) {
            Arrival::New => {
                // Decoding has checked that there are two frames.
                let Some((header, content)) = Content::of(insert, envelope, bulk) else { return };
                self.insert(header, content, now);
            }
            Arrival::Duplicate => self.counts.duplicates += 1,
            Arrival::NoCredit => return self.drop_unfit(actor, &Unfit::NoCredit, now),
            Arrival::Gap => return self.send(&peer, Message::UnknownPeer(())),
        }
        self.schedule_ack(session, peer, 1, now);
    }

    /// Stores a trajectory that is fit; one that is not is dropped and acknowledged all the same, so that its actor goes on.
    fn insert(&mut self, header: TrajectoryHeader, content: Content, now: Duration) {
        if let Err(unfit) = acceptance::check(&header, &content, &self.tables) {
            return self.drop_unfit(header.actor, &unfit, now);
        }
        let key = self.tables.insert(header, content.bytes(), content);
        self.counts.inserted += 1;
        if self.durable
            && let Some(item) = self.tables.items().get(&key)
        {
            self.effects.push(Effect::Persist(Change::Insert(Arc::clone(&item))));
        }
        self.persist_departures();
    }

    fn drop_unfit(&mut self, actor: ActorId, unfit: &Unfit, now: Duration) {
        self.counts.unfit += 1;
        metrics::counter!("longshore_replay_unfit_total", "reason" => unfit.reason()).increment(1);
        if self.complained_of_unfit.is_none_or(|last| now.saturating_sub(last) >= COMPLAINT_PERIOD) {
            self.complained_of_unfit = Some(now);
            tracing::warn!(shard = %self.shard, %actor, "a trajectory is not stored: {unfit}");
        }
    }

    /// Tells a peer why nothing is taken from it now; it says hello again in a moment.
    pub(super) fn put_off(&mut self, peer: &PeerId, why: &str) {
        let message = why.to_owned();
        self.send(peer, Message::NotReady(NotReady { message }));
    }

    /// Stores trajectories that arrived in one message; each has its own checksums.
    pub(super) fn store_several(
        &mut self,
        peer: &PeerId,
        session: SessionKey,
        inserts: &Inserts,
        bulk: &[Frame],
        now: Duration,
    ) {
        let trajectories = bulk.first().and_then(|frame| inserts.split(frame)).unwrap_or_default();
        for parts in trajectories {
            let [envelope, body, states] = parts.map(Frame::from);
            let insert = match wire::header_of(&envelope) {
                Ok(Message::Insert(insert)) if insert.holds(&body, &states) => insert,
                _ => return metrics::counter!("longshore_malformed_messages_total").increment(1),
            };
            self.store(peer.clone(), session, insert, envelope, vec![body, states], now);
        }
    }

    /// Sends newer weights at once or, when there are none, as soon as there are.
    pub(super) fn send_weights(&mut self, peer: PeerId, have: Option<PolicyVersion>) {
        match &self.weights {
            Some(weights) if have.is_none_or(|have| weights.version > have) => {
                let RelayedWeights { version, digest, bytes } = weights;
                let message = Message::Weights(Weights { version: *version, weights: *digest });
                let reply = Reply::Bulk(message, bytes.clone());
                metrics::counter!("longshore_weights_sent_total").increment(1);
                self.effects.push(Effect::Send(Outgoing { peer, reply }));
            }
            _ => {
                self.pulls.insert(peer, have);
            }
        }
    }

    /// An acknowledgement is due: after many trajectories, or a moment after the first of them.
    pub(super) fn schedule_ack(&mut self, session: SessionKey, peer: PeerId, items: u64, now: Duration) {
        let owed = self.unacknowledged.entry(session).or_insert(PendingAck {
            peer: peer.clone(),
            items: 0,
            since: now,
        });
        owed.peer = peer;
        owed.items += items;
    }

    /// Sends the acknowledgements that are due.
    pub(super) fn acknowledge(&mut self, now: Duration) {
        if self.unacknowledged.is_empty() {
            return;
        }
        if self.disk_is_behind() {
            // A ping asks again.
            return self.unacknowledged.clear();
        }
        let may_insert = self.may_insert();
        let due = |owed: &PendingAck| {
            owed.items >= self.acknowledged_together || now >= owed.since + ACKNOWLEDGED_WITHIN
        };
        let all = std::mem::take(&mut self.unacknowledged);
        let (due, later): (BTreeMap<_, _>, BTreeMap<_, _>) = all.into_iter().partition(|(_, owed)| due(owed));
        self.unacknowledged = later;
        for (session, PendingAck { peer, .. }) in due {
            let Some((ack, has_all)) = self.sessions.acknowledge(session, may_insert) else { continue };
            self.starved |= !has_all;
            if self.peers.get(&peer).is_some() {
                self.send_after(&peer, Message::Ack(ack));
            }
        }
    }

    /// Sends credits to actors that have fewer than they may, when the rate limiters allow it.
    pub(super) fn refill(&mut self) {
        if !self.starved || self.finished || !self.may_insert() {
            return;
        }
        self.starved = false;
        let actors = self.peers.actors().map(|(peer, session)| (peer.clone(), session));
        for (peer, session) in actors.collect::<Vec<_>>() {
            if let Some(ack) = self.sessions.refill(session) {
                self.send_after(&peer, Message::Ack(ack));
            }
        }
    }
}
