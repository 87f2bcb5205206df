use std::path::{Path, PathBuf};

use crate::segment::SEGMENT_VERSION;
use common::ExitStatus;

/// A file operation failed, or another process holds a folder.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// The system refused an operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "write", "rename".
        operation: &'static str,
        /// Path of the file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another process (or another part of this one) holds the folder.
    #[error("{} is held by process {}", path.display(), holder.as_deref().unwrap_or("(unknown)"))]
    Held {
        /// Path of the folder.
        path: PathBuf,
        /// Process id of the holder, where its lock file could be read.
        holder: Option<String>,
    },
    /// Filling a folder failed; nothing of it is left.
    #[error("cannot fill {}: {source}", path.display())]
    Fill {
        /// Path at which the folder was to appear.
        path: PathBuf,
        /// The error of the caller's function.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A sync failed (or half a write could not be undone): what the disk holds is unknown until it is read again, so the log writes
    /// nothing more.
    #[error(
        "the content of the disk is unknown, and nothing more is written to it, since: {cause}; restart the program to read it again"
    )]
    Unknown {
        /// The first operation that failed, with its file.
        cause: String,
    },
    /// A segment has a version of the format that this program does not read.
    #[error("{} has version {version} of the segment format; this program reads version {SEGMENT_VERSION}", path.display())]
    SegmentVersion {
        /// Path of the segment.
        path: PathBuf,
        /// The segment's version.
        version: u16,
    },
}

impl DurableError {
    /// Whether trying again cannot help before the disk is read again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, DurableError::Unknown { .. })
    }
}

impl ExitStatus for DurableError {
    fn exit_code(&self) -> common::ExitCode {
        match self {
            DurableError::Held { .. } => common::ExitCode::Locked,
            _ => common::ExitCode::Storage,
        }
    }
}

/// Adds the operation and the path to an I/O error.
pub(crate) fn at<'a>(
    operation: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> DurableError + 'a {
    move |source| DurableError::Io { operation, path: path.to_owned(), source }
}
