//! A shard in miniature that knows what its storage must remember.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use durable::SimulatedDisk;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use replay::storage::{ItemBytes, Observer, Recovered, Storage, StorageError, StorageOptions};

/// Small, so that a short history fills many segments.
pub const SEGMENT_BYTES: u64 = 400;
const TABLES: u32 = 3;
const SESSIONS: usize = 2;
/// For each session the next sequence number.
type Marks = [u64; SESSIONS];

/// What is true of a key, and what was promised of it.
#[derive(Clone, Debug, Default)]
struct Fate {
    session: usize,
    sequence: u64,
    length: usize,
    insertion_committed: bool,
    removed: bool,
    removal_committed: bool,
    left: BTreeSet<u32>,
    left_committed: BTreeSet<u32>,
}

impl Fate {
    fn meta(&self) -> [u8; 16] {
        let mut meta = [0; 16];
        meta[..8].copy_from_slice(&(self.session as u64).to_le_bytes());
        meta[8..].copy_from_slice(&self.sequence.to_le_bytes());
        meta
    }

    fn blocks(&self, key: u64) -> [Vec<u8>; 2] {
        let byte = |at: usize| (at as u64 * 7 + key) as u8;
        [(0..self.length).map(byte).collect(), (0..self.length / 3).map(byte).collect()]
    }
}

/// Deduplication marks as a shard rebuilds them.
#[derive(Default)]
struct Rebuilt(Marks);

impl Observer for Rebuilt {
    fn inserted(&mut self, _key: u64, meta: &[u8]) {
        let session = usize::from(meta[0]);
        let sequence = u64::from_le_bytes(meta[8..].try_into().unwrap());
        self.0[session] = self.0[session].max(sequence + 1);
    }

    fn state(&mut self, bytes: &[u8]) {
        for (mark, bytes) in self.0.iter_mut().zip(bytes.as_chunks().0) {
            *mark = u64::from_le_bytes(*bytes);
        }
    }
}

/// The shard. Its disk is the only thing that survives [`Model::open`].
pub struct Model {
    pub disk: SimulatedDisk,
    pub storage: Option<Storage>,
    fates: BTreeMap<u64, Fate>,
    marks: Marks,
    committed_marks: Marks,
    /// Below this all keys have been promised to be used up.
    used_keys: u64,
    random: ChaCha8Rng,
}

