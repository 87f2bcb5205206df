//! A segment that is damaged anywhere gives all records but the damaged ones.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::sync::Arc;

use durable::{
    Disk as _, Found, RECORD_HEADER, SEGMENT_HEADER, SegmentLog, SegmentReader, SimulatedDisk, segment_name,
};
use proptest::prelude::*;

/// Offset, kind and payload.
type Plain = (u64, u8, Vec<u8>);

fn segment(payloads: &[Vec<u8>]) -> Vec<u8> {
    let disk = SimulatedDisk::new();
    let (mut log, _) = SegmentLog::open(Arc::new(disk.clone()), u64::MAX, &mut |_, _| {}).unwrap();
    for (kind, payload) in payloads.iter().enumerate() {
        log.append(kind as u8, &[payload]).unwrap();
        log.commit().unwrap();
    }
    disk.read(&segment_name(1)).unwrap()
}

fn three_records() -> Vec<u8> {
    // A payload may hold what looks like a record.
    segment(&[b"first".to_vec(), [b"LSRC".as_slice(), &[0; 40]].concat(), b"third record".to_vec()])
}

fn records(bytes: &[u8]) -> Vec<Plain> {
    let plain = |found| match found {
        Found::Record(record) => Some((record.offset, record.kind, record.payload.to_vec())),
        Found::Damaged(_) => None,
    };
    SegmentReader::new(bytes, 1).filter_map(plain).collect()
}

fn damages(bytes: &[u8]) -> Vec<(u64, u64)> {
    let range = |found| match found {
        Found::Record(_) => None,
        Found::Damaged(damage) => Some((damage.offset, damage.length)),
    };
    SegmentReader::new(bytes, 1).filter_map(range).collect()
}

fn end(record: &Plain) -> u64 {
    record.0 + (RECORD_HEADER + record.2.len()) as u64
}

#[test]
fn a_whole_segment_gives_all_and_another_number_none() {
    let bytes = three_records();
    assert_eq!(records(&bytes).iter().map(|record| record.1).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(damages(&bytes), []);
    assert_eq!(SegmentReader::new(&bytes, 2).filter(|found| matches!(found, Found::Record(_))).count(), 0);
}

#[test]
fn a_flipped_bit_costs_the_record_that_it_is_in() {
    let whole = three_records();
    let all = records(&whole);
    for offset in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[offset] ^= 1 << bit;
            let hit = |record: &Plain| (record.0..end(record)).contains(&(offset as u64));
            let expected: Vec<Plain> = all.iter().filter(|record| !hit(record)).cloned().collect();
            assert_eq!(records(&bytes), expected, "offset {offset}, bit {bit}");
            let lost = all.iter().find(|record| hit(record));
            let range = lost.map_or((0, SEGMENT_HEADER as u64), |record| (record.0, end(record) - record.0));
            assert_eq!(damages(&bytes), [range], "offset {offset}, bit {bit}");
        }
    }
}

#[test]
fn a_cut_segment_gives_the_whole_records_before_the_cut() {
    let whole = three_records();
    let all = records(&whole);
    for length in 0..whole.len() {
        let expected: Vec<Plain> =
            all.iter().filter(|record| end(record) <= length as u64).cloned().collect();
        assert_eq!(records(&whole[..length]), expected, "cut at {length}");
        let at_an_end = length == 0
            || length == SEGMENT_HEADER
            || expected.last().is_some_and(|last| end(last) == length as u64);
        assert_eq!(damages(&whole[..length]).is_empty(), at_an_end, "cut at {length}");
    }
}

#[test]
fn a_record_that_stands_elsewhere_is_none() {
    let whole = three_records();
    let mut moved = whole[..SEGMENT_HEADER].to_vec();
    moved.push(0);
    moved.extend_from_slice(&whole[SEGMENT_HEADER..]);
    assert_eq!(records(&moved), []);
    assert_eq!(damages(&moved), [(SEGMENT_HEADER as u64, (moved.len() - SEGMENT_HEADER) as u64)]);
}

/// What is found covers all bytes behind the header exactly once.
fn assert_covers(bytes: &[u8]) {
    let mut at = 0;
    for found in SegmentReader::new(bytes, 1) {
        let (offset, length) = match found {
            Found::Record(record) => (record.offset, (RECORD_HEADER + record.payload.len()) as u64),
            Found::Damaged(damage) => (damage.offset, damage.length),
        };
        assert!(offset == at || (at == 0 && offset == SEGMENT_HEADER as u64), "a hole from {at} to {offset}");
        at = offset + length;
    }
    assert!(at == bytes.len() as u64 || (at == 0 && bytes.len() == SEGMENT_HEADER));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        assert_covers(&bytes);
    }

    #[test]
    fn a_mutated_segment_gives_no_record_that_was_not_there(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..6),
        writes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        removed in prop::option::of((any::<prop::sample::Index>(), 1_usize..50)),
    ) {
        let mut bytes = segment(&payloads);
        let all = records(&bytes);
        for (at, value) in writes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some((at, length)) = removed {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        assert_covers(&bytes);
        prop_assert!(records(&bytes).iter().all(|record| all.contains(record)));
    }
}
