//! A segment that was written and then changed: every record that is found was written, at that place.
//!
//! The input is read as `count, count × length` for the records, and then as changes: `offset (u16), byte` each.
#![no_main]

use std::sync::Arc;

use durable::{Disk as _, Found, Record, SegmentLog, SegmentReader, SimulatedDisk, segment_name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else { return };
    let Some((lengths, changes)) = rest.split_at_checked(usize::from(count % 16)) else { return };
    let Some(whole) = segment(lengths) else { return };
    let mut changed = whole.clone();
    for change in changes.as_chunks::<3>().0 {
        let offset = usize::from(u16::from_le_bytes([change[0], change[1]])) % changed.len();
        changed[offset] = change[2];
    }
    let written = records(&whole);
    assert_eq!(written.len(), lengths.len());
    for record in records(&changed) {
        assert!(written.contains(&record), "{record:?} was never written");
    }
});

fn segment(lengths: &[u8]) -> Option<Vec<u8>> {
    let disk = SimulatedDisk::new();
    let (mut log, _) = SegmentLog::open(Arc::new(disk.clone()), u64::MAX, &mut |_, _| {}).ok()?;
    for (number, &length) in lengths.iter().enumerate() {
        // Payloads hold what looks like the beginning of a record.
        log.append(number as u8, &[&b"LSRC".repeat(64)[..usize::from(length)]]).ok()?;
    }
    log.commit().ok()?;
    disk.read(&segment_name(1)).ok()
}

fn records(bytes: &[u8]) -> Vec<Record<'_>> {
    let record = |found| match found {
        Found::Record(record) => Some(record),
        Found::Damaged(_) => None,
    };
    SegmentReader::new(bytes, 1).filter_map(record).collect()
}
