//! Crash-safe files: what was written is there whole or not at all, and a folder has one owner at a time.
//!
//! Every write of a whole file follows one order: temporary name, fsync, rename, fsync of the folder. A crash at any
//! point leaves either the old content or the new, and at most a temporary that the next write to the same name clears
//! away.
//!
//! What grows record by record goes to a [`SegmentLog`]: append-only files in one folder, each record with its
//! checksums, durable at each commit. It reaches its folder through [`Disk`], of which [`SimulatedDisk`] is one that
//! loses power on demand.

mod atomic;
mod disk;
mod lock;
mod segment;
mod segment_log;
mod segment_reader;
mod segment_recovery;
mod simulated_disk;

use std::path::{Path, PathBuf};

pub use atomic::{atomic_folder, atomic_write, check_writable, sync_folder, write_file};
pub use disk::{Disk, DiskFile, FolderDisk};
pub use lock::FolderLock;
pub use segment::{
    RECORD_HEADER, SEGMENT_HEADER, SEGMENT_VERSION, record_bytes, segment_name, segment_number,
};
pub use segment_log::SegmentLog;
pub use segment_reader::{DamagedRange, Found, Record, SegmentReader};
pub use segment_recovery::{Damage, ReadSegment, ReadSegments};
pub use simulated_disk::SimulatedDisk;

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
    /// The system could not say that what was written is durable (or could not take back half a write): what the
    /// disk holds is unknown until it is read again, so the log writes nothing more.
    #[error("nothing more is written: what the disk holds is unknown since: {cause}; open it again")]
    Unknown {
        /// The first operation that failed, with its file.
        cause: String,
    },
    /// A segment of a format that this program does not know.
    #[error("{} has version {version} of the segment format; this program reads version {SEGMENT_VERSION}", path.display())]
    SegmentVersion {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u16,
    },
}

impl DurableError {
    /// Whether trying again is of no use before what was written has been read again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, DurableError::Unknown { .. })
    }

    /// The exit status of a program that ends with this error.
    #[must_use]
    pub fn exit_code(&self) -> common::ExitCode {
        match self {
            DurableError::Held { .. } => common::ExitCode::Locked,
            _ => common::ExitCode::Storage,
        }
    }
}

/// Puts the operation and the path to an I/O error.
fn at<'a>(operation: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> DurableError + 'a {
    move |source| DurableError::Io { operation, path: path.to_owned(), source }
}
