//! What a shard remembers of each incarnation of an actor: what it has sent, and what it may send.

use std::sync::atomic::{AtomicU64, Ordering};

use common::ids::{ActorId, Incarnation, SequenceNumber};
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use transport::Ack;

/// Most incarnations that are remembered. The one that was silent for longest is forgotten first; if it comes back and sends what
/// was stored already, that is stored again.
pub(crate) const MAX_SESSIONS: usize = 65_536;

/// Identifies a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    /// Id of the actor.
    pub actor: ActorId,
    /// Incarnation of the actor.
    pub incarnation: Incarnation,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    /// The sequence number that is stored next.
    next: u64,
    /// Sequence numbers below this may be sent; it never decreases.
    limit: u64,
    /// Grows with every use of any session.
    used: u64,
}

/// How an arriving trajectory is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the next one: store it.
    New,
    /// It arrived before: acknowledge it again.
    Duplicate,
    /// An earlier one is missing: the actor must send from there again.
    Gap,
    /// The actor has no credit for it.
    NoCredit,
}

/// The sessions of all actors. Sequence numbers count without gaps, so the next one is all that deduplication needs.
#[derive(Debug)]
pub(crate) struct Sessions {
    sessions: DashMap<SessionKey, Session>,
    credits: u64,
    uses: AtomicU64,
}

impl Sessions {
    pub(crate) fn new(credits: u32) -> Self {
        Sessions { sessions: DashMap::new(), credits: u64::from(credits), uses: AtomicU64::new(0) }
    }

    /// Restores a session after a restart: everything below `next` was stored.
    pub(crate) fn restore(&self, key: SessionKey, next: u64) {
        self.sessions.insert(key, Session { next, limit: next, used: self.use_one() });
    }

    /// Opens or finds the session of an actor whose oldest unacknowledged item is `first`.
    pub(crate) fn open(&self, key: SessionKey, first: SequenceNumber, may_insert: bool) -> Ack {
        if self.sessions.len() >= MAX_SESSIONS && !self.sessions.contains_key(&key) {
            self.forget_oldest();
        }
        let used = self.use_one();
        let mut session = self.sessions.entry(key).or_insert(Session { next: first.0, limit: first.0, used });
        session.next = session.next.max(first.0);
        session.limit = session.limit.max(session.next);
        session.used = used;
        session.grant(may_insert, self.credits)
    }

    /// Whether a session is remembered.
    pub(crate) fn knows(&self, key: SessionKey) -> bool {
        self.sessions.contains_key(&key)
    }

    /// Decides how an arrival is treated; a new one counts as stored from then on.
    pub(crate) fn arrive(&self, key: SessionKey, sequence: SequenceNumber) -> Arrival {
        let used = self.use_one();
        let Some(mut session) = self.sessions.get_mut(&key) else { return Arrival::Gap };
        session.used = used;
        match sequence.0.cmp(&session.next) {
            std::cmp::Ordering::Less => Arrival::Duplicate,
            std::cmp::Ordering::Greater => Arrival::Gap,
            std::cmp::Ordering::Equal if session.next >= session.limit => Arrival::NoCredit,
            std::cmp::Ordering::Equal => {
                session.next = session.next.saturating_add(1);
                Arrival::New
            }
        }
    }

    /// The acknowledgement for an actor, and whether it has all credits.
    pub(crate) fn acknowledge(&self, key: SessionKey, may_insert: bool) -> Option<(Ack, bool)> {
        self.sessions.get_mut(&key).map(|mut session| {
            let ack = session.grant(may_insert, self.credits);
            (ack, session.limit >= session.next.saturating_add(self.credits))
        })
    }

    /// An acknowledgement with more credits; none when the actor has all.
    pub(crate) fn refill(&self, key: SessionKey) -> Option<Ack> {
        let mut session = self.sessions.get_mut(&key)?;
        (session.limit < session.next.saturating_add(self.credits)).then(|| session.grant(true, self.credits))
    }

