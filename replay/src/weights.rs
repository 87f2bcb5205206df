//! The thread that fetches each version of the weights from the learner, so that a shard can give it to many actors.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use common::Shutdown;
use common::ids::{Digest, PolicyVersion, ShardId};
use transport::{
    Frame, LinkOptions, Relay, Role, Transport, TransportError, WeightsEndpoints, WeightsFollower,
};

use crate::error::ReplayError;

/// How long one wait lasts before the end is looked for again.
const WAIT: Duration = Duration::from_secs(1);

/// A version of the weights.
#[derive(Debug)]
pub(crate) struct Relayed {
    pub(crate) version: PolicyVersion,
    pub(crate) bytes: Frame,
}

/// Follows the weights once it is known of which schema they are.
#[derive(Debug)]
pub(crate) struct WeightsRelay {
    shard: ShardId,
    transport: Transport,
    learner: WeightsEndpoints,
    link: LinkOptions,
    shutdown: Shutdown,
    came: Receiver<Relayed>,
    /// What the thread will be given.
    idle: Option<(Sender<Relayed>, Relay)>,
    thread: Option<JoinHandle<()>>,
}

impl WeightsRelay {
    pub(crate) fn new(
        shard: ShardId,
        transport: &Transport,
        learner: WeightsEndpoints,
        link: LinkOptions,
        relay: Relay,
    ) -> Self {
        let (sender, came) = mpsc::channel();
        let transport = transport.clone();
        let idle = Some((sender, relay));
        WeightsRelay { shard, transport, learner, link, shutdown: Shutdown::new(), came, idle, thread: None }
    }

    /// Begins to follow, if it does not already.
    pub(crate) fn follow(&mut self, schema: Digest) -> Result<(), ReplayError> {
        let Some((sender, relay)) = self.idle.take() else { return Ok(()) };
        let fetch = Fetch {
            shard: self.shard,
            transport: self.transport.clone(),
            learner: self.learner.clone(),
            link: self.link,
            schema,
            shutdown: self.shutdown.clone(),
            sender,
            relay,
        };
        let thread = std::thread::Builder::new()
            .name(format!("weights-{}", self.shard))
            .spawn(move || fetch.run())
            .map_err(|source| ReplayError::Thread { name: "weights", source })?;
        self.thread = Some(thread);
        Ok(())
    }

    /// The newest version that came since the last call.
    pub(crate) fn take(&mut self) -> Option<Relayed> {
        self.came.try_iter().last()
    }
}

impl Drop for WeightsRelay {
    fn drop(&mut self) {
        self.shutdown.trigger();
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and then there is nothing to wait for.
            let _ = thread.join();
        }
    }
}

struct Fetch {
    shard: ShardId,
    transport: Transport,
    learner: WeightsEndpoints,
    link: LinkOptions,
    schema: Digest,
    shutdown: Shutdown,
    sender: Sender<Relayed>,
    relay: Relay,
}

impl Fetch {
    fn run(&self) {
        loop {
            match self.follow() {
                Ok(()) | Err(TransportError::Interrupted | TransportError::RunFinished) => return,
                Err(error @ TransportError::Unreachable { .. }) => {
                    tracing::warn!(shard = %self.shard, %error, "weights cannot be relayed; trying again");
                }
                Err(error) => {
                    tracing::warn!(shard = %self.shard, %error, "weights are not relayed; actors fetch them from the learner");
                    return;
                }
            }
        }
    }

    /// Until the run or the shard ends.
    fn follow(&self) -> Result<(), TransportError> {
        let (mut follower, _) = WeightsFollower::connect(
            &self.transport,
            &self.learner,
            Role::Replay,
            self.schema,
            self.link,
            &self.shutdown,
        )?;
        while !follower.run_finished() && !self.shutdown.is_triggered() {
            if let Some((version, bytes)) = follower.wait_newer(None, WAIT)? {
                let bytes = Frame::from(bytes.as_slice());
                if self.sender.send(Relayed { version, bytes }).is_err() {
                    return Ok(());
                }
                self.relay.wake();
            }
        }
        Ok(())
    }
}
