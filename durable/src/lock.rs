//! The lock by which a folder has one owner.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::error::{DurableError, at};

const LOCK_FILE: &str = "lock";

/// An exclusive lock of a folder. It is released when it is dropped, or when the process ends in any way: the system keeps the lock,
/// and the file `lock` in the folder only carries it and the holder's process id.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Locks the folder, which must exist.
    ///
    /// # Errors
    /// [`DurableError::Held`] when it is locked already; [`DurableError::Io`].
    pub fn take(folder: &Path) -> Result<Self, DurableError> {
        let path = folder.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(at("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(folder, &mut file)),
            Err(TryLockError::Error(source)) => return Err(at("lock", &path)(source)),
        }
        let mut write = || {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())?;
            file.sync_all()
        };
        write().map_err(at("write", &path))?;
        Ok(FolderLock { _file: file })
    }
}

fn held(folder: &Path, file: &mut File) -> DurableError {
    let mut text = String::new();
    // The id is only for the message: a lock file that cannot be read is still a lock.
    let holder = file.read_to_string(&mut text).ok().map(|_| text.trim().to_owned());
    DurableError::Held { path: folder.to_owned(), holder: holder.filter(|id| !id.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_by_name_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let error = FolderLock::take(folder.path()).unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(first);
        FolderLock::take(folder.path()).unwrap();
    }

    #[test]
    fn the_lock_file_of_a_dead_process_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK_FILE), "999999\n").unwrap();
        FolderLock::take(folder.path()).unwrap();
    }
}
