//! The server's end of links: one bound socket that many peers connect to.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::domain::Domain;
use crate::envelope::WireError;
use crate::message::{Message, Role};
use crate::poll::wait;
use crate::{Endpoint, Frame, Transport, TransportError, socket, wire};

const COMPLAINT_PERIOD: Duration = Duration::from_secs(1);
/// Malformed messages that are read in a row before the caller goes on: rubbish must not delay other work.
const MALFORMED_AT_ONCE: usize = 256;

/// What other threads send is bounded by what they hold. A limit of the queue would drop the answers of a thread that was
/// delayed and then has many at once.
const NO_QUEUE_LIMIT: i32 = 0;

/// Identifies one connection of a peer; after a reconnection the peer has another.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(Vec<u8>);

impl fmt::Debug for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PeerId({:02x?})", self.0)
    }
}

/// A message with its sender.
#[derive(Debug)]
pub struct Incoming {
    /// The connection of the sender.
    pub peer: PeerId,
    /// The role that the peer's key proves; none without CURVE.
    pub role: Option<Role>,
    /// Decoded message.
    pub message: Message,
    /// The frames behind the envelope.
    pub bulk: Vec<Frame>,
    /// The envelope as received.
    pub envelope: Frame,
}

impl Incoming {
    /// Bytes of all frames of the message.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.envelope.len() + self.bulk.iter().map(|frame| frame.len()).sum::<usize>()
    }
}

impl PeerId {
    /// The identity of the connection, as ZeroMQ puts it before each message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for PeerId {
    fn from(identity: Vec<u8>) -> Self {
        PeerId(identity)
    }
}

/// What ended a wait.
#[derive(Debug)]
pub enum Received {
    /// A message of a peer.
    Message(Box<Incoming>),
    /// A [`ThreadSender`] woke the server.
    Woken,
    /// The timeout passed without a message.
    Nothing,
}

/// What happened to a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is queued for the peer.
    Sent,
    /// The connection is gone; it will not come back under this id.
    Gone,
    /// The queue is full because the peer does not read; the message was dropped.
    Full,
}

/// A bound socket, owned by one thread.
pub struct Server {
    router: zmq::Socket,
    senders: zmq::Socket,
    sender_address: String,
    transport: Transport,
    endpoint: Endpoint,
    complained: Option<Instant>,
    gone: Vec<PeerId>,
}

impl Server {
    /// Binds a replay shard's socket: learner and actors may connect.
    ///
    /// # Errors
    /// [`TransportError::InsecureBind`], [`TransportError::Bind`], [`TransportError::Socket`].
    pub fn bind_shard(transport: &Transport, endpoint: &Endpoint) -> Result<Self, TransportError> {
        Server::bind(transport, endpoint, Domain::Shard)
    }

    pub(crate) fn bind(
        transport: &Transport,
        endpoint: &Endpoint,
        domain: Domain,
    ) -> Result<Self, TransportError> {
        static SENDERS: AtomicU64 = AtomicU64::new(0);
        let router = socket::bind(transport, zmq::ROUTER, endpoint, domain)?;
        let sender_address = format!("inproc://longshore.sender.{}", SENDERS.fetch_add(1, Ordering::Relaxed));
        let senders =
            transport.context().socket(zmq::PULL).map_err(TransportError::socket("open", &sender_address))?;
        senders.set_rcvhwm(NO_QUEUE_LIMIT).map_err(TransportError::socket("set up", &sender_address))?;
        senders.bind(&sender_address).map_err(TransportError::socket("bind", &sender_address))?;
        let endpoint = match router.get_last_endpoint() {
            Ok(Ok(text)) => text.parse()?,
            _ => endpoint.clone(),
        };
        let transport = transport.clone();
        Ok(Server {
            router,
            senders,
            sender_address,
            transport,
            endpoint,
            complained: None,
            gone: Vec::new(),
        })
    }

    /// Where it is bound, with the port that the system chose for `*`.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Lets another thread send through this socket.
    ///
    /// # Errors
    /// [`TransportError::Socket`].
    pub fn sender(&self) -> Result<ThreadSender, TransportError> {
        let fail = |operation| TransportError::socket(operation, &self.sender_address);
        let socket = self.transport.context().socket(zmq::PUSH).map_err(fail("open"))?;
        socket.set_linger(0).map_err(fail("set up"))?;
        socket.set_sndhwm(NO_QUEUE_LIMIT).map_err(fail("set up"))?;
        socket.connect(&self.sender_address).map_err(fail("connect to"))?;
        Ok(ThreadSender { socket })
    }

