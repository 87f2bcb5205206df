//! The disk of a shard: what it needs to have its items again after a crash or a power loss.
//!
//! A shard serves from memory; the disk is only read at the start. Items are records of an append-only [`SegmentLog`], and
//! removals are records too (tombstones). When half of the disk is not needed any more, the worst segments are cleaned: what is
//! needed is copied from the shard's memory to the end of the log, and the file is removed. Items that leave in the order of
//! their insertion make cleaning free, because whole segments are not needed any more before much of the disk is wasted. The
//! scheme is that of log-structured file systems (Rosenblum and Ousterhout, TOCS 1992).
//!
//! Recovery follows from three rules:
//! 1. The order of the records of one key does not matter, nor how often they are there: an item is alive if there is
//!    an insertion and no removal, and it has left each table that any record of it names.
//! 2. A tombstone is kept as long as any file that may come back holds an insertion of its key. A file may come back
//!    until the folder was synced after its removal.
//! 3. Each segment holds, committed with its first records, a snapshot of the shard's state and the next key. Only
//!    segments before the newest committed snapshot are removed, so the snapshot and the insertions that follow it in
//!    the log say all that was ever inserted.

mod cleaning;
mod index;
mod record;
mod recovery;

use std::sync::Arc;

use durable::{Disk, DurableError, SegmentLog, record_bytes};

use self::index::{Index, Spot};
pub use self::record::ItemBytes;
pub use self::recovery::{Observer, Recovered, RecoveredItem};

/// How items are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageOptions {
    /// Bytes after which a segment is full; commits and large items may make it longer.
    pub segment_bytes: u64,
}

/// Why an operation on the disk failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// An error of the log. Unless it [is final](DurableError::is_final), the call has had no effect and may be repeated.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// Keys must grow; this one was used before.
    #[error("key {key} is not new: the next one is {next}")]
    KeyNotNew {
        /// Key of the refused item.
        key: u64,
        /// The smallest key that may be used.
        next: u64,
    },
}

impl StorageError {
    /// Whether trying again cannot help.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            StorageError::Durable(error) => error.is_final(),
            StorageError::KeyNotNew { .. } => true,
        }
    }
}

/// The items of a shard on its disk. What is written is durable once [`Storage::commit`] has returned.
#[derive(Debug)]
pub struct Storage {
    log: SegmentLog,
    segment_bytes: u64,
    index: Index,
    /// Where the newest snapshot of the state is, and the newest committed one.
    state_at: Option<u64>,
    committed_state_at: Option<u64>,
    cleaning: Option<Cleaning>,
    cleaned_bytes: u64,
}

/// Calls the passed function with the item of a key; does not call it when there is no such item.
pub type Items<'a> = dyn Fn(u64, &mut dyn FnMut(ItemBytes<'_>)) + 'a;

/// A segment that is being cleaned.
#[derive(Debug)]
struct Cleaning {
    segment: u64,
    /// Its keys that are still to be copied.
    keys: Vec<u64>,
}

impl Storage {
    /// Opens the storage on a disk that no other process uses; `observer` is called with every insertion and snapshot that is read back. Needs
    /// memory for all live items and, while it reads, for dead items that were not cleaned yet.
    ///
    /// # Errors
    /// [`StorageError::Durable`] when the disk cannot be read or written. Damage is no error: it is reported in
    /// [`Recovered::damaged`].
    pub fn open(
        disk: Arc<dyn Disk>,
        options: StorageOptions,
        observer: &mut dyn Observer,
    ) -> Result<(Self, Recovered), StorageError> {
        let found = recovery::recover(disk, options.segment_bytes, observer)?;
        let storage = Storage {
            log: found.log,
            segment_bytes: options.segment_bytes,
            index: found.index,
            state_at: found.state_at,
            committed_state_at: found.state_at,
            cleaning: None,
            cleaned_bytes: 0,
        };
        Ok((storage, found.recovered))
    }

