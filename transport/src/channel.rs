//! A client's link to one server: connects, shakes hands, notices a loss, and tries again. It knows neither socket nor
//! clock: messages go through a [`Port`], and the time is told.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::client::{Complaint, LinkOptions};
use crate::message::{Hello, Message, NotReady, Refusal, Refused, Role, Welcome};
use crate::port::Port;
use crate::wire::WireError;
use crate::{Endpoint, Frame, TransportError, wire};

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
    Message(Message, Vec<Frame>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// No socket until then.
    Away(Duration),
    /// Hello is to be said then.
    Shy(Duration),
    /// Hello was said.
    Greeting,
    /// Welcomed.
    Ready,
    /// Refused; nothing more happens.
    Refused,
}

/// Peers answer within milliseconds.
const UNUSUAL: Duration = Duration::from_secs(1);
/// How often a peer that is not ready is asked again.
const NOT_READY_PERIOD: Duration = Duration::from_millis(200);

pub(crate) struct Channel<P> {
    port: P,
    endpoint: Endpoint,
    server: Role,
    hello: Hello,
    options: LinkOptions,
    state: State,
    /// Since when the peer owes us something.
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
            state: State::Away(Duration::ZERO),
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

    /// What the next hello will say.
    pub(crate) fn hello_mut(&mut self) -> &mut Hello {
        &mut self.hello
    }

    /// Sends without waiting; false when it was not taken (the link is not ready, or its queue is full).
    pub(crate) fn send(
        &mut self,
        message: &Message,
        bulk: Vec<Frame>,
        now: Duration,
    ) -> Result<bool, TransportError> {
        let frames = wire::pack(message, bulk)?;
        Ok(self.is_ready() && self.send_frames(frames, now))
    }

    /// Does what is due and returns the next event, none when nothing more happens now. Never waits.
    pub(crate) fn step(&mut self, now: Duration) -> Result<Option<Event>, TransportError> {
        match self.state {
            State::Refused => return Ok(None),
            State::Away(until) | State::Shy(until) if now >= until => self.greet(now)?,
            _ => {}
        }
        while let Some(frames) = self.port.receive() {
            self.reached = true;
            // Whoever has said hello is owed an answer to that; what was sent before does not count.
            if self.state != State::Greeting {
                self.owed_since = None;
            }
            match wire::decode(&frames) {
                Ok(message) => {
                    if let Some(event) = self.take(message, frames, now) {
                        return Ok(Some(event));
                    }
                }
                // The peer answers a hello that it cannot read in its own protocol.
                Err(error @ WireError::Protocol { .. }) if self.state == State::Greeting => {
                    self.state = State::Refused;
                    let refused = Refused { reason: Refusal::Protocol, message: error.to_string() };
                    return Ok(Some(Event::Refused(refused)));
                }
                Err(error) => {
                    metrics::counter!("longshore_malformed_messages_total").increment(1);
                    tracing::warn!(endpoint = %self.endpoint, %error, "a message was dropped");
                }
            }
        }
        self.watch(now)
    }

    fn greet(&mut self, now: Duration) -> Result<(), TransportError> {
        if !self.port.is_open() {
            self.port.open()?;
        }
        let hello = wire::encode(&Message::Hello(self.hello.clone()))?;
        self.send_frames(vec![hello.into()], now);
        self.state = State::Greeting;
        // A queue that is full owes us its progress just the same.
        self.owed_since.get_or_insert(now);
        Ok(())
    }

    fn take(&mut self, message: Message, frames: Vec<Frame>, now: Duration) -> Option<Event> {
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
                Some(Event::Ready(welcome))
            }
            Message::NotReady(NotReady { message }) => {
                let lost = self.is_ready();
                self.state = State::Shy(now + NOT_READY_PERIOD);
                self.owed_since = None;
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
    fn watch(&mut self, now: Duration) -> Result<Option<Event>, TransportError> {
        if self.owed_since.is_some_and(|since| now.saturating_sub(since) >= self.options.peer_timeout) {
            return Ok(self.abandon(now));
        }
        if self.is_ready() {
            if now.saturating_sub(self.last_sent) >= self.options.heartbeat {
                self.send(&Message::Ping(()), Vec::new(), now)?;
            }
        } else if !matches!(self.state, State::Shy(_))
            && let Some(waited) = self.complaint.due(now)
        {
            tracing::warn!(endpoint = %self.endpoint, ?waited, "the {} cannot be reached, retrying", self.server);
        }
        Ok(None)
    }

    /// Since when the peer owes an answer, if that is unusually long.
    pub(crate) fn silent_for(&self, now: Duration) -> Option<Duration> {
        let silent = now.saturating_sub(self.owed_since?);
        (silent >= UNUSUAL).then_some(silent)
    }

    /// Asks a peer that has refused once more, after a while.
    pub(crate) fn ask_again(&mut self, now: Duration) {
        self.port.close();
        self.owed_since = None;
        self.state = State::Away(now + self.options.complaint_period);
    }

    /// Gives the connection up and makes a new one.
    pub(crate) fn reconnect(&mut self, now: Duration) {
        self.abandon(now);
    }

    fn abandon(&mut self, now: Duration) -> Option<Event> {
        let lost = self.is_ready();
        self.port.close();
        self.owed_since = None;
        self.failures += 1;
        self.state = State::Away(now + self.pause());
        metrics::counter!("longshore_links_lost_total").increment(1);
        if lost {
            tracing::warn!(endpoint = %self.endpoint, "the {} no longer answers", self.server);
        }
        lost.then_some(Event::Lost)
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

/// Whether at least one of the shards was ever reached, or may still be before `deadline`.
pub(crate) fn check_reached<'a, P: Port + 'a>(
    channels: impl Iterator<Item = &'a Channel<P>> + Clone,
    now: Duration,
    deadline: Duration,
) -> Result<(), TransportError> {
    if now < deadline || channels.clone().any(Channel::was_reached) {
        return Ok(());
    }
    let endpoints: Vec<_> = channels.map(|channel| channel.endpoint().as_str()).collect();
    let (what, endpoints) = ("every replay shard", endpoints.join(", "));
    Err(TransportError::Unreachable { what, endpoints, after: deadline })
}

/// What a refusal means to who has other shards as well: one that comes up for another run, say with another's folder, is
/// as good as away; it is warned of and asked again.
pub(crate) fn tolerable(endpoint: &Endpoint, refused: &Refused, others: bool) -> bool {
    let of_the_shard = matches!(refused.reason, Refusal::OtherRun | Refusal::OtherSchema | Refusal::Protocol);
    if others && of_the_shard {
        tracing::warn!(%endpoint, reason = %refused.reason, "going on without a shard that refuses: {}", refused.message);
    }
    others && of_the_shard
}

/// The error that a refusal is.
pub(crate) fn refusal(endpoint: &Endpoint, refused: Refused) -> TransportError {
    TransportError::Refused {
        endpoint: endpoint.to_string(),
        reason: refused.reason,
        message: refused.message,
    }
}