    fn use_one(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    /// Forgets a quarter of all sessions, so that this happens rarely.
    fn forget_oldest(&self) {
        let mut uses: Vec<_> = self.sessions.iter().map(|session| session.used).collect();
        let (_, boundary, _) = uses.select_nth_unstable(MAX_SESSIONS / 4);
        let boundary = *boundary;
        self.sessions.retain(|_, session| session.used > boundary);
    }
}

impl Session {
    fn grant(&mut self, may_insert: bool, credits: u64) -> Ack {
        if may_insert {
            self.limit = self.next.saturating_add(credits);
        }
        Ack { next: SequenceNumber(self.next), limit: SequenceNumber(self.limit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SessionKey = SessionKey { actor: ActorId(1), incarnation: Incarnation(2) };

    fn ack(next: u64, limit: u64) -> Ack {
        Ack { next: SequenceNumber(next), limit: SequenceNumber(limit) }
    }

    #[test]
    fn what_came_before_is_a_duplicate_and_what_skips_is_a_gap() {
        let sessions = Sessions::new(4);
        assert_eq!(sessions.arrive(KEY, SequenceNumber(0)), Arrival::Gap);
        assert_eq!(sessions.open(KEY, SequenceNumber(5), true), ack(5, 9));
        assert_eq!(sessions.arrive(KEY, SequenceNumber(5)), Arrival::New);
        assert_eq!(sessions.arrive(KEY, SequenceNumber(5)), Arrival::Duplicate);
        assert_eq!(sessions.arrive(KEY, SequenceNumber(7)), Arrival::Gap);
    }

    #[test]
    fn a_reconnecting_actor_is_told_what_had_arrived_also_by_a_restarted_shard() {
        let sessions = Sessions::new(4);
        sessions.open(KEY, SequenceNumber(0), true);
        for sequence in 0..3 {
            assert_eq!(sessions.arrive(KEY, SequenceNumber(sequence)), Arrival::New);
        }
        assert_eq!(sessions.open(KEY, SequenceNumber(1), true), ack(3, 7));
        let restarted = Sessions::new(4);
        restarted.restore(KEY, 3);
        assert_eq!(restarted.open(KEY, SequenceNumber(1), true), ack(3, 7));
    }

    #[test]
    fn credits_are_withheld_but_never_taken_back() {
        let sessions = Sessions::new(4);
        assert_eq!(sessions.open(KEY, SequenceNumber(0), false), ack(0, 0));
        assert_eq!(sessions.refill(KEY), Some(ack(0, 4)));
        assert_eq!(sessions.refill(KEY), None);
        assert_eq!(sessions.arrive(KEY, SequenceNumber(0)), Arrival::New);
        assert_eq!(sessions.acknowledge(KEY, false), Some((ack(1, 4), false)));
        assert_eq!(sessions.acknowledge(KEY, true), Some((ack(1, 5), true)));
    }

    #[test]
    fn the_last_number_of_all_is_no_way_round() {
        let sessions = Sessions::new(4);
        assert_eq!(sessions.open(KEY, SequenceNumber(u64::MAX), true), ack(u64::MAX, u64::MAX));
        assert_eq!(sessions.arrive(KEY, SequenceNumber(u64::MAX)), Arrival::NoCredit);
        assert_eq!(sessions.acknowledge(KEY, true), Some((ack(u64::MAX, u64::MAX), true)));
    }

    #[test]
    fn nothing_is_taken_beyond_the_credits() {
        let sessions = Sessions::new(2);
        sessions.open(KEY, SequenceNumber(0), true);
        let arrivals = [0, 1, 2].map(|sequence| sessions.arrive(KEY, SequenceNumber(sequence)));
        assert_eq!(arrivals, [Arrival::New, Arrival::New, Arrival::NoCredit]);
        assert_eq!(sessions.acknowledge(KEY, true), Some((ack(2, 4), true)));
        assert_eq!(sessions.arrive(KEY, SequenceNumber(2)), Arrival::New);
    }

    #[test]
    fn sessions_are_bounded_and_the_silent_go_first() {
        let sessions = Sessions::new(4);
        let key = |life: u64| SessionKey { actor: ActorId(0), incarnation: Incarnation(life) };
        for life in 0..MAX_SESSIONS as u64 {
            sessions.open(key(life), SequenceNumber(0), true);
        }
        assert_eq!(sessions.arrive(key(0), SequenceNumber(0)), Arrival::New);
        sessions.open(key(u64::MAX), SequenceNumber(0), true);
        assert!(sessions.sessions.len() <= MAX_SESSIONS);
        assert_eq!(sessions.arrive(key(1), SequenceNumber(0)), Arrival::Gap);
        assert_eq!(sessions.arrive(key(0), SequenceNumber(0)), Arrival::Duplicate);
    }
}