    /// Stores an item under a key that is at least [`Storage::next_key`].
    ///
    /// # Errors
    /// [`StorageError::Durable`], [`StorageError::KeyNotNew`]; the item is not stored.
    pub fn insert(&mut self, key: u64, item: ItemBytes<'_>) -> Result<(), StorageError> {
        let next = self.next_key();
        if key < next {
            return Err(StorageError::KeyNotNew { key, next });
        }
        self.append_item(key, item, &[])?;
        Ok(())
    }

    /// Records that an item has left a table and is still in others. Does nothing when it is not alive, or had left before.
    ///
    /// # Errors
    /// [`StorageError::Durable`]; it has not left.
    pub fn leave(&mut self, key: u64, table: u32) -> Result<(), StorageError> {
        if self.index.is_alive(key) && !self.index.has_left(key, table) {
            self.append_leave(key, table)?;
        }
        Ok(())
    }

    /// Records that an item has left its last table. Does nothing when it is not alive.
    ///
    /// # Errors
    /// [`StorageError::Durable`]; it is still alive.
    pub fn remove(&mut self, key: u64) -> Result<(), StorageError> {
        if self.index.is_alive(key) {
            self.append_remove(key)?;
        }
        Ok(())
    }

    /// Stores a snapshot of the shard's state, which replaces all earlier ones. It must cover exactly the items that were inserted
    /// so far. Only for changes that must be durable with the next commit; a summary of insertions can wait for the snapshot that
    /// [`Storage::commit`] takes.
    ///
    /// # Errors
    /// [`StorageError::Durable`]; the earlier snapshot stays the newest.
    pub fn state(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let (kind, head) = record::state_head(self.next_key());
        let spot = self.append(kind, &[&head, bytes])?;
        self.index.wrote(spot);
        self.state_at = Some(spot.segment);
        Ok(())
    }

    /// Makes everything that was written durable. The first commit to a segment takes a snapshot from `state` (see
    /// [`Storage::state`]). Costs nothing when nothing was written.
    ///
    /// # Errors
    /// [`StorageError::Durable`]. Unless the error is final, nothing is lost and the commit may be tried again.
    pub fn commit(&mut self, state: &dyn Fn() -> Vec<u8>) -> Result<(), StorageError> {
        if self.log.has_uncommitted() && self.state_at != self.log.active_segment() {
            self.state(&state())?;
        }
        self.log.commit()?;
        self.committed_state_at = self.state_at;
        Ok(())
    }

    /// The smallest key that was never used.
    #[must_use]
    pub fn next_key(&self) -> u64 {
        self.index.next_key()
    }

    /// Bytes on disk that are needed: items that are alive, and tombstones.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.index.live_bytes()
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.index.disk_bytes()
    }

    /// Number of segments.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.index.segments()
    }

    /// Bytes that cleaning has copied since the start.
    #[must_use]
    pub fn cleaned_bytes(&self) -> u64 {
        self.cleaned_bytes
    }

    fn append_item(&mut self, key: u64, item: ItemBytes<'_>, left: &[u32]) -> Result<Spot, DurableError> {
        let (kind, head) = record::insert_head(key, &item, left);
        let spot = self.append(kind, &[&head, item.meta, item.blocks[0], item.blocks[1]])?;
        self.index.inserted(key, left, spot);
        Ok(spot)
    }

    fn append_leave(&mut self, key: u64, table: u32) -> Result<Spot, DurableError> {
        let (kind, payload) = record::leave(key, table);
        let spot = self.append(kind, &[&payload])?;
        self.index.left(key, table, spot);
        Ok(spot)
    }

    fn append_remove(&mut self, key: u64) -> Result<Spot, DurableError> {
        let (kind, payload) = record::remove(key);
        let spot = self.append(kind, &[&payload])?;
        self.index.removed(key, spot);
        Ok(spot)
    }

    fn append(&mut self, kind: u8, parts: &[&[u8]]) -> Result<Spot, DurableError> {
        let segment = self.log.append(kind, parts)?;
        let payload: usize = parts.iter().map(|part| part.len()).sum();
        Ok(Spot { segment, bytes: record_bytes(payload as u64) })
    }
}
