//! Reads the segments of a folder after a crash, a power loss or damage.

use std::path::PathBuf;

use crate::segment::{Beginning, SEGMENT_HEADER, check_segment_header, segment_name, segment_number};
use crate::{DamagedRange, Disk, DurableError, Found, Record, SegmentReader};

/// Bytes that were durable and cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Path of the segment.
    pub file: PathBuf,
    /// Offset in the segment, in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// The kind of damage, for people.
    pub why: &'static str,
}

/// A segment that is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSegment {
    /// The segment's number.
    pub number: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What was on the disk when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSegments {
    /// All segments, in order.
    pub segments: Vec<ReadSegment>,
    /// Durable bytes that are lost.
    pub damaged: Vec<Damage>,
    /// Bytes at the ends of segments that were written before a crash and never became durable. They are no loss, because they were
    /// not acknowledged.
    pub torn_bytes: u64,
}

/// Reads all segments in order, and makes what it has read durable: a process that was killed may have left the last segment and
/// the folder unsynced.
pub(crate) fn read_segments(
    disk: &dyn Disk,
    visit: &mut dyn FnMut(u64, &Record<'_>),
) -> Result<ReadSegments, DurableError> {
    disk.sync()?;
    let mut numbers: Vec<u64> = disk.names()?.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    let mut read = ReadSegments::default();
    for &number in &numbers {
        let is_last = numbers.last() == Some(&number);
        let bytes = read_segment(disk, number, is_last, &mut read, visit)?;
        read.segments.push(ReadSegment { number, bytes });
    }
    Ok(read)
}

fn read_segment(
    disk: &dyn Disk,
    number: u64,
    is_last: bool,
    read: &mut ReadSegments,
    visit: &mut dyn FnMut(u64, &Record<'_>),
) -> Result<u64, DurableError> {
    let name = segment_name(number);
    let bytes = disk.read(&name)?;
    if let Beginning::Version(version) = check_segment_header(&bytes, number) {
        return Err(DurableError::SegmentVersion { path: disk.path(&name), version });
    }
    let found: Vec<Found<'_>> = SegmentReader::new(&bytes, number).collect();
    let end = if is_last { torn_from(&found) } else { unborn_from(&found, bytes.len()) };
    let end = end.unwrap_or(bytes.len() as u64);
    read.torn_bytes += bytes.len() as u64 - end;
    if is_last {
        disk.truncate(&name, end)?;
    }
    for found in found {
        match found {
            Found::Record(record) if record.offset < end => visit(number, &record),
            Found::Damaged(DamagedRange { offset, length, why }) if offset < end => {
                read.damaged.push(Damage { file: disk.path(&name), offset, length, why });
            }
            Found::Record(_) | Found::Damaged(_) => {}
        }
    }
    Ok(if is_last { end } else { bytes.len() as u64 })
}

/// The offset in the last segment from which not everything became durable. Each record says how much was durable when it was
/// written: damage before that is a loss. Damage behind it is what a power loss leaves, and the records that follow do not count
/// either, because what they build on may be missing.
fn torn_from(found: &[Found<'_>]) -> Option<u64> {
    let synced = |found: &Found<'_>| match found {
        Found::Record(record) => record.synced,
        Found::Damaged(_) => 0,
    };
    let durable = found.iter().map(synced).max().unwrap_or(0);
    found.iter().find_map(|found| match found {
        Found::Damaged(damage) if damage.offset >= durable => Some(damage.offset),
        _ => None,
    })
}

/// A header is durable before the first record is written. So a segment that ends within its header was never used.
fn unborn_from(found: &[Found<'_>], length: usize) -> Option<u64> {
    (length <= SEGMENT_HEADER && !found.is_empty()).then_some(0)
}
