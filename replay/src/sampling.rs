//! The thread that answers requests for trajectories.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use transport::{Batch, Item, Message, PeerId, Relay, Sample, SampleKind};

use crate::table::{Given, Table};

/// A request that waits for items looks up after this long at the latest.
const IDLE: Duration = Duration::from_secs(1);

/// What the socket's thread tells the sampling thread.
#[derive(Debug)]
pub(crate) enum Job {
    /// A learner asks.
    Sample(PeerId, Sample),
    /// Something was stored while somebody waited.
    Inserted,
    /// A learner (re)connected: nobody waits for older requests any more.
    Forget,
    /// The shard ends.
    Stop,
}

/// Answers requests in the order in which they can be answered.
pub(crate) struct Sampling {
    table: Arc<Table>,
    relay: Relay,
    rng: ChaCha8Rng,
    pending: Vec<Pending>,
}

struct Pending {
    peer: PeerId,
    sample: Sample,
    deadline: Instant,
}

impl Sampling {
    pub(crate) fn new(table: Arc<Table>, relay: Relay, rng: ChaCha8Rng) -> Self {
        Sampling { table, relay, rng, pending: Vec::new() }
    }

    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(self.patience()) {
                Ok(Job::Sample(peer, sample)) => {
                    let deadline = Instant::now() + Duration::from_millis(u64::from(sample.patience_ms));
                    self.pending.push(Pending { peer, sample, deadline });
                    self.publish_wants();
                    // Actors may have been waiting for somebody to want something.
                    self.relay.wake();
                }
                Ok(Job::Inserted) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Job::Forget) => self.pending.clear(),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.serve();
        }
    }

    fn patience(&self) -> Duration {
        let now = Instant::now();
        let nearest =
            self.pending.iter().map(|pending| pending.deadline.saturating_duration_since(now)).min();
        nearest.unwrap_or(IDLE)
    }

    fn serve(&mut self) {
        let now = Instant::now();
        let (ready, waiting) =
            std::mem::take(&mut self.pending).into_iter().partition(|pending: &Pending| {
                pending.deadline <= now || self.table.can_serve(pending.sample.kind, pending.sample.steps)
            });
        self.pending = waiting;
        for pending in ready {
            self.answer(&pending);
        }
        self.publish_wants();
    }

    fn answer(&mut self, pending: &Pending) {
        let given = self.table.sample(pending.sample.kind, pending.sample.steps, &mut self.rng);
        let bulk =
            given.iter().flat_map(|given| [given.item.body.clone(), given.item.frames.clone()]).collect();
        let items = given.iter().map(describe).collect();
        let batch = Message::Batch(Batch { request: pending.sample.request, items });
        if let Err(error) = self.relay.send(&pending.peer, &batch, bulk) {
            tracing::warn!(%error, "a batch could not be sent");
        }
        // Room may have been made for actors that wait.
        self.relay.wake();
    }

    fn publish_wants(&self) {
        let want = |pending: &Pending| match pending.sample.kind {
            SampleKind::Fifo => pending.sample.steps,
            // What is missing of a turn is known to the learner alone; samples among few items wait for any.
            SampleKind::Turn(_) | SampleKind::Uniform => u64::MAX,
        };
        self.table.set_wanted(self.pending.iter().map(want).max().unwrap_or(0));
    }
}

fn describe(given: &Given) -> Item {
    Item {
        key: given.item.key,
        header: given.item.header.clone(),
        times_sampled: given.times_sampled,
        body: given.item.body_digest,
        frames: given.item.frames_digest,
    }
}
