//! Where each record is on the disk, and which are needed.

use std::collections::{BTreeMap, HashMap, HashSet};

use durable::SEGMENT_HEADER;

/// A record's segment, and the bytes that it takes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) segment: u64,
    pub(super) bytes: u64,
}

/// All segments, and all keys of which any segment holds an insertion.
#[derive(Debug, Default)]
pub(super) struct Index {
    keys: HashMap<u64, Key>,
    segments: BTreeMap<u64, Segment>,
    next_key: u64,
}

/// What the disk holds of one key.
#[derive(Debug, Default)]
struct Key {
    /// Insertions, in any segment that is not durably removed.
    insertions: u32,
    /// The newest insertion, while the key is alive.
    item: Option<Spot>,
    /// The newest tombstone, once the key is dead.
    removal: Option<Spot>,
    /// The tables that it has left while alive, each with the newest record of that. Where an insertion records it, the bytes are
    /// not counted here.
    left: BTreeMap<u32, Spot>,
}

#[derive(Debug)]
struct Segment {
    bytes: u64,
    /// Bytes of records that are needed.
    live: u64,
    /// Keys inserted here, with the number of their insertions.
    insertions: HashMap<u64, u32>,
    /// Keys that have tombstones here.
    tombstones: HashSet<u64>,
}

/// What must be copied of a key before a segment may be removed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Needed {
    Nothing,
    /// The item, with the tables that it has left.
    Item(Vec<u32>),
    /// A record that it has left these tables.
    Left(Vec<u32>),
    /// The tombstone of the item.
    Removal,
}

impl Default for Segment {
    fn default() -> Self {
        let (insertions, tombstones) = (HashMap::new(), HashSet::new());
        Segment { bytes: SEGMENT_HEADER as u64, live: 0, insertions, tombstones }
    }
}

impl Index {
    /// Counts a record that no key needs.
    pub(super) fn wrote(&mut self, spot: Spot) {
        self.segments.entry(spot.segment).or_default().bytes += spot.bytes;
    }

    pub(super) fn inserted(&mut self, key: u64, left: &[u32], spot: Spot) {
        self.wrote(spot);
        self.raise_next_key(key.saturating_add(1));
        let segment = self.segments.entry(spot.segment).or_default();
        *segment.insertions.entry(key).or_default() += 1;
        let known = self.keys.entry(key).or_default();
        known.insertions += 1;
        if known.removal.is_some() {
            return;
        }
        let mut replaced = vec![known.item.replace(spot)];
        for &table in left {
            replaced.push(known.left.insert(table, Spot { bytes: 0, ..spot }));
        }
        self.gain(spot);
        replaced.into_iter().flatten().for_each(|spot| self.lose(spot));
    }

    pub(super) fn left(&mut self, key: u64, table: u32, spot: Spot) {
        self.entomb(key, spot);
        let known = self.keys.entry(key).or_default();
        if known.removal.is_some() {
            return;
        }
        let replaced = known.left.insert(table, spot);
        self.gain(spot);
        replaced.into_iter().for_each(|spot| self.lose(spot));
    }

    pub(super) fn removed(&mut self, key: u64, spot: Spot) {
        self.entomb(key, spot);
        let known = self.keys.entry(key).or_default();
        let mut replaced: Vec<Spot> = std::mem::take(&mut known.left).into_values().collect();
        replaced.extend(known.item.take());
        replaced.extend(known.removal.replace(spot));
        self.gain(spot);
        replaced.into_iter().for_each(|spot| self.lose(spot));
    }

    fn entomb(&mut self, key: u64, spot: Spot) {
        self.wrote(spot);
        self.raise_next_key(key.saturating_add(1));
        self.segments.entry(spot.segment).or_default().tombstones.insert(key);
    }

    fn gain(&mut self, spot: Spot) {
        self.segments.entry(spot.segment).or_default().live += spot.bytes;
    }

    fn lose(&mut self, spot: Spot) {
        if let Some(segment) = self.segments.get_mut(&spot.segment) {
            segment.live -= spot.bytes;
        }
    }

