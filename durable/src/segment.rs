//! The format of a segment, drawn byte by byte in `docs/formats.md`.

use common::checksum::{crc32c, crc32c_of};

/// The version of the format that this program writes, and the only one that it reads.
pub const SEGMENT_VERSION: u16 = 2;
/// Length of a segment's header in bytes.
pub const SEGMENT_HEADER: usize = 20;
/// Length of a record's header in bytes.
pub const RECORD_HEADER: usize = 32;

const SEGMENT_MAGIC: [u8; 4] = *b"LSHS";
pub(crate) const RECORD_MAGIC: [u8; 4] = *b"LSRC";
const SUFFIX: &str = ".segment";
const DIGITS: usize = 20;

/// The file name of a segment.
#[must_use]
pub fn segment_name(number: u64) -> String {
    format!("{number:0DIGITS$}{SUFFIX}")
}

/// The number of a segment, from its file name.
#[must_use]
pub fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Bytes that a record with `payload` bytes of payload takes in its segment.
#[must_use]
pub fn record_bytes(payload: u64) -> u64 {
    RECORD_HEADER as u64 + payload
}

pub(crate) fn segment_header(number: u64) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..4].copy_from_slice(&SEGMENT_MAGIC);
    header[4..6].copy_from_slice(&SEGMENT_VERSION.to_le_bytes());
    header[8..16].copy_from_slice(&number.to_le_bytes());
    let checksum = crc32c(&header[..16]);
    header[16..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// What the first bytes of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The header of that segment.
    Good,
    /// The header of a segment of another version.
    Version(u16),
    /// Damaged, in this way.
    Damaged(&'static str),
}

pub(crate) fn check_segment_header(bytes: &[u8], number: u64) -> Beginning {
    let Some(header) = bytes.get(..SEGMENT_HEADER) else {
        return Beginning::Damaged("the segment ends within its header");
    };
    if header[..4] != SEGMENT_MAGIC || u32_at(header, 16) != crc32c(&header[..16]) {
        return Beginning::Damaged("the header of the segment is damaged");
    }
    match u16::from_le_bytes([header[4], header[5]]) {
        SEGMENT_VERSION if u64_at(header, 8) == number => Beginning::Good,
        SEGMENT_VERSION => Beginning::Damaged("the header is that of another segment"),
        version => Beginning::Version(version),
    }
}

/// What a record's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) kind: u8,
    /// Length of the payload.
    pub(crate) length: u64,
    /// How many bytes of the segment were durable when the record was written.
    pub(crate) synced: u64,
    /// CRC32C of the payload.
    pub(crate) payload: u32,
}

/// Where a record lies. Its header's checksum covers this too, so that neither a stale block of another file nor
/// bytes inside a payload pass for a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl RecordHeader {
    pub(crate) fn encode(self, place: Place) -> [u8; RECORD_HEADER] {
        let mut header = [0; RECORD_HEADER];
        header[..4].copy_from_slice(&RECORD_MAGIC);
        header[4] = self.kind;
        header[8..16].copy_from_slice(&self.length.to_le_bytes());
        header[16..24].copy_from_slice(&self.synced.to_le_bytes());
        header[24..28].copy_from_slice(&self.payload.to_le_bytes());
        let checksum = place.checksum(&header[..28]);
        header[28..].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    /// None unless `bytes` begin with a header that was written for this place.
    pub(crate) fn decode(bytes: &[u8], place: Place) -> Option<Self> {
        let header = bytes.get(..RECORD_HEADER)?;
        if header[..4] != RECORD_MAGIC || u32_at(header, 28) != place.checksum(&header[..28]) {
            return None;
        }
        Some(RecordHeader {
            kind: header[4],
            length: u64_at(header, 8),
            synced: u64_at(header, 16),
            payload: u32_at(header, 24),
        })
    }
}

impl Place {
    fn checksum(self, header: &[u8]) -> u32 {
        crc32c_of([header, &self.segment.to_le_bytes(), &self.offset.to_le_bytes()])
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_their_numbers_and_other_names_are_none() {
        for number in [0, 7, u64::MAX] {
            assert_eq!(segment_number(&segment_name(number)), Some(number));
        }
        assert!(segment_name(9) < segment_name(10));
        for other in
            ["lock", ".segment", "1.segment", "+0000000000000000001.segment", "99999999999999999999.segment"]
        {
            assert_eq!(segment_number(other), None, "{other}");
        }
    }

    #[test]
    fn a_header_holds_only_where_it_was_written() {
        let header = RecordHeader { kind: 3, length: 1 << 40, synced: 20, payload: 5 };
        let place = Place { segment: 2, offset: 20 };
        let bytes = header.encode(place);
        assert_eq!(RecordHeader::decode(&bytes, place), Some(header));
        assert_eq!(RecordHeader::decode(&bytes, Place { offset: 21, ..place }), None);
        assert_eq!(RecordHeader::decode(&bytes, Place { segment: 3, ..place }), None);
        assert_eq!(RecordHeader::decode(&bytes[..31], place), None);
    }

    #[test]
    fn a_segment_of_another_version_is_told_from_a_damaged_one() {
        let mut bytes = segment_header(4);
        assert_eq!(check_segment_header(&bytes, 4), Beginning::Good);
        assert!(matches!(check_segment_header(&bytes, 5), Beginning::Damaged(_)));
        assert!(matches!(check_segment_header(&bytes[..19], 4), Beginning::Damaged(_)));
        bytes[4] = 9;
        assert!(matches!(check_segment_header(&bytes, 4), Beginning::Damaged(_)));
        let checksum = crc32c(&bytes[..16]).to_le_bytes();
        bytes[16..].copy_from_slice(&checksum);
        assert_eq!(check_segment_header(&bytes, 4), Beginning::Version(9));
    }
}
