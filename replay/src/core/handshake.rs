//! Which peers are admitted, and as what.

use std::time::Duration;

use common::ids::SequenceNumber;
use transport::{Ack, Hello, Message, NotReady, PeerId, Refusal, Refused, Role, Welcome};

use super::{COMPLAINT_PERIOD, Core};
use crate::claim::{self, Claim};
use crate::effect::Change;
use crate::peers::Peer;
use crate::sessions::{MAX_SESSIONS, SessionKey};

impl Core {
    pub(super) fn greet(&mut self, peer: &PeerId, proven: Option<Role>, hello: &Hello, now: Duration) {
        let verdict = claim::check_role(hello, proven).and_then(|()| {
            if hello.role == Role::Learner { self.claim_for(hello) } else { self.admit(hello) }
        });
        if hello.role == Role::Actor && self.disk_is_behind() && verdict.is_ok() {
            return self.put_off(peer, "its disk is behind with writing");
        }
        let (who, ack) = match verdict {
            Ok(Some(admitted)) => admitted,
            Ok(None) => {
                let message = "no learner has claimed this shard yet".to_owned();
                return self.send(peer, Message::NotReady(NotReady { message }));
            }
            Err(refused) => return self.refuse(peer, hello.role, refused, now),
        };
        // `claim_for` and `admit` admit no peer before there is a claim.
        let Some(Claim { run, .. }) = self.claim else { return };
        if matches!(who, Peer::Learner(_)) {
            // The learner no longer waits for older requests.
            self.requests.clear(&mut self.tables);
        }
        self.peers.greet(peer, who);
        if self.peers.len() > MAX_SESSIONS {
            let sessions = &self.sessions;
            self.peers.keep_actors(|session| sessions.knows(session));
        }
        let (shard, Ack { next, limit }) = (Some(self.shard), ack);
        // A welcome acknowledges, too: what it says is stored must be durable.
        self.send_after(peer, Message::Welcome(Welcome { run, shard, next, limit }));
        if self.finished {
            self.send(peer, Message::RunFinished(()));
        }
    }

    /// Claims the shard for a learner.
    fn claim_for(&mut self, hello: &Hello) -> Result<Option<(Peer, Ack)>, Refused> {
        let claim = claim::claim(self.claim, hello)?;
        if self.claim != Some(claim) {
            tracing::info!(shard = %self.shard, run = %claim.run, token = %claim.token, "claimed by a learner");
            self.persist(Change::Claim(Some(claim)));
        }
        self.claim = Some(claim);
        let nothing = Ack { next: SequenceNumber(0), limit: SequenceNumber(0) };
        Ok(Some((Peer::Learner(claim.token), nothing)))
    }

    /// None before a learner has claimed the shard.
    fn admit(&mut self, hello: &Hello) -> Result<Option<(Peer, Ack)>, Refused> {
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
        Ok(Some((Peer::Actor(session), ack)))
    }

    pub(super) fn refuse(&mut self, peer: &PeerId, role: Role, refused: Refused, now: Duration) {
        metrics::counter!("longshore_peers_refused_total", "reason" => refused.reason.to_string())
            .increment(1);
        if self.complained.is_none_or(|last| now.saturating_sub(last) >= COMPLAINT_PERIOD) {
            self.complained = Some(now);
            tracing::warn!(shard = %self.shard, %role, reason = %refused.reason, "refused a peer: {}", refused.message);
        }
        self.send(peer, Message::Refused(refused));
    }
}
