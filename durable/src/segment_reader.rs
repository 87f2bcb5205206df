//! Reads the records of a segment, whose bytes may be damaged anywhere.

use crate::segment::{Beginning, Place, RECORD_MAGIC, RecordHeader, check_segment_header};
use crate::{RECORD_HEADER, SEGMENT_HEADER};
use common::checksum::crc32c;

/// A record whose checksums hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the segment, in bytes.
    pub offset: u64,
    /// How many bytes of the segment were durable when it was written.
    pub synced: u64,
    /// Its kind, which the log does not interpret.
    pub kind: u8,
    /// Bytes that were appended as this record.
    pub payload: &'a [u8],
}

/// Bytes of a segment that should hold records and do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// Its offset in the segment, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The kind of damage, for people.
    pub why: &'static str,
}

/// What comes next in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A valid record.
    Record(Record<'a>),
    /// A damaged range, up to the next record or the end.
    Damaged(DamagedRange),
}

/// Iterates over the bytes of one segment. Records and damaged ranges, in order, cover everything behind the header; a damaged
/// header is a range, too. After damage the reader goes on at the next header of a record whose own checksum
/// holds. The time is linear in the number of bytes, and nothing is copied.
#[derive(Clone, Debug)]
pub struct SegmentReader<'a> {
    bytes: &'a [u8],
    number: u64,
    offset: usize,
}

impl<'a> SegmentReader<'a> {
    /// Reads the content of segment `number` from its beginning.
    #[must_use]
    pub fn new(bytes: &'a [u8], number: u64) -> Self {
        SegmentReader { bytes, number, offset: 0 }
    }

    fn header_at(&self, offset: usize) -> Option<RecordHeader> {
        let place = Place { segment: self.number, offset: offset as u64 };
        RecordHeader::decode(self.bytes.get(offset..)?, place)
    }

    /// The payload of the record at `offset`; none when the segment is too short for what the header says.
    fn payload(&self, offset: usize, header: &RecordHeader) -> Option<&'a [u8]> {
        let rest = self.bytes.get(offset + RECORD_HEADER..)?;
        rest.get(..usize::try_from(header.length).ok()?)
    }

    fn record(&self, offset: usize) -> Result<(Record<'a>, usize), (DamagedRange, usize)> {
        let broken = |why, end: usize| {
            (DamagedRange { offset: offset as u64, length: (end - offset) as u64, why }, end)
        };
        let Some(header) = self.header_at(offset) else {
            return Err(broken("the header of a record is damaged", self.next_record(offset + 1)));
        };
        let Some(payload) = self.payload(offset, &header) else {
            return Err(broken("a record is longer than what is there", self.next_record(offset + 1)));
        };
        let end = offset + RECORD_HEADER + payload.len();
        if crc32c(payload) != header.payload {
            return Err(broken("the checksum of a record's payload does not hold", end));
        }
        let record = Record { offset: offset as u64, synced: header.synced, kind: header.kind, payload };
        Ok((record, end))
    }

    /// Where, from `offset` on, the next record begins that lies whole in the segment by its header; else the end.
    fn next_record(&self, offset: usize) -> usize {
        (offset..self.bytes.len())
            .find(|&offset| {
                self.bytes[offset..].starts_with(&RECORD_MAGIC)
                    && self.header_at(offset).is_some_and(|header| self.payload(offset, &header).is_some())
            })
            .unwrap_or(self.bytes.len())
    }

    fn segment_header(&mut self) -> Option<DamagedRange> {
        match check_segment_header(self.bytes, self.number) {
            Beginning::Good => {
                self.offset = SEGMENT_HEADER;
                None
            }
            // The bytes that are lost are those of the header; records behind it can still be read.
            Beginning::Damaged(why) => {
                self.offset = self.bytes.len().min(SEGMENT_HEADER);
                Some(DamagedRange { offset: 0, length: self.offset as u64, why })
            }
            Beginning::Version(_) => {
                self.offset = self.bytes.len();
                let why = "the segment is of another version";
                Some(DamagedRange { offset: 0, length: self.offset as u64, why })
            }
        }
    }
}

impl<'a> Iterator for SegmentReader<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        if self.offset == 0
            && !self.bytes.is_empty()
            && let Some(damage) = self.segment_header()
        {
            return Some(Found::Damaged(damage));
        }
        if self.offset >= self.bytes.len() {
            return None;
        }
        Some(match self.record(self.offset) {
            Ok((record, end)) => {
                self.offset = end;
                Found::Record(record)
            }
            Err((damage, end)) => {
                self.offset = end;
                Found::Damaged(damage)
            }
        })
    }
}
