//! Crash-safe files: what was written is there whole or not at all, and a folder has one owner at a time.
//!
//! Every write follows one order: temporary name, fsync, rename, fsync of the folder. A crash at any point leaves
//! either the old content or the new, and at most a temporary that the next write to the same name clears away.

mod atomic;
mod lock;

use std::path::{Path, PathBuf};

pub use atomic::{atomic_folder, atomic_write, sync_folder};
pub use lock::FolderLock;

/// A file operation that failed, or a folder that somebody else holds.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// The system refused an operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "write", "rename".
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process (or another part of this one) holds the folder.
    #[error("{} is held by process {}", path.display(), holder.as_deref().unwrap_or("(unknown)"))]
    Held {
        /// The folder.
        path: PathBuf,
        /// Process id of the holder, where its lock file could be read.
        holder: Option<String>,
    },
    /// Filling a folder failed; nothing of it is left.
    #[error("cannot fill {}: {source}", path.display())]
    Fill {
        /// The folder that was to appear.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Puts the operation and the path to an I/O error.
fn at<'a>(operation: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> DurableError + 'a {
    move |source| DurableError::Io { operation, path: path.to_owned(), source }
}
