//! The thread that copies large answers into messages, so that a batch of many megabytes holds up nothing else.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use common::ids::ShardId;
use transport::Relay;

use crate::ReplayError;
use crate::effect::Outgoing;
use crate::service::unsendable;

/// Packs and sends in the order of calls.
#[derive(Debug)]
pub(crate) struct BatchSender {
    queue: Sender<Outgoing>,
    thread: JoinHandle<()>,
}

impl BatchSender {
    pub(crate) fn start(shard: ShardId, relay: Relay) -> Result<Self, ReplayError> {
        let (queue, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("batches-{shard}"))
            .spawn(move || run(&received, &relay))
            .map_err(|source| ReplayError::Thread { name: "batches", source })?;
        Ok(BatchSender { queue, thread })
    }

    pub(crate) fn send(&self, outgoing: Outgoing) -> Result<(), ReplayError> {
        self.queue.send(outgoing).map_err(|_| ReplayError::Ended { name: "batches" })
    }

    /// Another handle of the same queue.
    pub(crate) fn queue(&self) -> Sender<Outgoing> {
        self.queue.clone()
    }

    /// Sends what is queued, and ends.
    pub(crate) fn end(self) {
        drop(self.queue);
        // It can only have panicked, and then there is nothing to wait for.
        let _ = self.thread.join();
    }
}

fn run(queue: &Receiver<Outgoing>, relay: &Relay) {
    while let Ok(outgoing) = queue.recv() {
        match outgoing.pack() {
            Ok(frames) => {
                if let Err(error) = relay.send(&outgoing.peer, frames) {
                    tracing::warn!(%error, "a batch could not be sent");
                }
            }
            Err(error) => unsendable(&outgoing.peer, &error),
        }
    }
}
