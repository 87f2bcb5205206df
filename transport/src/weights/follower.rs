use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{Digest, PolicyVersion, RunId};

use super::{VersionedWeights, WeightsEndpoints};
use crate::channel::{Channel, Event, refusal};
use crate::client::LinkOptions;
use crate::message::{Hello, Message, Pull, Role, Weights};
use crate::port::SocketPort;
use crate::{Frame, Transport, TransportError, socket, wire};

const POLL: Duration = Duration::from_millis(20);
/// Announcements can be lost; without one the newest is asked for this often.
const UNASKED_PULL: Duration = Duration::from_secs(3);

/// With shards that relay, so long is waited for them before the learner is asked itself.
const RELAY_PATIENCE: Duration = Duration::from_secs(1);

/// Follows the learner's newest weights, across restarts of the learner.
pub struct WeightsFollower {
    transport: Transport,
    endpoints: WeightsEndpoints,
    announcements: zmq::Socket,
    channel: Channel<SocketPort>,
    epoch: Instant,
    shutdown: Shutdown,
    options: LinkOptions,
    announced: Option<PolicyVersion>,
    have: Option<PolicyVersion>,
    received: Option<VersionedWeights>,
    /// Whether shards are asked first, and since when they are.
    relayed: bool,
    asked_shards: Option<Instant>,
    /// When the newest was last asked for, and whether the answer is still out.
    pulled: Option<Instant>,
    pulling: bool,
    run: Option<RunId>,
    finished: bool,
}

impl WeightsFollower {
    /// Connects, and waits for a learner that has something to follow.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] after `options.reach_deadline`, [`TransportError::Refused`],
    /// [`TransportError::Interrupted`], [`TransportError::RunFinished`].
    pub fn connect(
        transport: &Transport,
        endpoints: &WeightsEndpoints,
        role: Role,
        schema: Digest,
        options: LinkOptions,
        shutdown: &Shutdown,
    ) -> Result<(Self, RunId), TransportError> {
        let hello = Hello::new(role, schema);
        let port = SocketPort::new(transport, &endpoints.pull, Role::Learner);
        let mut follower = WeightsFollower {
            transport: transport.clone(),
            endpoints: endpoints.clone(),
            announcements: socket::connect(transport, zmq::SUB, &endpoints.announce, Role::Learner)?,
            channel: Channel::new(port, &endpoints.pull, Role::Learner, hello, options, rand::random()),
            epoch: Instant::now(),
            shutdown: shutdown.clone(),
            options,
            announced: None,
            have: None,
            received: None,
            relayed: false,
            asked_shards: None,
            pulled: None,
            pulling: false,
            run: None,
            finished: false,
        };
        let started = Instant::now();
        loop {
            follower.advance()?;
            if let Some(run) = follower.run {
                return Ok((follower, run));
            }
            follower.check(started)?;
            follower.wait();
        }
    }

