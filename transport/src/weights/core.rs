//! How the learner's newest weights are followed, without sockets and clock: versions are announced, and pulled from shards
//! that relay them, or from the learner.

use std::sync::Arc;
use std::time::Duration;

use common::ids::{Digest, PolicyVersion, RunId};

use super::endpoints::{VersionedWeights, WeightsEndpoints};
use crate::channel::{Channel, ChannelEvent};
use crate::message::{Hello, Message, Pull, Role, Weights};
use crate::options::LinkOptions;
use crate::port::Port;
use crate::shard_links::{LinkId, ShardLinks};
use crate::{Frame, TransportError, wire};

/// Announcements can be lost; without one the newest weights are asked for this often.
const UNASKED_PULL: Duration = Duration::from_secs(3);
/// How long shards that relay have before the learner itself is asked.
const RELAY_PATIENCE: Duration = Duration::from_secs(1);
/// A shard answers as soon as it has newer weights; if it has none for so long, another one is asked.
const RELAY_PERIOD: Duration = Duration::from_millis(500);

/// What is asked of shards that relay weights.
#[derive(Debug, Default)]
struct Relays {
    /// Since when weights are known to be out that did not come yet.
    wanted_since: Option<Duration>,
    /// When a shard was last asked, until it answers.
    asked: Option<Duration>,
    /// The link whose turn is next.
    turn: LinkId,
}

/// Follows the learner's newest weights, across restarts of the learner. Over sockets it is driven by
/// [`crate::WeightsFollower`] and [`crate::ActorClient`].
pub struct WeightsCore<P> {
    learner: Channel<P>,
    announcements: P,
    announced: Option<PolicyVersion>,
    have: Option<PolicyVersion>,
    received: Option<VersionedWeights>,
    /// When newer weights came last.
    came: Duration,
    /// None where shards are not asked.
    relays: Option<Relays>,
    /// When the learner was last asked, and whether its answer is awaited.
    pulled: Option<Duration>,
    is_pulling: bool,
    run: Option<RunId>,
    run_finished: bool,
    reach_deadline: Duration,
}

impl<P: Port> WeightsCore<P> {
    /// A follower of the learner behind `learner`, which connects with the first tick; `announcements` receives what it
    /// announces. `seed` draws the pauses between attempts.
    pub fn new(
        (learner, announcements): (P, P),
        endpoints: &WeightsEndpoints,
        role: Role,
        schema: Digest,
        options: LinkOptions,
        seed: u64,
    ) -> Self {
        let hello = Hello::new(role, schema);
        WeightsCore {
            learner: Channel::new(learner, &endpoints.pull, Role::Learner, hello, options, seed),
            announcements,
            announced: None,
            have: None,
            received: None,
            came: Duration::ZERO,
            relays: None,
            pulled: None,
            is_pulling: false,
            run: None,
            run_finished: false,
            reach_deadline: options.reach_deadline,
        }
    }

    /// From now on the learner is asked only for weights that no shard relays in time.
    pub fn ask_shards_first(&mut self) {
        self.relays.get_or_insert_default();
    }

    /// Takes announcements and weights of the learner, and asks for newer ones where that is due; never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::Socket`].
    pub fn tick(&mut self, now: Duration) -> Result<(), TransportError> {
        if !self.announcements.is_open() {
            self.announcements.open()?;
        }
        self.take_announcements();
        while let Some(event) = self.learner.step(now)? {
            match event {
                ChannelEvent::Ready(welcome) => {
                    // From now on another run's learner at this address is refused, and refuses us.
                    self.learner.hello_mut().run = Some(welcome.run);
                    self.run = Some(welcome.run);
                    (self.pulled, self.is_pulling) = (None, false);
                }
                // Within a process a subscription does not survive its publisher. The next tick opens it.
                ChannelEvent::Lost => self.announcements.close(),
                ChannelEvent::Refused(refused) => return Err(self.learner.refusal(refused)),
                ChannelEvent::RunFinished => self.run_finished = true,
                ChannelEvent::Message(message, bulk) => {
                    self.is_pulling = false;
                    if let Message::Weights(weights) = message {
                        self.take_weights(&weights, &bulk, now);
                    }
                }
            }
        }
        self.pull_if_due(now)
    }