    /// Waits for the next message, and meanwhile passes on what other threads send. Malformed messages are counted and dropped.
    pub fn receive(&mut self, timeout: Duration) -> Received {
        wait(&[&self.router, &self.senders], timeout);
        let mut woken = false;
        while let Some(mut frames) = socket::receive(&self.senders) {
            if frames.len() < 2 {
                woken = true;
            } else {
                let peer = PeerId(frames.remove(0).to_vec());
                if self.send(&peer, frames) == Delivery::Gone {
                    self.gone.push(peer);
                }
            }
        }
        if woken {
            return Received::Woken;
        }
        self.try_receive().map_or(Received::Nothing, |incoming| Received::Message(Box::new(incoming)))
    }

    /// Connections that other threads sent to and that were gone, since the last call.
    pub fn take_gone(&mut self) -> Vec<PeerId> {
        std::mem::take(&mut self.gone)
    }

    /// Sends a message that is packed already ([`wire::pack`]), without waiting.
    pub fn send(&mut self, peer: &PeerId, frames: Vec<Frame>) -> Delivery {
        let mut all = Vec::with_capacity(frames.len() + 1);
        all.push(Frame::from(peer.0.as_slice()));
        all.extend(frames);
        match socket::send(&mut self.router, &all) {
            Ok(()) => Delivery::Sent,
            Err(zmq::Error::EAGAIN) => {
                metrics::counter!("longshore_messages_dropped_total", "reason" => "queue full").increment(1);
                Delivery::Full
            }
            Err(_) => Delivery::Gone,
        }
    }

    /// The next message, when there is one; never waits. None after many malformed ones in a row, too.
    pub fn try_receive(&mut self) -> Option<Incoming> {
        for _ in 0..MALFORMED_AT_ONCE {
            let mut role = None;
            let mut frames = socket::receive_and(&self.router, |place, frame| {
                if place == 1 {
                    role = frame.gets("User-Id").and_then(Role::from_name);
                }
            })?;
            let peer = PeerId(frames.remove(0).to_vec());
            match wire::decode(&frames) {
                Ok(message) => {
                    let mut frames = frames.into_iter();
                    // Decoding has checked that there is one.
                    let envelope = frames.next()?;
                    return Some(Incoming { peer, role, message, bulk: frames.collect(), envelope });
                }
                Err(error) => {
                    if matches!(error, WireError::Protocol { .. }) {
                        self.send_protocol(&peer);
                    }
                    self.log_malformed(&peer, &error);
                }
            }
        }
        None
    }

    /// Answers a peer of another version with a message whose envelope shows the protocol of this program.
    fn send_protocol(&mut self, peer: &PeerId) {
        if let Ok(frames) = wire::pack(&Message::UnknownPeer(()), Vec::new()) {
            self.send(peer, frames);
        }
    }

    /// A peer may send rubbish as fast as the network carries it: it is logged once a second.
    fn log_malformed(&mut self, peer: &PeerId, error: &wire::WireError) {
        metrics::counter!("longshore_malformed_messages_total").increment(1);
        if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_PERIOD) {
            self.complained = Some(Instant::now());
            tracing::warn!(endpoint = %self.endpoint, ?peer, %error, "a message was dropped");
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Sends through a [`Server`]'s socket from another thread.
pub struct ThreadSender {
    socket: zmq::Socket,
}

impl ThreadSender {
    /// Hands a packed message ([`wire::pack`]) to the server's thread, which sends it when it next waits.
    ///
    /// # Errors
    /// [`TransportError::Socket`] when the server is gone.
    pub fn send(&mut self, peer: &PeerId, frames: Vec<Frame>) -> Result<(), TransportError> {
        let mut all = Vec::with_capacity(frames.len() + 1);
        all.push(Frame::from(peer.0.as_slice()));
        all.extend(frames);
        socket::send(&mut self.socket, &all).map_err(TransportError::socket("send to", "the server's thread"))
    }

    /// Ends the server's wait.
    pub fn wake(&self) {
        // A server that is gone need not wake.
        let _ = self.socket.send(Vec::new(), zmq::DONTWAIT);
    }
}

impl fmt::Debug for ThreadSender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ThreadSender").finish_non_exhaustive()
    }
}
