//! Weights straight from the learner.

use std::time::Duration;

use common::Shutdown;
use common::ids::{Digest, PolicyVersion, RunId};

use super::driver::{Driver, wait};
use crate::message::Role;
use crate::options::LinkOptions;
use crate::socket_port::SocketPort;
use crate::weights::{VersionedWeights, WeightsCore, WeightsEndpoints};
use crate::{Transport, TransportError};

/// Follows the learner's newest weights, across restarts of the learner.
#[derive(Debug)]
pub struct WeightsFollower {
    pub(super) core: WeightsCore<SocketPort>,
    pub(super) driver: Driver,
}

impl WeightsFollower {
    /// Connects, and waits for a learner that has published weights. Returns its run, too.
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
        let ports = (
            SocketPort::to_learner(transport, &endpoints.pull),
            SocketPort::subscription(transport, &endpoints.announce),
        );
        let core = WeightsCore::new(ports, endpoints, role, schema, options, rand::random());
        let mut follower = WeightsFollower { core, driver: Driver::new(shutdown) };
        loop {
            follower.core.tick(follower.driver.now())?;
            if let Some(run) = follower.core.run() {
                return Ok((follower, run));
            }
            if follower.core.run_finished() {
                return Err(TransportError::RunFinished);
            }
            follower.driver.check_shutdown()?;
            follower.core.check_reached(follower.driver.now())?;
            wait(follower.core.ports());
        }
    }

    /// From now on, as part of an [`super::ActorClient`], the learner is asked only for weights that no shard relays in
    /// time.
    pub fn ask_shards_first(&mut self) {
        self.core.ask_shards_first();
    }

    /// The newest weights, when they are newer than the last ones returned; versions in between are skipped. Never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn newest(&mut self) -> Result<Option<VersionedWeights>, TransportError> {
        self.core.tick(self.driver.now())?;
        Ok(self.core.take_newest())
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
        let deadline = self.driver.now() + timeout;
        loop {
            if let Some((version, weights)) = self.newest()?
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

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn run_finished(&self) -> bool {
        self.core.run_finished()
    }
}
