use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::ids::{PolicyVersion, SequenceNumber};

use super::endpoints::WeightsEndpoints;
use crate::digest::BulkDigest;
use crate::domain::Domain;
use crate::message::{Announcement, Hello, Message, NotReady, Refusal, Refused, Role, Weights, Welcome};
use crate::sampler::LearnerIdentity;
use crate::server::{Delivery, Incoming, PeerId, Received, Server, ThreadSender};
use crate::{Frame, Transport, TransportError, socket, wire};

/// Announcements are repeated, for subscribers that came late or lost one.
const ANNOUNCE_PERIOD: Duration = Duration::from_secs(1);
/// Most connections that are remembered. Lost ones are only noticed when something is sent to them, so at this number all are
/// forgotten, and peers that are still there say hello again.
const MAX_PEERS: usize = 16_384;
/// After the end of the run, how long peers that still ask are told of it.
const FAREWELL: Duration = Duration::from_millis(500);

/// Publishes versions from a thread of its own until it is dropped.
#[derive(Debug)]
pub struct WeightsPublisher {
    shared: Arc<Mutex<Shared>>,
    sender: ThreadSender,
    endpoints: WeightsEndpoints,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    newest: Option<Published>,
    finished: bool,
    stopped: bool,
}

#[derive(Clone, Debug)]
struct Published {
    version: PolicyVersion,
    weights: Frame,
    digest: BulkDigest,
}

impl WeightsPublisher {
    /// Binds both addresses and begins to answer.
    ///
    /// # Errors
    /// [`TransportError::InsecureBind`], [`TransportError::Bind`], [`TransportError::Socket`], [`TransportError::Thread`].
    pub fn bind(
        transport: &Transport,
        endpoints: &WeightsEndpoints,
        identity: LearnerIdentity,
    ) -> Result<Self, TransportError> {
        let announce = socket::bind(transport, zmq::PUB, &endpoints.announce, Domain::Weights)?;
        let server = Server::bind(transport, &endpoints.pull, Domain::Weights)?;
        let bound = WeightsEndpoints {
            announce: match announce.get_last_endpoint() {
                Ok(Ok(text)) => text.parse()?,
                _ => endpoints.announce.clone(),
            },
            pull: server.endpoint().clone(),
        };
        let sender = server.sender()?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let service = Service {
            announce,
            server,
            identity,
            shared: Arc::clone(&shared),
            peers: HashSet::new(),
            announced: None,
        };
        let thread = std::thread::Builder::new()
            .name("weights".to_owned())
            .spawn(move || service.run())
            .map_err(|source| TransportError::Thread { name: "weights", source })?;
        Ok(WeightsPublisher { shared, sender, endpoints: bound, thread: Some(thread) })
    }

    /// Where it is bound, with the ports that the system chose for `*`.
    #[must_use]
    pub fn endpoints(&self) -> &WeightsEndpoints {
        &self.endpoints
    }

    /// Makes `version` the newest.
    pub fn publish(&self, version: PolicyVersion, weights: Arc<Vec<u8>>) {
        let weights = Frame::from(weights.as_slice());
        let digest = BulkDigest::of(&weights);
        self.lock().newest = Some(Published { version, weights, digest });
        self.sender.wake();
    }

    /// Tells actors and shards that the run has ended.
    pub fn finish(&self) {
        self.lock().finished = true;
        self.sender.wake();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WeightsPublisher {
    fn drop(&mut self) {
        self.lock().stopped = true;
        self.sender.wake();
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and then there is nothing to wait for.
            let _ = thread.join();
        }
    }
}

struct Service {
    announce: zmq::Socket,
    server: Server,
    identity: LearnerIdentity,
    shared: Arc<Mutex<Shared>>,
    peers: HashSet<PeerId>,
    announced: Option<(Option<PolicyVersion>, bool, Instant)>,
}

impl Service {
    fn run(mut self) {
        let mut stop_at: Option<Instant> = None;
        loop {
            if let Received::Message(incoming) = self.server.receive(ANNOUNCE_PERIOD / 10)
                && let Err(error) = self.answer(*incoming)
            {
                tracing::warn!(%error, "a peer could not be answered");
            }
            self.announce_if_due();
            let (stopped, finished) = {
                let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
                (shared.stopped, shared.finished)
            };
            if stopped {
                // Peers that ask once more must hear that the run has ended.
                let patience = if finished { FAREWELL } else { Duration::ZERO };
                if Instant::now() >= *stop_at.get_or_insert_with(|| Instant::now() + patience) {
                    return;
                }
            }
        }
    }

