//! A disk in memory that loses power on demand, for tests.

mod machine;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::machine::Machine;
use crate::disk::{Disk, DiskFile};
use crate::error::{DurableError, at};

/// A folder in memory, for tests. It knows what is durable and what is only cached, loses at [`SimulatedDisk::crash`] what a power
/// loss may lose, and fails on demand. Clones are handles of the same disk.
///
/// *Operations* are what changes the disk: create, append, sync of a file, cut, truncate (two: cut and sync), remove,
/// sync of the folder. Making a file's content durable does not make its name durable.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk {
    machine: Arc<Mutex<Machine>>,
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

    /// Fails the `n`-th sync from now (from 0), of a file or of the folder; it makes nothing durable.
    pub fn fail_sync_after(&self, n: u64) {
        let mut machine = self.machine();
        machine.fail_sync_at = Some(machine.syncs + n);
    }

    /// Limits the bytes of all files together. An append beyond the limit writes what fits, and fails.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.machine().capacity = bytes;
    }

    /// Number of operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.machine().operations
    }

    /// Number of syncs so far, of files and of the folder.
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

    /// Damages the content of a file, durably.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut machine = self.machine();
        if let Ok(file) = machine.file(name) {
            machine.files[file].damage(change);
        }
    }

    /// Simulates a power loss and a restart. Of what was not synced, `seed` decides what is kept: of each file any prefix of
    /// what was appended, perhaps followed by zeros or by sectors some of which were written; any of the created and
    /// removed names. Open files are closed, and failures on demand are cancelled; the capacity stays.
    pub fn crash(&self, seed: u64) {
        self.machine().crash(seed);
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
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
        let read = machine.file(name).map(|file| machine.files[file].content().to_vec());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What one may find after a power loss, over many seeds.
    fn outcomes(prepare: impl Fn(&SimulatedDisk)) -> BTreeSet<Option<Vec<u8>>> {
        let outcome = |seed| {
            let disk = SimulatedDisk::new();
            prepare(&disk);
            disk.crash(seed);
            disk.read("a").ok()
        };
        (0..200).map(outcome).collect()
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_is_kept_in_any_part() {
        let found = outcomes(|disk| {
            let mut file = disk.create("a").unwrap();
            file.append(&[b"12"]).unwrap();
            file.sync().unwrap();
            disk.sync().unwrap();
            file.append(&[b"34"]).unwrap();
        });
        let kept = |bytes: &[u8]| found.contains(&Some(bytes.to_vec()));
        assert!(kept(b"12") && kept(b"123") && kept(b"1234") && kept(b"12\0\0") && kept(b"123\0"));
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn a_name_is_not_durable_with_its_file_but_with_its_folder() {
        let create = |disk: &SimulatedDisk| {
            let mut file = disk.create("a").unwrap();
            file.append(&[b"1"]).unwrap();
            file.sync().unwrap();
        };
        assert_eq!(outcomes(create), [None, Some(b"1".to_vec())].into());
        let create_durably = |disk: &SimulatedDisk| {
            create(disk);
            disk.sync().unwrap();
        };
        assert_eq!(outcomes(create_durably), [Some(b"1".to_vec())].into());
        let remove = |disk: &SimulatedDisk| {
            create_durably(disk);
            disk.remove("a").unwrap();
        };
        assert_eq!(outcomes(remove), [None, Some(b"1".to_vec())].into());
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_a_stopped_machine_nothing() {
        let disk = SimulatedDisk::new();
        disk.set_capacity(Some(3));
        let mut file = disk.create("a").unwrap();
        let error = file.append(&[b"12", b"34"]).unwrap_err();
        assert!(error.to_string().starts_with("cannot append to simulated/a: "), "{error}");
        assert_eq!(disk.read("a").unwrap(), b"123");
        disk.stop_after(1);
        file.cut(2).unwrap();
        assert!(file.sync().is_err() && disk.remove("a").is_err() && disk.is_stopped());
        disk.crash(0);
        assert!(file.append(&[b"5"]).is_err(), "the file was open before the crash");
    }
}
