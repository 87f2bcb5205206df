//! An actor's client: trajectories to the shards, weights from them or from the learner.

use std::time::Duration;

use common::Shutdown;
use common::ids::PolicyVersion;
use common::trajectory::TrajectoryHeader;

use super::driver::{Driver, wait};
use super::weights::WeightsFollower;
use crate::actor_core::{ActorCore, ActorIdentity};
use crate::options::Complaint;
use crate::socket_port::SocketPort;
use crate::weights::{VersionedWeights, WeightsCore};
use crate::writer::{Packing, WriterOptions};
use crate::{Endpoint, ShardDirectory, Transport, TransportError};

/// Sends trajectories to the shards and keeps each until its shard has acknowledged it; follows the learner's weights where
/// it was given a [`WeightsFollower`].
pub struct ActorClient {
    core: ActorCore<SocketPort>,
    packing: Packing,
    complaint_period: Duration,
    driver: Driver,
    on_poll: Option<Box<dyn Fn() + Send>>,
}

impl ActorClient {
    /// Begins to connect to every shard; does not wait for them.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where a shard refuses at once; [`TransportError::Socket`].
    pub fn connect(
        transport: &Transport,
        shards: &ShardDirectory,
        identity: ActorIdentity,
        options: WriterOptions,
        weights: Option<WeightsFollower>,
        shutdown: &Shutdown,
    ) -> Result<Self, TransportError> {
        let packing = Packing {
            // Within a process nothing travels: compression would only cost.
            compress: shards.shards().iter().any(Endpoint::is_network),
            max_block_bytes: transport.max_frame_bytes().unsigned_abs(),
        };
        let (weights, driver) = match weights {
            // Its core goes on with the clock that it began with.
            Some(WeightsFollower { core, driver }) => (Some(core), driver),
            None => (None, Driver::new(shutdown)),
        };
        let make_port = SocketPort::to_shards(transport);
        let core = ActorCore::new(shards, make_port, identity, options, weights, rand::random());
        let mut client = ActorClient {
            core,
            packing,
            complaint_period: options.link.complaint_period,
            driver,
            on_poll: None,
        };
        client.poll();
        client.core.take_fault().map_or(Ok(client), Err)
    }

    /// Accepts a trajectory of encoded steps (`body`) and states; waits while every shard is out of credits or unreachable,
    /// or the spool is full, and says so. A small one may wait for others to go with until the client is next used, a
    /// millisecond later or more: a caller that does nothing else calls [`ActorClient::flush`].
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::Unreachable`] when no shard was ever reached,
    /// [`TransportError::RunFinished`], [`TransportError::Interrupted`], [`TransportError::Wire`] when it is larger than
    /// `transport.max_frame_mib`.
    pub fn insert(
        &mut self,
        header: TrajectoryHeader,
        body: Vec<u8>,
        states: Vec<u8>,
    ) -> Result<(), TransportError> {
        let mut trajectory = self.packing.pack(header, body, states)?;
        let mut complaint = Complaint::new(self.complaint_period);
        let started = self.driver.now();
        loop {
            self.poll();
            self.check()?;
            let now = self.driver.now();
            match self.core.offer(trajectory, now)? {
                None => {
                    let waited = self.driver.now().saturating_sub(started);
                    metrics::histogram!("longshore_insert_wait_seconds").record(waited);
                    return Ok(());
                }
                Some(refused) => trajectory = refused,
            }
            self.core.push(now);
            if let Some(waited) = complaint.due(now) {
                self.core.explain_wait(waited, now);
            }
            wait(self.core.ports());
        }
    }

    /// Takes acknowledgements and weights, sends again, reconnects; never waits. An error that it meets is returned by the
    /// next call of another method.
    pub fn poll(&mut self) {
        if let Some(on_poll) = &self.on_poll {
            on_poll();
        }
        self.core.tick(self.driver.now());
    }

    /// Calls `on_poll` whenever the client looks at its links, also while it waits: its caller goes on.
    pub fn call_on_poll(&mut self, on_poll: impl Fn() + Send + 'static) {
        self.on_poll = Some(Box::new(on_poll));
    }

    /// Waits until everything is acknowledged, or the run has finished and nobody needs it any more.
    ///
    /// # Errors
    /// [`TransportError::Unflushed`] at the deadline; otherwise as [`ActorClient::insert`].
    pub fn flush(&mut self, deadline: Duration) -> Result<(), TransportError> {
        let started = self.driver.now();
        loop {
            self.poll();
            self.core.push(self.driver.now());
            if self.run_finished() || self.spooled() == 0 {
                return Ok(());
            }
            self.core.take_fault().map_or(Ok(()), Err)?;
            if self.driver.now().saturating_sub(started) >= deadline {
                return Err(self.core.unflushed(deadline));
            }
            wait(self.core.ports());
        }
    }

    /// The newest weights, when they are newer than the last ones returned; versions in between are skipped. Never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn newest_weights(&mut self) -> Result<Option<VersionedWeights>, TransportError> {
        self.poll();
        self.core.take_fault().map_or(Ok(()), Err)?;
        Ok(self.core.weights_mut().and_then(WeightsCore::take_newest))
    }

    /// Waits for weights newer than `than` and than any returned before; none at the timeout or when the run has
    /// finished.
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::Interrupted`].
    pub fn wait_newer_weights(
        &mut self,
        than: Option<PolicyVersion>,
        timeout: Duration,
    ) -> Result<Option<VersionedWeights>, TransportError> {
        let deadline = self.driver.now() + timeout;
        loop {
            if let Some((version, weights)) = self.newest_weights()?
                && than.is_none_or(|than| version > than)
            {
                return Ok(Some((version, weights)));
            }
            if self.run_finished() || self.driver.now() >= deadline {
                return Ok(None);
            }
            self.driver.check_shutdown()?;
            wait(self.core.ports());
        }
    }

    /// Trajectories that no shard has acknowledged.
    #[must_use]
    pub fn spooled(&self) -> usize {
        self.core.spooled()
    }

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn run_finished(&self) -> bool {
        self.core.run_finished()
    }

    fn check(&mut self) -> Result<(), TransportError> {
        self.core.take_fault().map_or(Ok(()), Err)?;
        if self.run_finished() {
            return Err(TransportError::RunFinished);
        }
        self.driver.check_shutdown()?;
        self.core.check_reached(self.driver.now())
    }
}

impl std::fmt::Debug for ActorClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ActorClient").field("core", &self.core).finish_non_exhaustive()
    }
}