    /// Asks a shard for weights that were announced, each time another one, but not again before it has had time to
    /// answer.
    ///
    /// # Errors
    /// [`TransportError::Wire`].
    pub(crate) fn ask_shards(
        &mut self,
        links: &mut ShardLinks<P>,
        now: Duration,
    ) -> Result<(), TransportError> {
        let Some(relays) = &mut self.relays else { return Ok(()) };
        if self.announced <= self.have {
            relays.wanted_since = None;
            return Ok(());
        }
        relays.wanted_since.get_or_insert(now);
        if relays.asked.is_some_and(|asked| now.saturating_sub(asked) < RELAY_PERIOD) {
            return Ok(());
        }
        let Some(id) = links.ids_from(relays.turn).find(|id| links.is_ready(*id)) else { return Ok(()) };
        relays.turn = id.next();
        relays.asked = Some(now);
        links.send(id, &Message::Pull(Pull { have: self.have }), now)?;
        Ok(())
    }

    /// Takes weights that a shard relayed.
    pub(crate) fn take_relayed(&mut self, weights: &Weights, bulk: &[Frame], now: Duration) {
        if let Some(relays) = &mut self.relays {
            relays.asked = None;
        }
        self.take_weights(weights, bulk, now);
    }

    fn take_weights(&mut self, weights: &Weights, bulk: &[Frame], now: Duration) {
        if let Some(bytes) = bulk.first()
            && self.have.is_none_or(|have| weights.version > have)
        {
            self.have = Some(weights.version);
            self.came = now;
            self.received = Some((weights.version, Arc::new(bytes.to_vec())));
        }
    }

    fn take_announcements(&mut self) {
        while let Some(frames) = self.announcements.receive() {
            match wire::decode(&frames) {
                Ok(Message::Announcement(announcement)) => {
                    if self.run.is_none_or(|run| run == announcement.run) {
                        self.announced = self.announced.max(Some(announcement.version));
                    }
                }
                Ok(Message::RunFinished(())) => self.run_finished = true,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "an announcement was dropped"),
            }
        }
    }

    fn pull_if_due(&mut self, now: Duration) -> Result<(), TransportError> {
        let is_late = self.pulled.is_none_or(|pulled| now.saturating_sub(pulled) >= UNASKED_PULL);
        let is_wanted = self.announced > self.have && !self.is_pulling && !self.shards_have_time(now);
        if (is_wanted || is_late) && self.learner.is_ready() && !self.run_finished {
            let pull = Message::Pull(Pull { have: self.have });
            self.is_pulling = self.learner.send(&pull, Vec::new(), now)?;
            self.pulled = Some(now);
        }
        Ok(())
    }

    /// Whether shards may still relay what was announced. The first weights come from the learner.
    fn shards_have_time(&self, now: Duration) -> bool {
        self.have.is_some()
            && self.relays.as_ref().is_some_and(|relays| {
                relays.wanted_since.is_none_or(|since| now.saturating_sub(since) < RELAY_PATIENCE)
            })
    }

    /// The newest weights, when they are newer than the last ones taken; versions in between are skipped.
    pub fn take_newest(&mut self) -> Option<VersionedWeights> {
        self.received.take()
    }

    /// When newer weights came last; zero before the first.
    pub(crate) fn came(&self) -> Duration {
        self.came
    }

    /// The run that the learner serves, once it has said so.
    pub(crate) fn run(&self) -> Option<RunId> {
        self.run
    }

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn run_finished(&self) -> bool {
        self.run_finished
    }

    /// Fails where the learner was never reached in `waited`, and that is too long.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`].
    pub(crate) fn check_reached(&self, waited: Duration) -> Result<(), TransportError> {
        let after = self.reach_deadline;
        if self.learner.was_reached() || waited < after {
            return Ok(());
        }
        let endpoints = self.learner.endpoint().to_string();
        Err(TransportError::Unreachable { what: "the learner", endpoints, after })
    }

    /// The ports to the learner: for questions, and for announcements.
    pub fn ports(&self) -> [&P; 2] {
        [self.learner.port(), &self.announcements]
    }

    /// The ports to the learner: for questions, and for announcements.
    pub fn ports_mut(&mut self) -> [&mut P; 2] {
        [self.learner.port_mut(), &mut self.announcements]
    }
}

impl<P: Port> std::fmt::Debug for WeightsCore<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("WeightsCore")
            .field("learner", self.learner.endpoint())
            .field("have", &self.have)
            .finish_non_exhaustive()
    }
}
