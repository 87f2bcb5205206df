//! The files of a key folder, and how a set of them takes its place.
//!
//! New files are written into `.unfinished-keys`, which is renamed to `.new-keys` once all of them are on the disk; from
//! there they are moved into the key folder. A kill before the renaming leaves the folder as it was, and a kill after it
//! leaves `.new-keys`, from which the next `longshore keygen` goes on.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use common::user_file::read_text;

use crate::{Role, TransportError};

/// Most bytes of a key file: one line of text, with room.
const MOST_BYTES: u64 = 4096;
/// Holds files that are being written.
const UNFINISHED: &str = ".unfinished-keys";
/// Holds complete files that are to be moved into the key folder.
const READY: &str = ".new-keys";

/// A key file that is to be written.
pub(super) struct NewFile {
    pub name: String,
    pub key: [u8; 32],
    pub mode: u32,
}

impl NewFile {
    /// Whether a folder holds this key under this name already, not readable by more people than it may be.
    pub fn is_in(&self, folder: &Path) -> bool {
        let path = folder.join(&self.name);
        let mode = fs::metadata(&path).map(|metadata| metadata.permissions().mode() & 0o777);
        read_key(&path).is_ok_and(|key| key == self.key) && mode.is_ok_and(|mode| mode & !self.mode == 0)
    }
}

pub(super) fn public_name(role: Role) -> String {
    format!("{role}.public")
}

pub(super) fn secret_name(role: Role) -> String {
    format!("{role}.secret")
}

pub(super) fn key_error(path: &Path, message: String) -> TransportError {
    TransportError::Key { path: path.to_owned(), message }
}

pub(super) fn read_key(path: &Path) -> Result<[u8; 32], TransportError> {
    let text = read_text(path, MOST_BYTES)
        .map_err(|error| key_error(path, format!("{error}; `longshore keygen` makes it")))?;
    zmq::z85_decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).ok_or_else(|| {
        key_error(path, "holds no key: one line of 40 characters of Z85 is expected".to_owned())
    })
}

pub(super) fn check_mode(path: &Path) -> Result<(), TransportError> {
    let metadata = fs::metadata(path)
        .map_err(|error| key_error(path, format!("{error}; `longshore keygen` makes it")))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(key_error(path, format!("others may read it (mode {mode:03o}); run: chmod 600 {}", path.display())))
}

/// Refuses a folder in which `longshore keygen` was interrupted: old and new keys may lie side by side there.
pub(super) fn check_finished(folder: &Path) -> Result<(), TransportError> {
    let ready = folder.join(READY);
    if !ready.exists() {
        return Ok(());
    }
    let message = "holds keys that are not in their places yet: `longshore keygen` was interrupted; give the same command again";
    Err(key_error(&ready, message.to_owned()))
}

/// Writes files into a key folder, in which nobody else writes: all of them take their places, or none does, or
/// [`finish`] goes on.
pub(super) fn put(folder: &Path, files: &[NewFile]) -> Result<(), TransportError> {
    let unfinished = folder.join(UNFINISHED);
    let written = write_all(&unfinished, files);
    if written.is_err() {
        // Half a set is of no use; where it cannot be removed, the next call does.
        let _ = fs::remove_dir_all(&unfinished);
    }
    written?;
    let ready = folder.join(READY);
    fs::rename(&unfinished, &ready).map_err(cannot_write(&ready))?;
    sync(folder)?;
    finish(folder).map(|_| ())
}

/// Completes or clears away what an interrupted [`put`] has left, and says which files it moved.
pub(super) fn finish(folder: &Path) -> Result<Vec<PathBuf>, TransportError> {
    let unfinished = folder.join(UNFINISHED);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(cannot_write(&unfinished))?;
    }
    let ready = folder.join(READY);
    if !ready.exists() {
        return Ok(Vec::new());
    }
    let mut moved = Vec::new();
    for entry in fs::read_dir(&ready).map_err(cannot_write(&ready))? {
        let entry = entry.map_err(cannot_write(&ready))?;
        let target = folder.join(entry.file_name());
        fs::rename(entry.path(), &target).map_err(cannot_write(&target))?;
        moved.push(target);
    }
    sync(folder)?;
    fs::remove_dir(&ready).map_err(cannot_write(&ready))?;
    sync(folder)?;
    moved.sort();
    Ok(moved)
}

fn write_all(folder: &Path, files: &[NewFile]) -> Result<(), TransportError> {
    fs::DirBuilder::new().mode(0o700).create(folder).map_err(cannot_write(folder))?;
    for file in files {
        let path = folder.join(&file.name);
        let text = zmq::z85_encode(&file.key)
            .map_err(|_| key_error(&path, "the key cannot be encoded".to_owned()))?;
        let write = || -> std::io::Result<()> {
            let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(file.mode).open(&path)?;
            writeln!(open, "{text}")?;
            open.sync_all()
        };
        write().map_err(cannot_write(&path))?;
    }
    sync(folder)
}

/// Makes what happened to a folder's entries durable.
fn sync(folder: &Path) -> Result<(), TransportError> {
    fs::File::open(folder).and_then(|open| open.sync_all()).map_err(cannot_write(folder))
}

pub(super) fn cannot_write(path: &Path) -> impl FnOnce(std::io::Error) -> TransportError {
    let path = path.to_owned();
    move |source| TransportError::KeyFile { path, source }
}