    fn newest(&self) -> (Option<Published>, bool) {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        (shared.newest.clone(), shared.finished)
    }

    fn announce_if_due(&mut self) {
        let (newest, finished) = self.newest();
        let state = (newest.as_ref().map(|published| published.version), finished);
        let fresh = self.announced.is_none_or(|(version, was_finished, _)| (version, was_finished) != state);
        if !fresh && self.announced.is_some_and(|(_, _, last)| last.elapsed() < ANNOUNCE_PERIOD) {
            return;
        }
        self.announced = Some((state.0, state.1, Instant::now()));
        let message = match (finished, state.0) {
            (true, _) => Message::RunFinished(()),
            (false, Some(version)) => Message::Announcement(Announcement { run: self.identity.run, version }),
            (false, None) => return,
        };
        if finished && fresh {
            self.tell_peers(&message);
        }
        let sent = wire::encode(&message).map(|bytes| socket::send(&mut self.announce, &[bytes.into()]));
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("an announcement could not be sent");
        }
    }

    fn tell_peers(&mut self, message: &Message) {
        let server = &mut self.server;
        self.peers.retain(|peer| matches!(send(server, peer, message, Vec::new()), Ok(Delivery::Sent)));
    }

    fn answer(&mut self, incoming: Incoming) -> Result<(), TransportError> {
        let Incoming { peer, role, message, .. } = incoming;
        let (newest, finished) = self.newest();
        let mut bulk = Vec::new();
        let reply = match message {
            Message::Hello(hello) => self.greet(&peer, role, &hello),
            _ if !self.peers.contains(&peer) => Message::UnknownPeer(()),
            _ if finished => Message::RunFinished(()),
            Message::Pull(pull) => match newest {
                Some(published) if pull.have.is_none_or(|have| published.version > have) => {
                    bulk.push(published.weights.clone());
                    metrics::counter!("longshore_weights_sent_total").increment(1);
                    Message::Weights(Weights { version: published.version, weights: published.digest })
                }
                _ => Message::Pong(()),
            },
            _ => Message::Pong(()),
        };
        if send(&mut self.server, &peer, &reply, bulk)? == Delivery::Gone {
            self.peers.remove(&peer);
        }
        metrics::gauge!("longshore_weights_peers").set(self.peers.len() as f64);
        Ok(())
    }

    fn greet(&mut self, peer: &PeerId, proven: Option<Role>, hello: &Hello) -> Message {
        let refuse = |reason, message: String| Message::Refused(Refused { reason, message });
        if proven.is_some_and(|role| role != hello.role) || hello.role == Role::Learner {
            return refuse(
                Refusal::WrongRole,
                format!("a {} may not follow weights with this key", hello.role),
            );
        }
        if hello.schema != self.identity.schema {
            return refuse(Refusal::OtherSchema, "observation or action schemas differ".to_owned());
        }
        if hello.run.is_some_and(|run| run != self.identity.run) {
            return refuse(Refusal::OtherRun, format!("this learner serves run {}", self.identity.run));
        }
        if self.newest().0.is_none() {
            return Message::NotReady(NotReady { message: "no weights were published yet".to_owned() });
        }
        if self.peers.len() >= MAX_PEERS {
            self.peers.clear();
        }
        self.peers.insert(peer.clone());
        Message::Welcome(Welcome {
            run: self.identity.run,
            shard: None,
            next: SequenceNumber(0),
            limit: SequenceNumber(0),
        })
    }
}

fn send(
    server: &mut Server,
    peer: &PeerId,
    message: &Message,
    bulk: Vec<Frame>,
) -> Result<Delivery, TransportError> {
    Ok(server.send(peer, wire::pack(message, bulk)?))
}
