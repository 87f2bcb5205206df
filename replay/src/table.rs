//! What a shard holds: a sampler, a remover and a rate limiter over one bounded set of items.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::ids::ShardId;
use common::trajectory::TrajectoryHeader;
use dashmap::DashMap;
use rand::RngCore;
use transport::{BulkDigest, SampleKind, ShardStats};

use crate::limiter::RateLimiter;
use crate::select::{Fifo, Select as _, Turns, Uniform};

/// What a header and the indices take in memory beside an item's bytes, roughly.
const OVERHEAD_BYTES: u64 = 512;
/// One answer carries at most so much; who wants more asks again.
const MAX_BATCH_BYTES: u64 = 64 << 20;

/// A stored trajectory.
#[derive(Debug)]
pub struct StoredItem {
    /// Its key; keys grow in the order of insertion and are never used again.
    pub key: u64,
    /// Header.
    pub header: TrajectoryHeader,
    /// Steps, opaque.
    pub body: Vec<u8>,
    /// States, opaque.
    pub frames: Vec<u8>,
    /// Checked when it came.
    pub body_digest: BulkDigest,
    /// Checked when it came.
    pub frames_digest: BulkDigest,
    times_sampled: AtomicU32,
}

impl StoredItem {
    fn bytes(&self) -> u64 {
        self.body.len() as u64 + self.frames.len() as u64 + OVERHEAD_BYTES
    }
}

/// An item that was sampled.
#[derive(Clone, Debug)]
pub struct Given {
    /// The item.
    pub item: Arc<StoredItem>,
    /// How often it was given out, this time included.
    pub times_sampled: u32,
}

/// How much a table holds; the oldest items make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableBounds {
    /// Items.
    pub max_items: usize,
    /// Bytes. A single larger item is held all the same, alone.
    pub max_bytes: u64,
}

/// A table that one thread writes while another samples.
///
/// Invariants: at least one and at most `max_items` items within `max_bytes`, once anything was inserted; an item waits
/// until it was given in order (FIFO or by turn) or evicted; `waiting_steps` is the sum over the items that wait.
#[derive(Debug)]
pub struct Table {
    items: DashMap<u64, Arc<StoredItem>>,
    index: Mutex<Index>,
    limiter: RateLimiter,
    bounds: TableBounds,
    /// Steps that a learner is waiting for now.
    wanted: AtomicU64,
}

#[derive(Debug, Default)]
struct Index {
    next_key: u64,
    waiting: Fifo,
    turns: Turns,
    uniform: Uniform,
    remover: Fifo,
    waiting_bytes: u64,
    stats: ShardStats,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(shard: ShardId, bounds: TableBounds, limiter: RateLimiter) -> Self {
        let index = Index { stats: ShardStats { shard, ..ShardStats::default() }, ..Index::default() };
        Table { items: DashMap::new(), index: Mutex::new(index), limiter, bounds, wanted: AtomicU64::new(0) }
    }

    /// Stores an item; the oldest go where there is no room.
    pub fn insert(
        &self,
        header: TrajectoryHeader,
        (body, body_digest): (Vec<u8>, BulkDigest),
        (frames, frames_digest): (Vec<u8>, BulkDigest),
    ) {
        let mut index = self.index();
        let key = index.next_key;
        let times_sampled = AtomicU32::new(0);
        let item =
            Arc::new(StoredItem { key, header, body, frames, body_digest, frames_digest, times_sampled });
        index.take_in(&item);
        self.items.insert(key, item);
        let over = |stats: &ShardStats| {
            stats.items > self.bounds.max_items as u64 || stats.bytes > self.bounds.max_bytes
        };
        while over(&index.stats) && index.stats.items > 1 {
            self.evict(&mut index);
        }
    }

