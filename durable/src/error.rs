use std::path::{Path, PathBuf};

use crate::segment::SEGMENT_VERSION;
use common::ExitStatus;

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
}

impl ExitStatus for DurableError {
    fn exit_code(&self) -> common::ExitCode {
        match self {
            DurableError::Held { .. } => common::ExitCode::Locked,
            _ => common::ExitCode::Storage,
        }
    }
}

/// Puts the operation and the path to an I/O error.
pub(crate) fn at<'a>(
    operation: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> DurableError + 'a {
    move |source| DurableError::Io { operation, path: path.to_owned(), source }
}
