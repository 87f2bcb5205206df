//! A real folder that fails at a chosen operation, or takes the whole process along.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use durable::{Disk, DiskFile, DurableError, FolderDisk};

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before it.
    DieBefore,
    /// The process dies with half of what is appended written; before it, where nothing is appended.
    DieHalfway,
    /// The process dies after it.
    DieAfter,
    /// Making a file durable fails.
    FailSync,
}

impl Fault {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fault::DieBefore => "die-before",
            Fault::DieHalfway => "die-halfway",
            Fault::DieAfter => "die-after",
            Fault::FailSync => "fail-sync",
        }
    }

    /// The fault of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Fault> {
        [Fault::DieBefore, Fault::DieHalfway, Fault::DieAfter, Fault::FailSync]
            .into_iter()
            .find(|fault| fault.name() == name)
    }
}

/// A [`FolderDisk`] with one fault, at the operation numbered `at` from 0 ([`Fault::FailSync`]: the sync of a file so
/// numbered). Every operation that changes the folder, or makes it durable, counts; a kill while it is read leaves what
/// there was.
#[derive(Debug)]
pub struct FaultyDisk {
    disk: FolderDisk,
    script: Arc<Script>,
}

#[derive(Debug)]
struct Script {
    fault: Fault,
    at: u64,
    counted: AtomicU64,
}

impl FaultyDisk {
    /// Over a folder that exists.
    #[must_use]
    pub fn new(folder: &Path, fault: Fault, at: u64) -> Self {
        let script = Arc::new(Script { fault, at, counted: AtomicU64::new(0) });
        FaultyDisk { disk: FolderDisk::new(folder), script }
    }
}

impl Script {
    fn perform<T>(&self, halfway: impl FnOnce(), operation: impl FnOnce() -> T) -> T {
        if self.fault == Fault::FailSync || self.counted.fetch_add(1, Ordering::SeqCst) != self.at {
            return operation();
        }
        match self.fault {
            Fault::DieHalfway => halfway(),
            Fault::DieAfter => drop(operation()),
            Fault::DieBefore | Fault::FailSync => {}
        }
        // Like kill -9: nothing is flushed, nobody is told.
        std::process::abort()
    }

    fn sync_fails(&self) -> bool {
        self.fault == Fault::FailSync && self.counted.fetch_add(1, Ordering::SeqCst) == self.at
    }
}

fn nothing() {}

impl Disk for FaultyDisk {
    fn path(&self, name: &str) -> PathBuf {
        self.disk.path(name)
    }

    fn names(&self) -> Result<Vec<String>, DurableError> {
        self.disk.names()
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, DurableError> {
        self.disk.read(name)
    }

    fn create(&self, name: &str) -> Result<Box<dyn DiskFile>, DurableError> {
        let file = self.script.perform(nothing, || self.disk.create(name))?;
        Ok(Box::new(FaultyFile { path: self.path(name), file, script: Arc::clone(&self.script) }))
    }

    fn truncate(&self, name: &str, length: u64) -> Result<(), DurableError> {
        self.script.perform(nothing, || self.disk.truncate(name, length))
    }

    fn remove(&self, name: &str) -> Result<(), DurableError> {
        self.script.perform(nothing, || self.disk.remove(name))
    }

    fn sync(&self) -> Result<(), DurableError> {
        self.script.perform(nothing, || self.disk.sync())
    }
}

struct FaultyFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    script: Arc<Script>,
}

impl DiskFile for FaultyFile {
    fn append(&mut self, parts: &[&[u8]]) -> Result<(), DurableError> {
        let whole = parts.concat();
        // Either of two closures may write.
        let file = std::cell::RefCell::new(&mut self.file);
        let write = |bytes: &[u8]| file.borrow_mut().append(&[bytes]);
        self.script.perform(|| drop(write(&whole[..whole.len() / 2])), || write(&whole))
    }

    fn sync(&mut self) -> Result<(), DurableError> {
        if self.script.sync_fails() {
            let source = std::io::Error::other("the device reports an error (made up by a test)");
            return Err(DurableError::Io { operation: "sync", path: self.path.clone(), source });
        }
        self.script.perform(nothing, || self.file.sync())
    }

    fn cut(&mut self, length: u64) -> Result<(), DurableError> {
        self.script.perform(nothing, || self.file.cut(length))
    }
}