    /// Forgets a segment that was durably removed; nothing in it was needed.
    pub(super) fn segment_removed(&mut self, number: u64) {
        let Some(segment) = self.segments.remove(&number) else { return };
        for (key, insertions) in segment.insertions {
            if let Some(known) = self.keys.get_mut(&key) {
                known.insertions -= insertions;
            }
            self.forget_without_insertion(key);
        }
    }

    /// Forgets a tombstone whose insertions are gone: nothing can come back.
    fn forget_without_insertion(&mut self, key: u64) {
        if self.keys.get(&key).is_some_and(|known| known.insertions == 0) {
            let forgotten = self.keys.remove(&key).unwrap_or_default();
            forgotten.removal.into_iter().for_each(|spot| self.lose(spot));
            forgotten.left.into_values().for_each(|spot| self.lose(spot));
        }
    }

    /// Sets the size of a segment that was read; some of its bytes may not be records.
    pub(super) fn segment_read(&mut self, number: u64, bytes: u64) {
        self.segments.entry(number).or_default().bytes = bytes;
    }

    /// Forgets tombstones whose insertions are gone, once all segments are read.
    pub(super) fn all_read(&mut self) {
        let keys: Vec<u64> = self.keys.keys().copied().collect();
        keys.into_iter().for_each(|key| self.forget_without_insertion(key));
    }

    pub(super) fn raise_next_key(&mut self, next_key: u64) {
        self.next_key = self.next_key.max(next_key);
    }

    pub(super) fn next_key(&self) -> u64 {
        self.next_key
    }

    pub(super) fn is_alive(&self, key: u64) -> bool {
        self.keys.get(&key).is_some_and(|known| known.item.is_some())
    }

    pub(super) fn has_left(&self, key: u64, table: u32) -> bool {
        self.keys.get(&key).is_some_and(|known| known.left.contains_key(&table))
    }

    /// The tables that a key has left, in order.
    pub(super) fn tables_left(&self, key: u64) -> Vec<u32> {
        self.keys.get(&key).map(|known| known.left.keys().copied().collect()).unwrap_or_default()
    }

    /// The segment before `end` that should be cleaned next: one of which nothing is needed; else, when the disk holds twice what is
    /// needed and `slack` bytes more, the one with the smallest needed fraction, if that is less than half.
    pub(super) fn worst_segment(&self, end: u64, slack: u64) -> Option<u64> {
        let live_fraction = |segment: &Segment| segment.live as f64 / segment.bytes.max(1) as f64;
        let worst =
            self.segments.range(..end).min_by(|(_, a), (_, b)| live_fraction(a).total_cmp(&live_fraction(b)));
        let (&number, segment) = worst?;
        let crowded = || self.disk_bytes() > 2 * self.live_bytes() + slack;
        (segment.live == 0 || (live_fraction(segment) < 0.5 && crowded())).then_some(number)
    }

    /// All keys that have records in a segment.
    pub(super) fn keys_in(&self, segment: u64) -> Vec<u64> {
        let Some(segment) = self.segments.get(&segment) else { return Vec::new() };
        let only_entombed = segment.tombstones.iter().filter(|key| !segment.insertions.contains_key(key));
        segment.insertions.keys().chain(only_entombed).copied().collect()
    }

    /// What would be lost of a key with a segment.
    pub(super) fn needed(&self, key: u64, segment: u64) -> Needed {
        let Some(known) = self.keys.get(&key) else { return Needed::Nothing };
        let is_here = |spot: Spot| spot.segment == segment;
        if known.removal.is_some_and(is_here) && known.insertions > self.insertions_in(key, segment) {
            return Needed::Removal;
        }
        if known.item.is_some_and(is_here) {
            return Needed::Item(known.left.keys().copied().collect());
        }
        let left: Vec<u32> =
            known.left.iter().filter(|(_, spot)| is_here(**spot)).map(|(&table, _)| table).collect();
        if left.is_empty() { Needed::Nothing } else { Needed::Left(left) }
    }

    fn insertions_in(&self, key: u64, segment: u64) -> u32 {
        self.segments.get(&segment).and_then(|segment| segment.insertions.get(&key)).copied().unwrap_or(0)
    }

    pub(super) fn live_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.live).sum()
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }
}
