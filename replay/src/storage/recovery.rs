//! Reads what is stored on a disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use durable::{Damage, Disk, DurableError, ReadSegments, Record, SegmentLog, record_bytes, segment_name};

use super::index::{Index, Spot};
use super::record::{self, Stored};

/// What was found on the disk.
#[derive(Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The items that are alive, by key.
    pub items: Vec<RecoveredItem>,
    /// The smallest key that was never used.
    pub next_key: u64,
    /// Durable bytes that cannot be read any more. An item there is lost; one whose tombstone is there is alive again.
    pub damaged: Vec<Damage>,
    /// Bytes that were written and never became durable, which is no loss.
    pub torn_bytes: u64,
}

/// An item that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredItem {
    /// Key of the item.
    pub key: u64,
    /// Its description, as stored.
    pub meta: Vec<u8>,
    /// Its bytes, as stored.
    pub blocks: [Vec<u8>; 2],
    /// The tables that it has left, in order.
    pub left: Vec<u32>,
}

/// Sees the records of the log in order, also those of items that are dead by now: enough to know everything that was ever
/// inserted.
pub trait Observer {
    /// An item, possibly for the second time.
    fn inserted(&mut self, key: u64, meta: &[u8]);
    /// A snapshot of the state, which replaces everything that was seen before.
    fn state(&mut self, bytes: &[u8]);
}

/// A log with what its records say.
pub(super) struct Found {
    pub(super) log: SegmentLog,
    pub(super) index: Index,
    pub(super) state_at: Option<u64>,
    pub(super) recovered: Recovered,
}

pub(super) fn recover(
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    observer: &mut dyn Observer,
) -> Result<Found, DurableError> {
    let mut reading = Reading::default();
    let mut unreadable = Vec::new();
    let (log, read) = SegmentLog::open(Arc::clone(&disk), segment_bytes, &mut |segment, record| {
        if !reading.read(segment, record, observer) {
            unreadable.push(Damage {
                file: disk.path(&segment_name(segment)),
                offset: record.offset,
                length: record_bytes(record.payload.len() as u64),
                why: "the record is not one that a shard writes",
            });
        }
    })?;
    Ok(reading.end(log, read, unreadable))
}

#[derive(Default)]
struct Reading {
    index: Index,
    items: BTreeMap<u64, RecoveredItem>,
    state_at: Option<u64>,
}

impl Reading {
    /// False when the record cannot be understood.
    fn read(&mut self, segment: u64, record: &Record<'_>, observer: &mut dyn Observer) -> bool {
        let Some(stored) = record::decode(record.kind, record.payload) else { return false };
        let spot = Spot { segment, bytes: record_bytes(record.payload.len() as u64) };
        match stored {
            Stored::Insert { key, left, item } => {
                observer.inserted(key, item.meta);
                self.index.inserted(key, &left, spot);
                if self.index.is_alive(key) {
                    self.items.entry(key).or_insert_with(|| RecoveredItem {
                        key,
                        meta: item.meta.to_vec(),
                        blocks: item.blocks.map(<[u8]>::to_vec),
                        left: Vec::new(),
                    });
                }
            }
            Stored::Leave { key, table } => self.index.left(key, table, spot),
            Stored::Remove { key } => {
                self.index.removed(key, spot);
                self.items.remove(&key);
            }
            Stored::State { next_key, bytes } => {
                observer.state(bytes);
                self.index.wrote(spot);
                self.index.raise_next_key(next_key);
                self.state_at = Some(segment);
            }
        }
        true
    }

    fn end(mut self, log: SegmentLog, read: ReadSegments, unreadable: Vec<Damage>) -> Found {
        for segment in &read.segments {
            self.index.segment_read(segment.number, segment.bytes);
        }
        self.index.all_read();
        let mut items: Vec<RecoveredItem> = self.items.into_values().collect();
        for item in &mut items {
            item.left = self.index.tables_left(item.key);
        }
        let damaged = [read.damaged, unreadable].concat();
        let recovered =
            Recovered { items, next_key: self.index.next_key(), damaged, torn_bytes: read.torn_bytes };
        Found { log, index: self.index, state_at: self.state_at, recovered }
    }
}
