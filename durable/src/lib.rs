//! Crash-safe files: a write takes effect as a whole or not at all, and a folder has one owner at a time.
//!
//! Every write of a whole file follows one order: temporary name, fsync, rename, fsync of the folder. A crash at any
//! point leaves either the old content or the new, and at most a temporary file that the next write to the same name removes.
//!
//! Data that grows record by record goes to a [`SegmentLog`]: append-only files in one folder, whose records have checksums and
//! are durable after each commit. The log uses its folder through [`Disk`]; [`SimulatedDisk`] is one that loses power on demand.

mod atomic;
mod disk;
mod error;
mod lock;
mod segment;
mod segment_log;
mod segment_reader;
mod segment_recovery;
mod simulated_disk;

pub use atomic::{atomic_folder, atomic_write, check_writable, remove_leftovers, sync_folder, write_file};
pub use disk::{Disk, DiskFile, FolderDisk};
pub use error::DurableError;
pub use lock::FolderLock;
pub use segment::{
    RECORD_HEADER, SEGMENT_HEADER, SEGMENT_VERSION, record_bytes, segment_name, segment_number,
};
pub use segment_log::SegmentLog;
pub use segment_reader::{DamagedRange, Found, Record, SegmentReader};
pub use segment_recovery::{Damage, ReadSegment, ReadSegments};
pub use simulated_disk::SimulatedDisk;
