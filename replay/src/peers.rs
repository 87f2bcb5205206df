//! The peers of a shard's connections.
//!
//! The learner and each incarnation of an actor have one connection: a hello on another one replaces it. So there are no more
//! connections than sessions, however often peers reconnect, and whatever they say.

use std::collections::BTreeMap;

use common::ids::FencingToken;
use transport::PeerId;

use crate::sessions::SessionKey;

/// The peer of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Learner(FencingToken),
    Actor(SessionKey),
}

/// The connections, each with its peer. Invariant: `known` and `connections` hold the same pairs.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    known: BTreeMap<PeerId, Peer>,
    /// By session; none for the learner.
    connections: BTreeMap<Option<SessionKey>, PeerId>,
}

impl Peers {
    pub(crate) fn get(&self, id: &PeerId) -> Option<Peer> {
        self.known.get(id).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Notes the peer that has said hello on the connection `id`.
    pub(crate) fn greet(&mut self, id: &PeerId, peer: Peer) {
        self.forget(id);
        if let Some(former) = self.connections.insert(peer.session(), id.clone()) {
            self.known.remove(&former);
        }
        self.known.insert(id.clone(), peer);
    }

    /// Forgets a connection that is gone.
    pub(crate) fn forget(&mut self, id: &PeerId) {
        if let Some(peer) = self.known.remove(id) {
            self.connections.remove(&peer.session());
        }
    }

    /// Forgets the actors whose session is not `is_kept`.
    pub(crate) fn keep_actors(&mut self, is_kept: impl Fn(SessionKey) -> bool) {
        self.connections.retain(|session, _| session.is_none_or(&is_kept));
        self.known.retain(|_, peer| peer.session().is_none_or(&is_kept));
    }

    /// The actors, in the order of their connections.
    pub(crate) fn actors(&self) -> impl Iterator<Item = (&PeerId, SessionKey)> {
        self.known.iter().filter_map(|(id, peer)| peer.session().map(|session| (id, session)))
    }
}

impl Peer {
    fn session(self) -> Option<SessionKey> {
        match self {
            Peer::Learner(_) => None,
            Peer::Actor(session) => Some(session),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::ids::{ActorId, Incarnation};

    use super::*;

    fn id(number: u8) -> PeerId {
        PeerId::from(vec![number])
    }

    fn actor(number: u64) -> Peer {
        let session = SessionKey { actor: ActorId(number), incarnation: Incarnation(1) };
        Peer::Actor(session)
    }

    #[test]
    fn a_new_connection_takes_the_place_of_the_one_before() {
        let mut peers = Peers::default();
        let learner = |token| Peer::Learner(FencingToken(token));
        peers.greet(&id(0), learner(1));
        peers.greet(&id(1), actor(7));
        peers.greet(&id(2), actor(7));
        peers.greet(&id(3), learner(2));
        assert_eq!(peers.len(), 2);
        assert!(peers.get(&id(0)).is_none() && peers.get(&id(1)).is_none());
        assert_eq!(peers.get(&id(2)).unwrap(), actor(7));
        assert_eq!(peers.get(&id(3)).unwrap(), learner(2));
    }

    #[test]
    fn one_connection_is_one_peer_whoever_it_says_it_is() {
        let mut peers = Peers::default();
        peers.greet(&id(0), actor(7));
        peers.greet(&id(0), actor(8));
        peers.greet(&id(1), actor(7));
        assert_eq!(peers.actors().map(|(id, ..)| id.clone()).collect::<Vec<_>>(), [id(0), id(1)]);
        assert_eq!(peers.get(&id(0)).unwrap(), actor(8));
        peers.forget(&id(0));
        peers.keep_actors(|session| session.actor != ActorId(7));
        assert_eq!((peers.len(), peers.connections.len()), (0, 0));
    }
}
