//! The folder of a study: what is in it, and whether somebody works on it.

use std::path::Path;

use sweep::{State, SweepError, read_journal};

/// The state of the study in a folder.
///
/// # Errors
/// Where it holds none.
pub fn state(folder: &Path) -> Result<State, SweepError> {
    let entries = read_journal(folder)?;
    State::of(&entries)?.ok_or_else(|| SweepError::NoStudy {
        folder: folder.to_owned(),
        source: std::io::Error::from(std::io::ErrorKind::NotFound),
    })
}

/// Whether a coordinator runs the study in a folder: it holds the folder's lock.
pub fn has_coordinator(folder: &Path) -> bool {
    durable::FolderLock::take(folder).is_err()
}
