//! A disk in memory that loses power on demand. For tests.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskFile, DurableError, at};

/// A folder in memory, for tests: it knows what is durable and what is only cached, loses at [`SimulatedDisk::crash`]
/// what a power loss may lose, and fails when told to. Clones are handles of the same disk.
///
/// *Operations* are what changes the disk: create, append, sync of a file, cut, truncate (two: cut and sync), remove,
/// sync of the folder. Making a file's content durable does not make its name durable.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk {
    machine: Arc<Mutex<Machine>>,
}

#[derive(Debug, Default)]
struct Machine {
    files: Vec<File>,
    /// Names as they are seen, and as they are after a crash at the worst moment.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// What happened to names since the folder was synced.
    renamed: Vec<NameChange>,
    operations: u64,
    syncs: u64,
    stop_at: Option<u64>,
    fail_sync_at: Option<u64>,
    capacity: Option<u64>,
    stopped: bool,
    /// Files that were open before a crash are of no use after it.
    life: u64,
}

#[derive(Debug, Default)]
struct File {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// The shortest that the file was since it was synced: up to there nothing has changed.
    unchanged: usize,
}

#[derive(Debug)]
enum NameChange {
    Created(String, usize),
    Removed(String),
}

impl SimulatedDisk {
    /// An empty disk without limits.
    #[must_use]
    pub fn new() -> Self {
        SimulatedDisk::default()
    }

    /// Stops the machine before the `n`-th operation from now (from 0) takes effect: it and all later ones fail, until
    /// [`SimulatedDisk::crash`].
    pub fn stop_after(&self, n: u64) {
        let mut machine = self.machine();
        machine.stop_at = Some(machine.operations + n);
    }

    /// Fails the `n`-th sync from now (from 0), of a file or of the folder; nothing becomes durable by it.
    pub fn fail_sync_after(&self, n: u64) {
        let mut machine = self.machine();
        machine.fail_sync_at = Some(machine.syncs + n);
    }

    /// Bounds the bytes of all files together. An append that meets the bound writes what fits and fails.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.machine().capacity = bytes;
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.machine().operations
    }

    /// How many syncs there were, of files and of the folder.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.machine().syncs
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.machine().used()
    }

    /// Whether the machine has stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.machine().stopped
    }

    /// Changes the content of a file behind everybody's back, durably: damage.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut machine = self.machine();
        if let Some(&file) = machine.names.get(name) {
            let file = &mut machine.files[file];
            change(&mut file.live);
            file.sync();
        }
    }

    /// The power goes and comes back. Of what was not synced, `seed` decides what is kept: of each file any prefix of
    /// what was appended, perhaps followed by zeros or by sectors some of which were written; any of the created and
    /// removed names. Open files are closed, and what was told to fail fails no more; the capacity stays.
    pub fn crash(&self, seed: u64) {
        let mut random = SplitMix(seed);
        let mut machine = self.machine();
        machine.keep_some_names(&mut random);
        for file in &mut machine.files {
            file.keep_some(&mut random);
        }
        machine.life += 1;
        machine.stopped = false;
        machine.stop_at = None;
        machine.fail_sync_at = None;
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    fn used(&self) -> u64 {
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

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn create(&mut self, name: &str) -> io::Result<usize> {
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

    fn append(&mut self, file: usize, parts: &[&[u8]]) -> io::Result<()> {
        self.operate()?;
        let bytes = parts.concat();
        let room = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()));
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.files[file].live.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync_file(&mut self, file: usize) -> io::Result<()> {
        self.operate_sync()?;
        self.files[file].sync();
        Ok(())
    }

    fn cut(&mut self, file: usize, length: u64) -> io::Result<()> {
        self.operate()?;
        let file = &mut self.files[file];
        file.live.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        file.unchanged = file.unchanged.min(file.live.len());
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.operate()?;
        self.names.remove(name).ok_or(ErrorKind::NotFound)?;
        self.renamed.push(NameChange::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
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

impl Disk for SimulatedDisk {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("simulated").join(name)
    }

    fn names(&self) -> Result<Vec<String>, DurableError> {
        Ok(self.machine().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, DurableError> {
        let machine = self.machine();
        let read = machine.file(name).map(|file| machine.files[file].live.clone());
        read.map_err(at("read", &self.path(name)))
    }

    fn create(&self, name: &str) -> Result<Box<dyn DiskFile>, DurableError> {
        let path = self.path(name);
        let mut machine = self.machine();
        let file = machine.create(name).map_err(at("create", &path))?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), path, file, life: machine.life }))
    }

    fn truncate(&self, name: &str, length: u64) -> Result<(), DurableError> {
        let path = self.path(name);
        let mut machine = self.machine();
        let file = machine.file(name).map_err(at("open", &path))?;
        machine.cut(file, length).map_err(at("truncate", &path))?;
        machine.sync_file(file).map_err(at("sync", &path))
    }

    fn remove(&self, name: &str) -> Result<(), DurableError> {
        self.machine().remove(name).map_err(at("remove", &self.path(name)))
    }

    fn sync(&self) -> Result<(), DurableError> {
        self.machine().sync_names().map_err(at("sync", Path::new("simulated")))
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    path: PathBuf,
    file: usize,
    life: u64,
}

impl SimulatedFile {
    fn operate(
        &self,
        verb: &'static str,
        operation: impl FnOnce(&mut Machine) -> io::Result<()>,
    ) -> Result<(), DurableError> {
        let mut machine = self.disk.machine();
        let done = if machine.life == self.life {
            operation(&mut machine)
        } else {
            Err(io::Error::other("the file was opened before the machine stopped"))
        };
        done.map_err(at(verb, &self.path))
    }
}

impl DiskFile for SimulatedFile {
    fn append(&mut self, parts: &[&[u8]]) -> Result<(), DurableError> {
        self.operate("append to", |machine| machine.append(self.file, parts))
    }

    fn sync(&mut self) -> Result<(), DurableError> {
        self.operate("sync", |machine| machine.sync_file(self.file))
    }

    fn cut(&mut self, length: u64) -> Result<(), DurableError> {
        self.operate("truncate", |machine| machine.cut(self.file, length))
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
