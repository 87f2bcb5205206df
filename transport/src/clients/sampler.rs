//! The learner's client of the shards.

use std::time::Duration;

use common::Shutdown;
use common::ids::ShardId;

use super::driver::{Driver, wait};
use crate::options::LinkOptions;
use crate::sampler::{LearnerIdentity, SampledItem, SamplerCore, Selector};
use crate::socket_port::SocketPort;
use crate::{ShardDirectory, Transport, TransportError};

/// A shard that cannot give its part answers with what it has after this long; the rest is asked of all again.
const PATIENCE: Duration = Duration::from_millis(200);
/// How much later than asked a shard may answer before the learner goes on without it.
const GRACE: Duration = Duration::from_secs(1);
/// How long the shards have to confirm that the run has ended.
const FAREWELL: Duration = Duration::from_secs(3);

/// Claims the shards for a run and samples from all that are connected, in proportion to what they hold.
#[derive(Debug)]
pub struct TrajectorySampler {
    core: SamplerCore<SocketPort>,
    driver: Driver,
}

impl TrajectorySampler {
    /// Begins to connect to every shard; does not wait for them.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where a shard refuses at once.
    pub fn connect(
        transport: &Transport,
        shards: &ShardDirectory,
        identity: LearnerIdentity,
        options: LinkOptions,
        shutdown: &Shutdown,
    ) -> Result<Self, TransportError> {
        let make_port = SocketPort::to_shards(transport);
        let core = SamplerCore::new(shards, make_port, identity, options, rand::random());
        let mut sampler = TrajectorySampler { core, driver: Driver::new(shutdown) };
        sampler.poll()?;
        Ok(sampler)
    }

    /// Trajectories of at least `steps` steps in all, from all connected shards in proportion to what they hold and, where
    /// one has less, from the others. At the timeout it returns what there is (of an incomplete turn: nothing, it goes on
    /// with the next call). For a turn `steps` has no meaning.
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::Unreachable`] when no shard was ever reached,
    /// [`TransportError::Interrupted`].
    pub fn sample(
        &mut self,
        selector: Selector<'_>,
        steps: usize,
        timeout: Duration,
    ) -> Result<Vec<SampledItem>, TransportError> {
        let deadline = self.driver.now() + timeout;
        let mut items = Vec::new();
        loop {
            self.poll()?;
            let now = self.driver.now();
            if self.core.is_idle() {
                items.extend(self.core.take_received());
                let remaining = deadline.saturating_sub(now);
                let missing = self.core.missing(selector, steps, &mut items);
                if missing == 0 || remaining.is_zero() {
                    return Ok(self.core.complete(selector, items));
                }
                self.driver.check_shutdown()?;
                self.core.check_reached(now)?;
                self.core.ask(selector, missing, remaining.min(PATIENCE), now)?;
            } else if now >= deadline + GRACE {
                self.core.give_up_waiting(now);
            }
            wait(self.core.ports());
        }
    }

    /// Keeps the links alive while nothing is sampled; never waits.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn poll(&mut self) -> Result<(), TransportError> {
        self.core.tick(self.driver.now())
    }

    /// Sends new priorities of items, by shard and key, to the shards that store them; never waits. A shard that is
    /// unreachable keeps the old ones.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when they cannot be encoded.
    pub fn prioritise(
        &mut self,
        table: &str,
        priorities: impl IntoIterator<Item = (ShardId, u64, f32)>,
    ) -> Result<(), TransportError> {
        self.core.prioritise(table, priorities, self.driver.now())
    }

    /// How many shards are connected.
    #[must_use]
    pub fn live_shards(&self) -> usize {
        self.core.live_shards()
    }

    /// Tells the shards that the run has ended, so that they tell their actors and shut down, too.
    ///
    /// # Errors
    /// [`TransportError::Refused`].
    pub fn finish(&mut self) -> Result<(), TransportError> {
        let deadline = self.driver.now() + FAREWELL;
        self.core.announce_end(self.driver.now())?;
        while !self.core.end_is_known() && self.driver.now() < deadline {
            wait(self.core.ports());
            self.poll()?;
        }
        Ok(())
    }
}