    /// Whether a request can be served now as it was made.
    #[must_use]
    pub fn can_serve(&self, kind: SampleKind, steps: u64) -> bool {
        let index = self.index();
        match kind {
            // More than an answer carries, or than can be held without loss, is not worth waiting for.
            SampleKind::Fifo => {
                index.stats.waiting_steps >= steps
                    || index.waiting_bytes >= MAX_BATCH_BYTES.min(self.bounds.max_bytes / 2)
                    || index.waiting.len() >= self.bounds.max_items
            }
            SampleKind::Uniform => self.limiter.may_sample(self.items.len()),
            SampleKind::Turn(version) => index.turns.select(version).is_some(),
        }
    }

    /// Items of at least `steps` steps in all, or what there is; of a turn all that wait.
    pub fn sample(&self, kind: SampleKind, steps: u64, rng: &mut dyn RngCore) -> Vec<Given> {
        let mut index = self.index();
        let (mut given, mut found, mut bytes) = (Vec::new(), 0, 0);
        while (found < steps || matches!(kind, SampleKind::Turn(_))) && bytes < MAX_BATCH_BYTES {
            let key = match kind {
                SampleKind::Fifo => index.waiting.select(rng),
                SampleKind::Uniform if self.limiter.may_sample(index.uniform.len()) => {
                    index.uniform.select(rng)
                }
                SampleKind::Uniform => None,
                SampleKind::Turn(version) => index.turns.select(version),
            };
            let Some(item) = key.and_then(|key| self.items.get(&key).map(|entry| Arc::clone(&entry))) else {
                break;
            };
            if kind != SampleKind::Uniform {
                index.stop_waiting(&item);
            }
            // An item without steps would otherwise never let a request be filled.
            found += u64::from(item.header.steps).max(1);
            bytes += item.bytes();
            index.stats.sampled += 1;
            let times_sampled = item.times_sampled.fetch_add(1, Ordering::Relaxed) + 1;
            given.push(Given { item, times_sampled });
        }
        given
    }

    /// Says how many steps a learner waits for now; 0: none.
    pub fn set_wanted(&self, steps: u64) {
        self.wanted.store(steps, Ordering::SeqCst);
    }

    /// Steps that a learner waits for now.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::SeqCst)
    }

    /// Whether actors may send more.
    #[must_use]
    pub fn may_insert(&self) -> bool {
        self.limiter.may_insert(self.index().stats.waiting_steps, self.wanted())
    }

    /// Counts an item that came twice.
    pub fn count_duplicate(&self) {
        self.index().stats.duplicates += 1;
    }

    /// The counts.
    #[must_use]
    pub fn stats(&self) -> ShardStats {
        self.index().stats
    }

    fn evict(&self, index: &mut Index) {
        // The oldest is chosen without chance.
        let Some(key) = index.remover.select(&mut NoChance) else { return };
        let Some((_, item)) = self.items.remove(&key) else { return };
        if index.stop_waiting(&item) {
            index.stats.dropped += 1;
        }
        index.uniform.remove(key);
        index.remover.remove(key);
        index.stats.items -= 1;
        index.stats.bytes -= item.bytes();
        index.stats.evicted += 1;
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // The index is consistent between any two statements that can panic.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn take_in(&mut self, item: &StoredItem) {
        self.next_key += 1;
        self.waiting.insert(item.key);
        self.turns.insert(item.header.last_version, item.key);
        self.uniform.insert(item.key);
        self.remover.insert(item.key);
        self.stats.items += 1;
        self.stats.bytes += item.bytes();
        self.stats.waiting_steps += u64::from(item.header.steps);
        self.waiting_bytes += item.bytes();
        self.stats.inserted += 1;
    }

    /// Returns whether it waited.
    fn stop_waiting(&mut self, item: &StoredItem) -> bool {
        let before = self.waiting.len();
        self.waiting.remove(item.key);
        let waited = self.waiting.len() < before;
        if waited {
            self.turns.remove(item.header.last_version, item.key);
            self.stats.waiting_steps -= u64::from(item.header.steps);
            self.waiting_bytes -= item.bytes();
        }
        waited
    }
}

/// For rules that draw nothing.
struct NoChance;

impl RngCore for NoChance {
    fn next_u32(&mut self) -> u32 {
        0
    }
    fn next_u64(&mut self) -> u64 {
        0
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
