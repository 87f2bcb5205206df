//! The thread that fetches each version of the weights from the learner, so that a shard can relay it to many actors.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use common::Shutdown;
use common::ids::{Digest, PolicyVersion, ShardId};
use transport::{
    Frame, LinkOptions, Role, ThreadSender, Transport, TransportError, WeightsEndpoints, WeightsFollower,
};

use crate::error::ReplayError;

/// How long one wait for weights lasts before the thread checks whether it must stop.
const WAIT: Duration = Duration::from_secs(1);

/// A version of the weights to relay.
#[derive(Debug)]
pub(crate) struct Relayed {
    pub(crate) version: PolicyVersion,
    pub(crate) bytes: Frame,
}

/// Follows the weights, once a claim has told their schema.
#[derive(Debug)]
pub(crate) struct WeightsRelay {
    shard: ShardId,
    transport: Transport,
    learner: WeightsEndpoints,
    link: LinkOptions,
    shutdown: Shutdown,
    came: Receiver<Relayed>,
    /// For the thread, until it is started.
    idle: Option<(Sender<Relayed>, ThreadSender)>,
    thread: Option<JoinHandle<()>>,
}

impl WeightsRelay {
    pub(crate) fn new(
        shard: ShardId,
        transport: &Transport,
        learner: WeightsEndpoints,
        link: LinkOptions,
        waker: ThreadSender,
    ) -> Self {
        let (sender, came) = mpsc::channel();
        let transport = transport.clone();
        let idle = Some((sender, waker));
        WeightsRelay { shard, transport, learner, link, shutdown: Shutdown::new(), came, idle, thread: None }
    }

    /// Starts the thread, if it does not run yet.
    pub(crate) fn follow(&mut self, schema: Digest) -> Result<(), ReplayError> {
        let Some((sender, waker)) = self.idle.take() else { return Ok(()) };
        let fetch = Fetch {
            shard: self.shard,
            transport: self.transport.clone(),
            learner: self.learner.clone(),
            link: self.link,
            schema,
            shutdown: self.shutdown.clone(),
            sender,
            waker,
        };
        let thread = std::thread::Builder::new()
            .name(format!("weights-{}", self.shard))
            .spawn(move || fetch.run())
            .map_err(|source| ReplayError::Thread { name: "weights", source })?;
        self.thread = Some(thread);
        Ok(())
    }

    /// The newest version that arrived since the last call.
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
    waker: ThreadSender,
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

    /// Follows the weights until the run ends or the shard shuts down.
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
                self.waker.wake();
            }
        }
        Ok(())
    }
}
