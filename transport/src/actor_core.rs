//! Everything that an actor has to do with shards and learner, without sockets and clock: one link to each shard, over
//! which trajectories go out and weights may come back.

use std::time::Duration;

use common::ids::{ActorId, Digest, Incarnation, RunId};
use common::trajectory::TrajectoryHeader;

use crate::message::{Hello, Message, Role};
use crate::port::Port;
use crate::shard_links::{LinkEvent, LinkId, ShardLinks};
use crate::weights::WeightsCore;
use crate::writer::{Trajectory, TrajectoryWriter, WriterOptions};
use crate::{Endpoint, ShardDirectory, TransportError};

/// Which actor writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorIdentity {
    /// The run, as the learner said.
    pub run: RunId,
    /// Id of the actor, unique in the run.
    pub actor: ActorId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Digest of the observation and action schema.
    pub schema: Digest,
}

/// Sends trajectories and follows weights. Over sockets it is driven by [`crate::ActorClient`].
pub struct ActorCore<P> {
    links: ShardLinks<P>,
    writer: TrajectoryWriter,
    /// None where no weights are followed.
    weights: Option<WeightsCore<P>>,
    run_finished: bool,
    fault: Option<TransportError>,
}

impl<P: Port> ActorCore<P> {
    /// An actor that begins to connect to the shards of `directory` with the first tick. `seed` draws the pauses between
    /// attempts.
    pub fn new(
        directory: &ShardDirectory,
        make_port: impl FnMut(&Endpoint) -> P + Send + 'static,
        identity: ActorIdentity,
        options: WriterOptions,
        weights: Option<WeightsCore<P>>,
        seed: u64,
    ) -> Self {
        let hello = Hello {
            run: Some(identity.run),
            actor: Some(identity.actor),
            incarnation: Some(identity.incarnation),
            ..Hello::new(Role::Actor, identity.schema)
        };
        ActorCore {
            links: ShardLinks::new(directory, make_port, hello, options.link, seed),
            writer: TrajectoryWriter::new(options),
            weights,
            run_finished: false,
            fault: None,
        }
    }

    /// Accepts a trajectory when a connected shard has a credit for it and the spool has room; gives it back otherwise.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when it cannot be encoded.
    pub fn offer(
        &mut self,
        trajectory: Trajectory,
        now: Duration,
    ) -> Result<Option<Trajectory>, TransportError> {
        self.writer.offer(&mut self.links, trajectory, now)
    }

    /// Takes acknowledgements and weights, sends again, reconnects, at the time `now` since any fixed moment; never waits.
    /// Errors are kept for [`ActorCore::take_fault`].
    pub fn tick(&mut self, now: Duration) {
        for (id, event) in self.links.tick(now) {
            self.handle(id, event, now);
        }
        let links = self.links.take_fault().map_or(Ok(()), Err);
        let written = self.writer.tick(&mut self.links, now);
        let followed = self.follow(now);
        self.keep_fault(links.and(written).and(followed));
    }

    fn handle(&mut self, id: LinkId, event: LinkEvent, now: Duration) {
        match (event, &mut self.weights) {
            (LinkEvent::RunFinished, _) => self.run_finished = true,
            (LinkEvent::Message(Message::Weights(weights), bulk), Some(core)) => {
                core.take_relayed(&weights, &bulk, now);
            }
            (event, _) => self.writer.handle(&mut self.links, id, event, now),
        }
    }

    fn follow(&mut self, now: Duration) -> Result<(), TransportError> {
        let Some(weights) = &mut self.weights else { return Ok(()) };
        weights.tick(now)?;
        weights.ask_shards(&mut self.links, now)
    }

    /// Sends what waits for others to go with.
    pub fn push(&mut self, now: Duration) {
        let pushed = self.writer.push(&mut self.links, now);
        self.keep_fault(pushed);
    }

    fn keep_fault(&mut self, result: Result<(), TransportError>) {
        if let Err(error) = result {
            self.fault.get_or_insert(error);
        }
    }

    /// The first error since the last call that no reconnection mends.
    pub fn take_fault(&mut self) -> Option<TransportError> {
        self.fault.take()
    }

    /// Trajectories that no shard has acknowledged.
    #[must_use]
    pub fn spooled(&self) -> usize {
        self.writer.spooled()
    }

    /// Links, and headers of the trajectories that their shards have not acknowledged.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (LinkId, &TrajectoryHeader)> {
        self.writer.unacknowledged()
    }

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn run_finished(&self) -> bool {
        self.run_finished || self.weights.as_ref().is_some_and(WeightsCore::run_finished)
    }

    /// The follower of the weights, where there is one.
    pub fn weights_mut(&mut self) -> Option<&mut WeightsCore<P>> {
        self.weights.as_mut()
    }

    /// Fails where no shard was ever reached within the deadline.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`].
    pub(crate) fn check_reached(&self, now: Duration) -> Result<(), TransportError> {
        self.links.check_reached(now)
    }

    /// Writes to the log why no trajectory is accepted; `waited` says since when.
    pub(crate) fn explain_wait(&self, waited: Duration, now: Duration) {
        let shards = self.writer.describe(&self.links, now);
        if self.links.all_answer(now) {
            // That is how the shards keep actors from running ahead of a learner that is slow, or unreachable.
            let came = self.weights.as_ref().map_or(Duration::ZERO, WeightsCore::came);
            let seconds = now.saturating_sub(came).as_secs();
            tracing::info!(
                ?waited,
                "no new weights for {seconds} s, and no shard accepts more until the learner has used what it has: {shards}"
            );
        } else {
            tracing::warn!(?waited, "waiting for the replay shards: {shards}");
        }
    }

    /// The error of a flush that took longer than `after`.
    pub(crate) fn unflushed(&self, after: Duration) -> TransportError {
        self.writer.unflushed(&self.links, after)
    }

    /// Every port: those to the shards, then those to the learner.
    pub fn ports(&self) -> impl Iterator<Item = &P> {
        self.links.ports().chain(self.weights.iter().flat_map(WeightsCore::ports))
    }

    /// The port to each shard.
    pub fn shard_ports_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.links.ports_mut()
    }
}

impl<P: Port> std::fmt::Debug for ActorCore<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shards = self.writer.describe(&self.links, Duration::ZERO);
        formatter.debug_struct("ActorCore").field("shards", &shards).finish_non_exhaustive()
    }
}
