//! A client's link to one server: it connects, performs the handshake, notices a loss, and connects again. It knows neither socket nor
//! clock: messages go through a [`Port`], and callers pass the time.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::envelope::WireError;
use crate::message::{Hello, Message, NotReady, Refusal, Refused, Role, Welcome};
use crate::options::{Complaint, LinkOptions};
use crate::port::Port;
use crate::{Endpoint, Frame, TransportError, wire};

/// What happened on a channel.
#[derive(Debug)]
pub(crate) enum ChannelEvent {
    /// The handshake succeeded, for the first time or after a loss.
    Ready(Welcome),
    /// The connection is gone, or the peer has restarted: what it had not answered must be sent again.
    Lost,
    /// The peer refused the handshake or a message.
    Refused(Refused),
    /// The learner has ended the run.
    RunFinished,
    /// Any other message, with the frames that follow its envelope.
    Message(Message, Vec<Frame>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// The connection is closed until this time.
    Closed(Duration),
    /// The connection is open, and `Hello` is sent at this time.
    Waiting(Duration),
    /// `Hello` was sent.
    Greeting,
    /// `Welcome` was received.
    Ready,
    /// The peer refused; nothing more is sent.
    Refused,
}

/// Peers answer within milliseconds. One that has not answered for this long is reported as silent.
const UNUSUAL: Duration = Duration::from_secs(1);
/// How often a port that does not open yet is tried again.
const OPENING_PERIOD: Duration = Duration::from_millis(20);
/// How often a peer that is not ready is asked again.
const NOT_READY_PERIOD: Duration = Duration::from_millis(200);

pub(crate) struct Channel<P> {
    port: P,
    endpoint: Endpoint,
    server: Role,
    hello: Hello,
    options: LinkOptions,
    state: State,
    /// When the oldest message was sent that the peer has not answered.
    owed_since: Option<Duration>,
    last_sent: Duration,
    failures: u32,
    complaint: Complaint,
    reached: bool,
    jitter: ChaCha8Rng,
}

impl<P: Port> Channel<P> {
    /// A link that begins to connect with the first step. `seed` draws the pauses between attempts.
    pub(crate) fn new(
        port: P,
        endpoint: &Endpoint,
        server: Role,
        hello: Hello,
        options: LinkOptions,
        seed: u64,
    ) -> Self {
        Channel {
            port,
            endpoint: endpoint.clone(),
            server,
            hello,
            options,
            state: State::Closed(Duration::ZERO),
            owed_since: None,
            last_sent: Duration::ZERO,
            failures: 0,
            complaint: Complaint::new(options.complaint_period),
            reached: false,
            jitter: ChaCha8Rng::seed_from_u64(seed),
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

    pub(crate) fn port(&self) -> &P {
        &self.port
    }

    pub(crate) fn port_mut(&mut self) -> &mut P {
        &mut self.port
    }

    /// The next `Hello`.
    pub(crate) fn hello_mut(&mut self) -> &mut Hello {
        &mut self.hello
    }

    /// Queues a message without waiting; false when it was not accepted (the link is not ready, or its queue is full).
    pub(crate) fn send(
        &mut self,
        message: &Message,
        bulk: Vec<Frame>,
        now: Duration,
    ) -> Result<bool, TransportError> {
        let frames = wire::pack(message, bulk)?;
        Ok(self.is_ready() && self.send_frames(frames, now))
    }

    /// Does what is due and returns the next event; none when there is no other for now. Never waits.
    pub(crate) fn step(&mut self, now: Duration) -> Result<Option<ChannelEvent>, TransportError> {
        match self.state {
            State::Refused => return Ok(None),
            State::Closed(until) | State::Waiting(until) if now >= until => self.greet(now)?,
            _ => {}
        }
        while let Some(frames) = self.port.receive() {
            self.reached = true;
            // After `Hello` only an answer to it counts, not one to an earlier message.
            if self.state != State::Greeting {
                self.owed_since = None;
            }
            match wire::decode(&frames) {
                Ok(message) => {
                    if let Some(event) = self.take(message, frames, now) {
                        return Ok(Some(event));
                    }
                }
                // A peer of another version answers in its own protocol.
                Err(error @ WireError::Protocol { .. }) if self.state == State::Greeting => {
                    self.state = State::Refused;
                    let refused = Refused { reason: Refusal::Protocol, message: error.to_string() };
                    return Ok(Some(ChannelEvent::Refused(refused)));
                }
                Err(error) => {
                    metrics::counter!("longshore_malformed_messages_total").increment(1);
                    tracing::warn!(endpoint = %self.endpoint, %error, "a message was dropped");
                }
            }
        }
        self.check_liveness(now)
    }

    fn greet(&mut self, now: Duration) -> Result<(), TransportError> {
        if !self.port.is_open() {
            self.port.open()?;
        }
        if !self.port.is_open() {
            self.state = State::Closed(now + OPENING_PERIOD);
            return Ok(());
        }
        let hello = wire::encode(&Message::Hello(self.hello.clone()))?;
        self.send_frames(vec![hello.into()], now);
        self.state = State::Greeting;
        // Where the queue is full, the peer is late all the same if nothing moves.
        self.owed_since.get_or_insert(now);
        Ok(())
    }

    fn take(&mut self, message: Message, frames: Vec<Frame>, now: Duration) -> Option<ChannelEvent> {
        match message {
            Message::Welcome(welcome) if self.state == State::Greeting => {
                self.state = State::Ready;
                self.owed_since = None;
                if self.failures > 0 {
                    tracing::info!(endpoint = %self.endpoint, "the {} is back", self.server);
                }
                self.failures = 0;
                self.complaint.settle();
                tracing::debug!(endpoint = %self.endpoint, "connected");
                Some(ChannelEvent::Ready(welcome))
            }
            Message::NotReady(NotReady { message }) => {
                let lost = self.is_ready();
                self.state = State::Waiting(now + NOT_READY_PERIOD);
                self.owed_since = None;
                if let Some(waited) = self.complaint.due(now) {
                    tracing::warn!(endpoint = %self.endpoint, ?waited, "the {} is not ready: {message}", self.server);
                }
                lost.then_some(ChannelEvent::Lost)
            }
            Message::Refused(refused) => {
                self.state = State::Refused;
                Some(ChannelEvent::Refused(refused))
            }
            Message::UnknownPeer(()) if self.state == State::Ready => {
                tracing::info!(endpoint = %self.endpoint, "the {} has restarted; saying hello again", self.server);
                self.state = State::Waiting(now);
                Some(ChannelEvent::Lost)
            }
            // Answers to messages from before the last `Hello`.
            Message::Welcome(_) | Message::UnknownPeer(()) => None,
            Message::RunFinished(()) => Some(ChannelEvent::RunFinished),
            message => {
                self.is_ready().then(|| ChannelEvent::Message(message, frames.into_iter().skip(1).collect()))
            }
        }
    }

    /// Nothing was received: gives up a peer that is late, or sends a ping, or logs that the peer is unreachable, where due.
    fn check_liveness(&mut self, now: Duration) -> Result<Option<ChannelEvent>, TransportError> {
        if self.owed_since.is_some_and(|since| now.saturating_sub(since) >= self.options.peer_timeout) {
            return Ok(self.abandon(now));
        }
        if self.is_ready() {
            if now.saturating_sub(self.last_sent) >= self.options.heartbeat {
                self.send(&Message::Ping(()), Vec::new(), now)?;
            }
        } else if !matches!(self.state, State::Waiting(_))
            && let Some(waited) = self.complaint.due(now)
        {
            let obstacle = self.port.obstacle().unwrap_or("it does not answer");
            tracing::warn!(endpoint = %self.endpoint, ?waited, "the {} is unreachable, retrying: {obstacle}", self.server);
        }
        Ok(None)
    }

    /// How long the peer has not answered, where that is unusually long.
    pub(crate) fn silent_for(&self, now: Duration) -> Option<Duration> {
        let silent = now.saturating_sub(self.owed_since?);
        (silent >= UNUSUAL).then_some(silent)
    }

    /// Asks a peer that has refused again, after a while.
    pub(crate) fn ask_again(&mut self, now: Duration) {
        self.port.close();
        self.owed_since = None;
        self.state = State::Closed(now + self.options.complaint_period);
    }

    /// Closes the connection and makes a new one after a pause.
    pub(crate) fn reconnect(&mut self, now: Duration) {
        self.abandon(now);
    }

    /// The error for a refusal of this peer.
    pub(crate) fn refusal(&self, Refused { reason, message }: Refused) -> TransportError {
        TransportError::Refused { endpoint: self.endpoint.to_string(), reason, message }
    }

    /// Closes the connection until the next attempt is due.
    fn abandon(&mut self, now: Duration) -> Option<ChannelEvent> {
        let lost = self.is_ready();
        self.port.close();
        self.owed_since = None;
        self.failures += 1;
        self.state = State::Closed(now + self.pause());
        metrics::counter!("longshore_links_lost_total").increment(1);
        if lost {
            tracing::warn!(endpoint = %self.endpoint, "the {} no longer answers", self.server);
        }
        lost.then_some(ChannelEvent::Lost)
    }

    fn pause(&mut self) -> Duration {
        let doubled = self.options.backoff.saturating_mul(1 << self.failures.min(10));
        doubled.min(self.options.backoff_max).mul_f64(self.jitter.random_range(0.5..1.0))
    }

    fn send_frames(&mut self, frames: Vec<Frame>, now: Duration) -> bool {
        self.owed_since.get_or_insert(now);
        self.last_sent = now;
        self.port.send(frames)
    }
}
