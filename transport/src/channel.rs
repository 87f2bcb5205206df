//! A client's link to one server: connects, shakes hands, notices a loss, and tries again.

use std::time::{Duration, Instant};

use rand::Rng as _;

use crate::client::{Complaint, LinkOptions};
use crate::message::{Hello, Message, NotReady, Refused, Role, Welcome};
use crate::{Endpoint, Transport, TransportError, socket, wire};

/// What a link has to tell its owner.
#[derive(Debug)]
pub(crate) enum Event {
    /// The handshake succeeded, for the first time or after a loss.
    Ready(Welcome),
    /// The peer is gone, or has forgotten us; what it had not answered must be sent again.
    Lost,
    /// The peer does not want us.
    Refused(Refused),
    /// The learner has ended the run.
    Finished,
    /// Anything else.
    Message(Message, Vec<Vec<u8>>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// No socket until then.
    Away(Instant),
    /// Hello is to be said then.
    Shy(Instant),
    /// Hello was said.
    Greeting,
    /// Welcomed.
    Ready,
    /// Refused; nothing more happens.
    Refused,
}

/// How often a peer that is not ready is asked again.
const NOT_READY_PERIOD: Duration = Duration::from_millis(200);

pub(crate) struct Channel {
    transport: Transport,
    endpoint: Endpoint,
    server: Role,
    hello: Hello,
    options: LinkOptions,
    socket: Option<zmq::Socket>,
    state: State,
    /// Since when the peer owes us something.
    owed_since: Option<Instant>,
    last_sent: Instant,
    failures: u32,
    complaint: Complaint,
    reached: bool,
}

impl Channel {
    pub(crate) fn new(
        transport: &Transport,
        endpoint: &Endpoint,
        server: Role,
        hello: Hello,
        options: LinkOptions,
    ) -> Self {
        let now = Instant::now();
        Channel {
            transport: transport.clone(),
            endpoint: endpoint.clone(),
            server,
            hello,
            options,
            socket: None,
            state: State::Away(now),
            owed_since: None,
            last_sent: now,
            failures: 0,
            complaint: Complaint::new(options.complaint_period),
            reached: false,
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether the peer has ever answered.
    pub(crate) fn was_reached(&self) -> bool {
        self.reached
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    pub(crate) fn socket(&self) -> Option<&zmq::Socket> {
        self.socket.as_ref()
    }

    /// What the next hello will say.
    pub(crate) fn hello_mut(&mut self) -> &mut Hello {
        &mut self.hello
    }

    /// Sends without waiting; false when it was not taken (the link is not ready, or its queue is full).
    pub(crate) fn send(&mut self, message: &Message, bulk: Vec<Vec<u8>>) -> Result<bool, TransportError> {
        let mut frames = vec![wire::encode(message)?];
        frames.extend(bulk);
        Ok(self.is_ready() && self.send_frames(frames))
    }

    /// [`Channel::send`] for a message that is encoded already.
    pub(crate) fn send_encoded(&mut self, frames: Vec<Vec<u8>>) -> bool {
        self.is_ready() && self.send_frames(frames)
    }

    /// Does what is due and returns the next event, none when nothing more happens now. Never waits.
    pub(crate) fn step(&mut self) -> Result<Option<Event>, TransportError> {
        let now = Instant::now();
        match self.state {
            State::Refused => return Ok(None),
            State::Away(until) | State::Shy(until) if now >= until => self.greet(now)?,
            _ => {}
        }
        while let Some(frames) = self.receive() {
            self.owed_since = None;
            self.reached = true;
            match wire::decode(&frames) {
                Ok(message) => {
                    if let Some(event) = self.take(message, frames, now) {
                        return Ok(Some(event));
                    }
                }
                Err(error) => {
                    metrics::counter!("longshore_malformed_messages_total").increment(1);
                    tracing::warn!(endpoint = %self.endpoint, %error, "a message was dropped");
                }
            }
        }
        self.watch(now)
    }

    fn greet(&mut self, now: Instant) -> Result<(), TransportError> {
        if self.socket.is_none() {
            self.socket = Some(socket::connect(&self.transport, zmq::DEALER, &self.endpoint, self.server)?);
        }
        let hello = wire::encode(&Message::Hello(self.hello.clone()))?;
        self.send_frames(vec![hello]);
        self.state = State::Greeting;
        // A queue that is full owes us its progress just the same.
        self.owed_since.get_or_insert(now);
        Ok(())
    }

    fn take(&mut self, message: Message, frames: Vec<Vec<u8>>, now: Instant) -> Option<Event> {
        match message {
            Message::Welcome(welcome) if self.state == State::Greeting => {
                self.state = State::Ready;
                self.failures = 0;
                self.complaint.settle();
                tracing::debug!(endpoint = %self.endpoint, "connected");
                Some(Event::Ready(welcome))
            }
            Message::NotReady(NotReady { message }) => {
                let lost = self.is_ready();
                self.state = State::Shy(now + NOT_READY_PERIOD);
                if let Some(waited) = self.complaint.due(now) {
                    tracing::warn!(endpoint = %self.endpoint, ?waited, "the {} is not ready: {message}", self.server);
                }
                lost.then_some(Event::Lost)
            }
            Message::Refused(refused) => {
                self.state = State::Refused;
                Some(Event::Refused(refused))
            }
            Message::UnknownPeer(()) if self.state == State::Ready => {
                tracing::info!(endpoint = %self.endpoint, "the {} was restarted; saying hello again", self.server);
                self.state = State::Shy(now);
                Some(Event::Lost)
            }
            // Answers to what was sent before the last hello.
            Message::Welcome(_) | Message::UnknownPeer(()) => None,
            Message::RunFinished(()) => Some(Event::Finished),
            message => self.is_ready().then(|| Event::Message(message, frames.into_iter().skip(1).collect())),
        }
    }

    /// With nothing to read: is the peer late, is it time for a sign of life, is it time to complain?
    fn watch(&mut self, now: Instant) -> Result<Option<Event>, TransportError> {
        if self.owed_since.is_some_and(|since| now.duration_since(since) >= self.options.peer_timeout) {
            return Ok(self.abandon(now));
        }
        if self.is_ready() {
            if now.duration_since(self.last_sent) >= self.options.heartbeat {
                self.send(&Message::Ping(()), Vec::new())?;
            }
        } else if !matches!(self.state, State::Shy(_))
            && let Some(waited) = self.complaint.due(now)
        {
            tracing::warn!(endpoint = %self.endpoint, ?waited, "the {} cannot be reached, retrying", self.server);
        }
        Ok(None)
    }

    fn abandon(&mut self, now: Instant) -> Option<Event> {
        let lost = self.is_ready();
        if let Some(socket) = self.socket.take() {
            // What is queued for a peer that is gone would only delay our own end.
            let _ = socket.set_linger(0);
        }
        self.owed_since = None;
        self.failures += 1;
        self.state = State::Away(now + self.pause());
        metrics::counter!("longshore_links_lost_total").increment(1);
        if lost {
            tracing::warn!(endpoint = %self.endpoint, "the {} no longer answers", self.server);
        }
        lost.then_some(Event::Lost)
    }

    fn pause(&self) -> Duration {
        let doubled = self.options.backoff.saturating_mul(1 << self.failures.min(10));
        doubled.min(self.options.backoff_max).mul_f64(rand::rng().random_range(0.5..1.0))
    }

    fn send_frames(&mut self, frames: Vec<Vec<u8>>) -> bool {
        let now = Instant::now();
        self.owed_since.get_or_insert(now);
        self.last_sent = now;
        let Some(socket) = &self.socket else { return false };
        match socket::send(socket, frames) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(endpoint = %self.endpoint, %error, "not sent");
                false
            }
        }
    }

    fn receive(&self) -> Option<Vec<Vec<u8>>> {
        self.socket.as_ref()?.recv_multipart(zmq::DONTWAIT).ok()
    }
}

/// Waits until one of the links has something to read.
pub(crate) fn wait_any<'a>(channels: impl Iterator<Item = &'a Channel>, timeout: Duration) {
    let sockets: Vec<_> = channels.filter_map(Channel::socket).collect();
    socket::wait(&sockets, timeout);
}

/// The error that a refusal is.
pub(crate) fn refusal(endpoint: &Endpoint, refused: Refused) -> TransportError {
    TransportError::Refused {
        endpoint: endpoint.to_string(),
        reason: refused.reason,
        message: refused.message,
    }
}
