//! Any bytes: the reader ends, does not panic, and what it finds lies in order within the bytes.
#![no_main]

use durable::{Found, RECORD_HEADER, SegmentReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut end = 0;
    for found in SegmentReader::new(bytes, 1) {
        let (offset, length) = match found {
            Found::Record(record) => (record.offset, (RECORD_HEADER + record.payload.len()) as u64),
            Found::Damaged(damage) => (damage.offset, damage.length),
        };
        assert!(offset >= end && length > 0);
        end = offset + length;
        assert!(end <= bytes.len() as u64);
    }
});