impl Model {
    pub fn new(seed: u64) -> Self {
        Model {
            disk: SimulatedDisk::new(),
            storage: None,
            fates: BTreeMap::new(),
            marks: [0; SESSIONS],
            committed_marks: [0; SESSIONS],
            used_keys: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Opens the storage and holds what it has recovered against what it must have.
    pub fn open(&mut self) -> Result<(), StorageError> {
        let mut rebuilt = Rebuilt::default();
        let options = StorageOptions { segment_bytes: SEGMENT_BYTES };
        let (storage, recovered) = Storage::open(Arc::new(self.disk.clone()), options, &mut rebuilt)?;
        self.check(&recovered, rebuilt.0);
        self.learn(&recovered, rebuilt.0);
        self.storage = Some(storage);
        Ok(())
    }

    fn check(&self, recovered: &Recovered, marks: Marks) {
        assert_eq!(recovered.damaged, [], "a power loss is no damage");
        assert!(recovered.items.is_sorted_by(|a, b| a.key < b.key), "an item came twice");
        let mut alive = BTreeSet::new();
        for item in &recovered.items {
            let fate = self.fates.get(&item.key).expect("recovered what was never inserted");
            assert!(!fate.removal_committed, "{} came back", item.key);
            assert_eq!(
                (item.meta.as_slice(), &item.blocks),
                (fate.meta().as_slice(), &fate.blocks(item.key))
            );
            let left: BTreeSet<u32> = item.left.iter().copied().collect();
            assert!(
                left.is_superset(&fate.left_committed) && left.is_subset(&fate.left),
                "{left:?}, {fate:?}"
            );
            assert!(item.key < recovered.next_key);
            alive.insert(item.key);
        }
        for (key, fate) in &self.fates {
            // An actor does not send again what is below the mark of its session.
            let promised = fate.insertion_committed || fate.sequence < marks[fate.session];
            assert!(!promised || fate.removed || alive.contains(key), "{key} is lost: {fate:?}, {marks:?}");
        }
        for session in 0..SESSIONS {
            assert!(marks[session] >= self.committed_marks[session], "{marks:?}, {:?}", self.committed_marks);
            assert!(marks[session] <= self.marks[session], "{marks:?}, {:?}", self.marks);
        }
        assert!(recovered.next_key >= self.used_keys, "key {} would be used again", recovered.next_key);
    }

    /// What was recovered is what is true from now on.
    fn learn(&mut self, recovered: &Recovered, marks: Marks) {
        // A key that was not recovered and is not used up may be given to another item.
        self.fates.retain(|&key, _| key < recovered.next_key);
        for fate in self.fates.values_mut() {
            (fate.removed, fate.removal_committed) = (true, true);
        }
        for item in &recovered.items {
            let fate = self.fates.get_mut(&item.key).unwrap();
            (fate.insertion_committed, fate.removed, fate.removal_committed) = (true, false, false);
            fate.left = item.left.iter().copied().collect();
            fate.left_committed = fate.left.clone();
        }
        (self.marks, self.committed_marks) = (marks, marks);
        self.used_keys = recovered.next_key;
    }

    /// A random thing that shards do. An error leaves the model as it was.
    pub fn step(&mut self) -> Result<(), StorageError> {
        match self.random.random_range(0..100) {
            // About as many leave as come, so that there is much to clean.
            0..65 if self.alive().count() < 15 => self.insert(),
            0..30 => self.insert(),
            30..65 => self.remove_some(),
            65..75 => self.leave(),
            75..78 => self.save_state(),
            78..97 => self.commit(),
            _ => {
                self.fill_or_free_disk();
                Ok(())
            }
        }
    }

    pub fn insert(&mut self) -> Result<(), StorageError> {
        let session = self.random.random_range(0..SESSIONS);
        let length = if self.random.random_ratio(1, 60) { 70_000 } else { self.random.random_range(0..150) };
        let fate = Fate { session, sequence: self.marks[session], length, ..Fate::default() };
        let storage = self.storage.as_mut().unwrap();
        let key = storage.next_key();
        let blocks = fate.blocks(key);
        storage.insert(key, ItemBytes { meta: &fate.meta(), blocks: [&blocks[0], &blocks[1]] })?;
        self.marks[session] += 1;
        self.fates.insert(key, fate);
        Ok(())
    }

    pub fn leave(&mut self) -> Result<(), StorageError> {
        let table = self.random.random_range(0..TABLES);
        let Some(key) = self.some_key() else { return Ok(()) };
        self.storage.as_mut().unwrap().leave(key, table)?;
        self.fates.get_mut(&key).unwrap().left.insert(table);
        Ok(())
    }

    fn remove_some(&mut self) -> Result<(), StorageError> {
        let oldest = self.alive().next();
        let key = if self.random.random_bool(0.3) { oldest } else { self.some_key() };
        key.map_or(Ok(()), |key| self.remove(key))
    }

    pub fn remove(&mut self, key: u64) -> Result<(), StorageError> {
        self.storage.as_mut().unwrap().remove(key)?;
        self.fates.get_mut(&key).unwrap().removed = true;
        Ok(())
    }

    pub fn save_state(&mut self) -> Result<(), StorageError> {
        self.storage.as_mut().unwrap().state(&encode(self.marks))
    }

    /// Commits, and then cleans a little.
    pub fn commit(&mut self) -> Result<(), StorageError> {
        let marks = self.marks;
        let storage = self.storage.as_mut().unwrap();
        storage.commit(&|| encode(marks))?;
        self.committed_marks = marks;
        self.used_keys = storage.next_key();
        for fate in self.fates.values_mut() {
            fate.insertion_committed = true;
            fate.removal_committed = fate.removed;
            fate.left_committed = fate.left.clone();
        }
        self.clean(300)
    }

    pub fn clean(&mut self, budget: u64) -> Result<(), StorageError> {
        let fates = &self.fates;
        self.storage.as_mut().unwrap().clean(budget, &|key, show| {
            if let Some(fate) = fates.get(&key).filter(|fate| !fate.removed) {
                let blocks = fate.blocks(key);
                show(ItemBytes { meta: &fate.meta(), blocks: [&blocks[0], &blocks[1]] });
            }
        })
    }

    fn fill_or_free_disk(&mut self) {
        let room = self.random.random_range(0..400);
        let capacity = self.random.random_bool(0.3).then(|| self.disk.bytes() + room);
        self.disk.set_capacity(capacity);
    }

    pub fn alive(&self) -> impl Iterator<Item = u64> {
        self.fates.iter().filter(|(_, fate)| !fate.removed).map(|(&key, _)| key)
    }

    fn some_key(&mut self) -> Option<u64> {
        let alive: Vec<u64> = self.alive().collect();
        (!alive.is_empty()).then(|| alive[self.random.random_range(0..alive.len())])
    }
}

fn encode(marks: Marks) -> Vec<u8> {
    marks.iter().flat_map(|mark| mark.to_le_bytes()).collect()
}