    /// The newest weights, when they are newer than the last ones returned; versions in between are skipped. Never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn newest(&mut self) -> Result<Option<VersionedWeights>, TransportError> {
        self.advance()?;
        Ok(self.received.take())
    }

    /// Waits for weights newer than `than` and than any returned before; none at the timeout or when the run has
    /// finished.
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::Interrupted`].
    pub fn wait_newer(
        &mut self,
        than: Option<PolicyVersion>,
        timeout: Duration,
    ) -> Result<Option<VersionedWeights>, TransportError> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.newest()? {
                Some((version, weights)) if than.is_none_or(|than| version > than) => {
                    return Ok(Some((version, weights)));
                }
                _ if self.finished || Instant::now() >= deadline => return Ok(None),
                _ if self.shutdown.is_triggered() => return Err(TransportError::Interrupted),
                _ => self.wait(),
            }
        }
    }

    /// From now on the learner is asked for weights only when shards do not give them: see
    /// [`WeightsFollower::wanted`].
    pub fn ask_shards_first(&mut self) {
        self.relayed = true;
    }

    /// What a shard is to be asked for ([`crate::TrajectoryWriter::ask_weights`]), when newer weights were announced.
    pub fn wanted(&mut self) -> Option<Pull> {
        if !self.relayed || self.announced <= self.have {
            self.asked_shards = None;
            return None;
        }
        self.asked_shards.get_or_insert_with(Instant::now);
        Some(Pull { have: self.have })
    }

    /// Takes weights that a shard gave.
    pub fn take_relayed(&mut self, weights: &Weights, bytes: Frame) {
        self.take_weights(weights, bytes);
    }

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn run_finished(&self) -> bool {
        self.finished
    }

    fn check(&self, started: Instant) -> Result<(), TransportError> {
        if self.finished {
            return Err(TransportError::RunFinished);
        }
        if self.shutdown.is_triggered() {
            return Err(TransportError::Interrupted);
        }
        let after = self.options.reach_deadline;
        if !self.channel.was_reached() && started.elapsed() >= after {
            let endpoints = self.endpoints.pull.to_string();
            return Err(TransportError::Unreachable { what: "the learner", endpoints, after });
        }
        Ok(())
    }

    fn wait(&self) {
        let sockets: Vec<_> = self.channel.port().socket().into_iter().chain([&self.announcements]).collect();
        socket::wait(&sockets, POLL);
    }

    fn advance(&mut self) -> Result<(), TransportError> {
        self.hear()?;
        while let Some(event) = self.channel.step(self.epoch.elapsed())? {
            match event {
                Event::Ready(welcome) => {
                    // From now on another run's learner at this address is refused, and refuses us.
                    self.channel.hello_mut().run = Some(welcome.run);
                    self.run = Some(welcome.run);
                    (self.pulled, self.pulling) = (None, false);
                }
                Event::Lost => self.reconnect_announcements()?,
                Event::Refused(refused) => return Err(refusal(self.channel.endpoint(), refused)),
                Event::Finished => self.finished = true,
                Event::Message(message, bulk) => self.take(message, bulk),
            }
        }
        self.pull_if_due()
    }

    fn take(&mut self, message: Message, bulk: Vec<Frame>) {
        self.pulling = false;
        let Message::Weights(weights) = message else { return };
        let Some(bytes) = bulk.into_iter().next() else { return };
        self.take_weights(&weights, bytes);
    }

    fn take_weights(&mut self, weights: &Weights, bytes: Frame) {
        if self.have.is_none_or(|have| weights.version > have) {
            self.have = Some(weights.version);
            self.received = Some((weights.version, Arc::new(bytes.to_vec())));
        }
    }

    fn hear(&mut self) -> Result<(), TransportError> {
        while let Some(frames) = socket::receive(&self.announcements) {
            match wire::decode(&frames) {
                Ok(Message::Announcement(announcement)) => {
                    let known = self.run.is_none_or(|run| run == announcement.run);
                    if known {
                        self.announced = self.announced.max(Some(announcement.version));
                    }
                }
                Ok(Message::RunFinished(())) => self.finished = true,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "an announcement was dropped"),
            }
        }
        Ok(())
    }

    fn pull_if_due(&mut self) -> Result<(), TransportError> {
        let late = self.pulled.is_none_or(|last| last.elapsed() >= UNASKED_PULL);
        let shards_give = self.relayed
            && self.have.is_some()
            && self.asked_shards.is_none_or(|since| since.elapsed() < RELAY_PATIENCE);
        let wanted = (self.announced > self.have && !self.pulling && !shards_give) || late;
        if wanted && self.channel.is_ready() && !self.finished {
            let pull = Message::Pull(Pull { have: self.have });
            self.pulling = self.channel.send(&pull, Vec::new(), self.epoch.elapsed())?;
            self.pulled = Some(Instant::now());
        }
        Ok(())
    }

    /// Within a process a subscription does not survive its publisher.
    fn reconnect_announcements(&mut self) -> Result<(), TransportError> {
        self.announcements =
            socket::connect(&self.transport, zmq::SUB, &self.endpoints.announce, Role::Learner)?;
        Ok(())
    }
}

impl std::fmt::Debug for WeightsFollower {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("WeightsFollower")
            .field("endpoints", &self.endpoints)
            .field("have", &self.have)
            .finish_non_exhaustive()
    }
}
