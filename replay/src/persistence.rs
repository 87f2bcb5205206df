//! The thread that writes a shard's changes to its disk, many with one sync, and then sends what waited for them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::ids::ShardId;
use telemetry::Health;
use transport::ThreadSender;

use crate::effect::{Effect, Outgoing};
use crate::error::ReplayError;
use crate::item::Content;
use crate::journal::Journal;
use crate::storage::StorageError;
use crate::tables::Items;

/// Most effects that one sync covers.
const GROUP: usize = 4096;
/// Bytes that cleaning may copy after each sync: few enough that acknowledgements are not delayed noticeably.
const CLEANING_BYTES: u64 = 1 << 20;
/// How often a full disk is tried again, and how often that is logged.
const RETRY: Duration = Duration::from_millis(250);
const COMPLAINT_PERIOD: Duration = Duration::from_secs(5);
const DISK: &str = "disk";

/// The socket thread's handle of the disk's thread.
#[derive(Debug)]
pub(crate) struct Persistence {
    queue: Sender<Vec<Effect>>,
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    fault: Mutex<Option<StorageError>>,
    /// The shard shuts down: the disk's thread must not wait for room on the disk.
    stopping: AtomicBool,
    /// Bytes of the effects that were queued and not carried out yet.
    backlog: AtomicU64,
}

impl Persistence {
    pub(crate) fn start(
        shard: ShardId,
        journal: Journal,
        items: Arc<Items<Content>>,
        sender: ThreadSender,
        health: &Health,
    ) -> Result<Self, ReplayError> {
        let shared = Arc::new(Shared::default());
        let (queue, received) = mpsc::channel();
        let writer =
            Writer { shard, journal, items, sender, health: health.clone(), shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new()
            .name(format!("disk-{shard}"))
            .spawn(move || writer.run(&received))
            .map_err(|source| ReplayError::Thread { name: "disk", source })?;
        Ok(Persistence { queue, thread, shared })
    }

    /// Queues `effects`, which are carried out in their order.
    pub(crate) fn carry_out(&self, effects: Vec<Effect>) -> Result<(), ReplayError> {
        self.shared.backlog.fetch_add(bytes_of(&effects), Ordering::Relaxed);
        self.queue.send(effects).or_else(|_| self.check())
    }

    /// Bytes that wait for the disk.
    pub(crate) fn backlog(&self) -> u64 {
        self.shared.backlog.load(Ordering::Relaxed)
    }

    /// Fails once the disk's thread has failed.
    pub(crate) fn check(&self) -> Result<(), ReplayError> {
        let fault = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        match fault {
            Some(fault) => Err(ReplayError::Storage(fault)),
            None if self.thread.is_finished() => Err(ReplayError::Ended { name: "disk" }),
            None => Ok(()),
        }
    }

    /// Writes what is queued, and stops the thread.
    pub(crate) fn end(self) -> Result<(), ReplayError> {
        self.shared.stopping.store(true, Ordering::SeqCst);
        drop(self.queue);
        let ended = self.thread.join();
        let fault = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (fault, ended) {
            (Some(fault), _) => Err(ReplayError::Storage(fault)),
            (None, Err(_)) => Err(ReplayError::Ended { name: "disk" }),
            (None, Ok(())) => Ok(()),
        }
    }
}

fn bytes_of(effects: &[Effect]) -> u64 {
    effects.iter().map(Effect::bytes).sum()
}

struct Writer {
    shard: ShardId,
    journal: Journal,
    items: Arc<Items<Content>>,
    sender: ThreadSender,
    health: Health,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Vec<Effect>>) {
        while let Ok(mut effects) = queue.recv() {
            while effects.len() < GROUP
                && let Ok(more) = queue.try_recv()
            {
                effects.extend(more);
            }
            let bytes = bytes_of(&effects);
            if let Err(fault) = self.carry_out(effects) {
                tracing::error!(shard = %self.shard, %fault, "the disk has failed");
                *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                self.sender.wake();
                return;
            }
            self.shared.backlog.fetch_sub(bytes, Ordering::Relaxed);
        }
        // Otherwise segments that are not needed would stay until the next start.
        if let Err(error) = self.journal.clean(0, &self.items) {
            tracing::warn!(shard = %self.shard, %error, "segments could not be cleaned");
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), StorageError> {
        let start = Instant::now();
        let mut changes = 0;
        for effect in &effects {
            if let Effect::Persist(change) = effect {
                self.retry(|journal| journal.write(change))?;
                changes += 1;
            }
        }
        if changes > 0 {
            self.retry(Journal::commit)?;
            metrics::histogram!("longshore_replay_commit_seconds", "shard" => self.shard.to_string())
                .record(start.elapsed());
        }
        for effect in effects {
            if let Effect::Send(outgoing) | Effect::SendAfter(outgoing) = effect {
                self.send(&outgoing);
            }
        }
        self.sender.wake();
        if changes > 0 {
            let items = Arc::clone(&self.items);
            self.retry(|journal| journal.clean(CLEANING_BYTES, &items))?;
            self.report();
        }
        Ok(())
    }

    /// Tries again while the error may pass, as that of a full disk may. Meanwhile nothing is acknowledged, and actors keep what they
    /// have sent.
    fn retry(
        &mut self,
        mut operation: impl FnMut(&mut Journal) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let mut complained: Option<Instant> = None;
        loop {
            match operation(&mut self.journal) {
                Ok(()) => {
                    if complained.is_some() {
                        tracing::info!(shard = %self.shard, "the disk has room again");
                        self.health.met(DISK);
                    }
                    return Ok(());
                }
                Err(error) if error.is_final() || self.shared.stopping.load(Ordering::SeqCst) => {
                    return Err(error);
                }
                Err(error) => {
                    if complained.is_none_or(|last| last.elapsed() >= COMPLAINT_PERIOD) {
                        tracing::warn!(shard = %self.shard, %error, "nothing is acknowledged until the disk can be written; trying again");
                        self.health.unmet(DISK, error.to_string());
                        complained = Some(Instant::now());
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
    }

    fn send(&mut self, outgoing: &Outgoing) {
        if let Some(frames) = outgoing.frames()
            && let Err(error) = self.sender.send(&outgoing.peer, frames)
        {
            tracing::warn!(%error, "a message could not be sent");
        }
    }

    fn report(&self) {
        let storage = self.journal.storage();
        let shard = self.shard.to_string();
        for (name, value) in [
            ("longshore_replay_disk_bytes", storage.disk_bytes()),
            ("longshore_replay_disk_live_bytes", storage.live_bytes()),
            ("longshore_replay_segments", storage.segments() as u64),
            ("longshore_replay_disk_backlog_bytes", self.shared.backlog.load(Ordering::Relaxed)),
        ] {
            metrics::gauge!(name, "shard" => shard.clone()).set(value as f64);
        }
        metrics::counter!("longshore_replay_cleaned_bytes_total", "shard" => shard)
            .absolute(storage.cleaned_bytes());
    }
}
