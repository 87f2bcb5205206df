//! What a [`SimulatedDisk`](super::SimulatedDisk) holds, and what a power loss leaves of it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) files: Vec<File>,
    /// Names as processes see them, and as they are after a crash.
    pub(super) names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the folder was synced.
    renamed: Vec<NameChange>,
    pub(super) operations: u64,
    pub(super) syncs: u64,
    pub(super) stop_at: Option<u64>,
    pub(super) fail_sync_at: Option<u64>,
    pub(super) capacity: Option<u64>,
    pub(super) stopped: bool,
    /// Counts crashes: files that were open before one cannot be used after it.
    pub(super) life: u64,
}

#[derive(Debug, Default)]
pub(super) struct File {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// The shortest length since the last sync: up to there nothing has changed.
    unchanged: usize,
}

#[derive(Debug)]
enum NameChange {
    Created(String, usize),
    Removed(String),
}

impl Machine {
    pub(super) fn crash(&mut self, seed: u64) {
        let mut random = SplitMix(seed);
        self.keep_some_names(&mut random);
        for file in &mut self.files {
            file.keep_some(&mut random);
        }
        self.life += 1;
        self.stopped = false;
        self.stop_at = None;
        self.fail_sync_at = None;
    }

    pub(super) fn used(&self) -> u64 {
        self.names.values().map(|&file| self.files[file].live.len() as u64).sum()
    }

    fn operate(&mut self) -> io::Result<()> {
        self.stopped |= self.stop_at == Some(self.operations);
        if self.stopped {
            return Err(io::Error::other("the machine has stopped"));
        }
        self.operations += 1;
        Ok(())
    }

    fn operate_sync(&mut self) -> io::Result<()> {
        self.operate()?;
        let fails = self.fail_sync_at == Some(self.syncs);
        self.syncs += 1;
        if fails { Err(io::Error::other("the device reports an error")) } else { Ok(()) }
    }

    pub(super) fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<usize> {
        self.operate()?;
        if self.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = self.files.len();
        self.files.push(File::default());
        self.names.insert(name.to_owned(), file);
        self.renamed.push(NameChange::Created(name.to_owned(), file));
        Ok(file)
    }

    pub(super) fn append(&mut self, file: usize, parts: &[&[u8]]) -> io::Result<()> {
        self.operate()?;
        let bytes = parts.concat();
        let room = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()));
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.files[file].live.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn sync_file(&mut self, file: usize) -> io::Result<()> {
        self.operate_sync()?;
        self.files[file].sync();
        Ok(())
    }

    pub(super) fn cut(&mut self, file: usize, length: u64) -> io::Result<()> {
        self.operate()?;
        let file = &mut self.files[file];
        file.live.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        file.unchanged = file.unchanged.min(file.live.len());
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.operate()?;
        self.names.remove(name).ok_or(ErrorKind::NotFound)?;
        self.renamed.push(NameChange::Removed(name.to_owned()));
        Ok(())
    }

    pub(super) fn sync_names(&mut self) -> io::Result<()> {
        self.operate_sync()?;
        self.durable_names = self.names.clone();
        self.renamed.clear();
        Ok(())
    }

    fn keep_some_names(&mut self, random: &mut SplitMix) {
        for change in std::mem::take(&mut self.renamed) {
            if random.coin() {
                continue;
            }
            match change {
                NameChange::Created(name, file) => self.durable_names.insert(name, file),
                NameChange::Removed(name) => self.durable_names.remove(&name),
            };
        }
        self.names = self.durable_names.clone();
    }
}

impl File {
    pub(super) fn content(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn damage(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.live);
        self.sync();
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.live);
        self.unchanged = self.durable.len();
    }

    fn keep_some(&mut self, random: &mut SplitMix) {
        const SECTOR: usize = 64; // smaller than real ones, as the files of tests are
        let cut_back = self.live.len() < self.durable.len() || self.unchanged < self.durable.len();
        if cut_back && random.coin() {
            self.live.clone_from(&self.durable);
        }
        let unchanged = self.unchanged.min(self.live.len());
        let unsynced = self.live.len() - unchanged;
        match random.below(4) {
            0 => self.live.truncate(unchanged),
            1 => self.live.truncate(unchanged + random.below(unsynced + 1)),
            2 => self.live[unchanged + random.below(unsynced + 1)..].fill(0),
            _ => {
                for sector in self.live[unchanged..].chunks_mut(SECTOR) {
                    if random.coin() {
                        sector.fill(0);
                    }
                }
            }
        }
        self.sync();
    }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
