//! Appends records to segments.

use common::checksum::crc32c_of;
use std::fmt;
use std::sync::Arc;

use crate::segment::{Place, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, segment_header, segment_name};
use crate::segment_recovery::read_segments;
use crate::{Disk, DiskFile, DurableError, ReadSegments, Record};

/// Small records are collected and written together, this many bytes at a time.
const BUFFER: usize = 256 << 10;
/// Records of at least this size are written at once, without being copied.
const LARGE: usize = 64 << 10;

/// An append-only log in the segments of one folder. A segment is written by one process; each time the log is opened, a new one
/// begins. A segment is durable before the next one is created.
///
/// A failed append changes nothing: the file is shortened again, earlier records are kept, and append and commit may be tried
/// again, for example when the disk has room. A failed sync is final ([`DurableError::Unknown`]): the system may have dropped the
/// pages that it could not write, so neither a second sync nor what can still be read shows what is durable ("fsyncgate"; Rebello et al., USENIX ATC 2020).
pub struct SegmentLog {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    next: u64,
    /// None until the first record after the start, or after a full segment.
    active: Option<Active>,
    /// Records that are still to be written to the active segment.
    buffer: Vec<u8>,
    /// The operation that made the content of the disk unknown.
    failed: Option<String>,
}

/// The segment that is being written.
struct Active {
    number: u64,
    file: Box<dyn DiskFile>,
    written: u64,
    durable: u64,
}

impl SegmentLog {
    /// Opens the log of a folder that no other process uses: passes all its records to `visit`, with the numbers of their segments
    /// and in the order of writing, and cuts off what never became durable. A segment is full when it has `segment_bytes` bytes.
    ///
    /// # Errors
    /// [`DurableError::Io`], [`DurableError::SegmentVersion`].
    pub fn open(
        disk: Arc<dyn Disk>,
        segment_bytes: u64,
        visit: &mut dyn FnMut(u64, &Record<'_>),
    ) -> Result<(Self, ReadSegments), DurableError> {
        let read = read_segments(&*disk, visit)?;
        let next = read.segments.last().map_or(1, |last| last.number.saturating_add(1));
        let log = SegmentLog { disk, segment_bytes, next, active: None, buffer: Vec::new(), failed: None };
        Ok((log, read))
    }

    /// Appends a record with the payload `parts`, one after the other, and returns the number of its segment. It is
    /// durable after the next [`SegmentLog::commit`].
    ///
    /// # Errors
    /// [`DurableError::Io`], and the record is not in the log; [`DurableError::Unknown`].
    pub fn append(&mut self, kind: u8, parts: &[&[u8]]) -> Result<u64, DurableError> {
        self.refuse_unknown()?;
        let active = self.active()?;
        let (number, durable, written) = (active.number, active.durable, active.written);
        let place = Place { segment: number, offset: written + self.buffer.len() as u64 };
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let payload = crc32c_of(parts.iter().copied());
        let header = RecordHeader { kind, length: length as u64, synced: durable, payload }.encode(place);
        if length >= LARGE {
            self.write(&[&[header.as_slice()], parts].concat())?;
            return Ok(number);
        }
        if self.buffer.len() + RECORD_HEADER + length > BUFFER {
            self.write(&[])?;
        }
        self.buffer.extend_from_slice(&header);
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        Ok(number)
    }

    /// Makes everything that was appended durable; costs nothing when nothing was.
    ///
    /// # Errors
    /// [`DurableError::Io`] when the buffer could not be written: all is kept, and another commit may succeed;
    /// [`DurableError::Unknown`].
    pub fn commit(&mut self) -> Result<(), DurableError> {
        self.refuse_unknown()?;
        if !self.has_uncommitted() {
            return Ok(());
        }
        self.write(&[])?;
        let Some(active) = &mut self.active else { return Ok(()) };
        if let Err(error) = active.file.sync() {
            return Err(self.lose_track(&error));
        }
        active.durable = active.written;
        if active.written >= self.segment_bytes {
            self.active = None;
        }
        Ok(())
    }

    /// Whether something was appended since the last commit.
    #[must_use]
    pub fn has_uncommitted(&self) -> bool {
        let unsynced = |active: &Active| active.written > active.durable;
        !self.buffer.is_empty() || self.active.as_ref().is_some_and(unsynced)
    }

    /// The segment that the next record goes to; none when it is not created yet.
    #[must_use]
    pub fn active_segment(&self) -> Option<u64> {
        self.active.as_ref().map(|active| active.number)
    }

    /// Removes a segment other than the active one; it cannot come back when this returns.
    ///
    /// # Errors
    /// [`DurableError::Io`], and the segment is still there; [`DurableError::Unknown`].
    pub fn remove(&mut self, number: u64) -> Result<(), DurableError> {
        debug_assert_ne!(self.active_segment(), Some(number), "the active segment is in use");
        self.refuse_unknown()?;
        self.disk.remove(&segment_name(number))?;
        self.disk.sync().map_err(|error| self.lose_track(&error))
    }

    /// Writes the buffer and then `parts`, as a whole or not at all.
    fn write(&mut self, parts: &[&[u8]]) -> Result<(), DurableError> {
        let Some(active) = &mut self.active else { return Ok(()) };
        let all = [&[self.buffer.as_slice()], parts].concat();
        let length: usize = all.iter().map(|part| part.len()).sum();
        if let Err(error) = active.file.append(&all) {
            let cut = active.file.cut(active.written);
            cut.map_err(|error| self.lose_track(&error))?;
            return Err(error);
        }
        active.written += length as u64;
        self.buffer.clear();
        Ok(())
    }

    fn active(&mut self) -> Result<&mut Active, DurableError> {
        let active = match self.active.take() {
            Some(active) => active,
            None => self.begin()?,
        };
        Ok(self.active.insert(active))
    }

    /// Creates the next segment; its name and its header are durable before a record is written to it.
    fn begin(&mut self) -> Result<Active, DurableError> {
        let number = self.next;
        let name = segment_name(number);
        let mut file = self.disk.create(&name)?;
        // The number is not used again even if the header cannot be written: the name may come back after a crash.
        self.next = number.saturating_add(1);
        if let Err(error) = file.append(&[&segment_header(number)]) {
            // An empty segment that stays behind does no harm.
            let _ = self.disk.remove(&name);
            return Err(error);
        }
        file.sync().and_then(|()| self.disk.sync()).map_err(|error| self.lose_track(&error))?;
        let written = SEGMENT_HEADER as u64;
        Ok(Active { number, file, written, durable: written })
    }

    fn lose_track(&mut self, error: &DurableError) -> DurableError {
        let cause = self.failed.get_or_insert_with(|| error.to_string()).clone();
        DurableError::Unknown { cause }
    }

    fn refuse_unknown(&self) -> Result<(), DurableError> {
        match &self.failed {
            Some(cause) => Err(DurableError::Unknown { cause: cause.clone() }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for SegmentLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentLog")
            .field("active", &self.active_segment())
            .field("next", &self.next)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
