//! A log gives back what was committed, after any crash and any failure of its disk.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::sync::Arc;

use durable::{
    Disk, DurableError, FolderDisk, ReadSegments, SEGMENT_HEADER, SegmentLog, SimulatedDisk, record_bytes,
    segment_name,
};

/// Segment, kind and payload.
type Plain = (u64, u8, Vec<u8>);

fn open(
    disk: &SimulatedDisk,
    segment_bytes: u64,
) -> Result<(SegmentLog, ReadSegments, Vec<Plain>), DurableError> {
    open_any(Arc::new(disk.clone()), segment_bytes)
}

fn open_any(
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
) -> Result<(SegmentLog, ReadSegments, Vec<Plain>), DurableError> {
    let mut records = Vec::new();
    let (log, read) = SegmentLog::open(disk, segment_bytes, &mut |segment, record| {
        records.push((segment, record.kind, record.payload.to_vec()));
    })?;
    Ok((log, read, records))
}

fn payloads(records: &[Plain]) -> Vec<&[u8]> {
    records.iter().map(|record| record.2.as_slice()).collect()
}

/// Small ones, some that fill the buffer, and large ones.
fn payload(number: u64) -> Vec<u8> {
    let length = match number % 5 {
        0 => 70_000,
        1 => 0,
        2 => 60_000,
        other => other as usize * 10,
    };
    (0..length).map(|at| (number as usize * 31 + at) as u8).collect()
}

#[test]
fn a_folder_gives_back_what_was_written_and_each_life_has_its_segments() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || Arc::new(FolderDisk::new(folder.path()));
    std::fs::write(folder.path().join("lock"), "").unwrap();
    for life in 0..3 {
        let (mut log, read, records) = open_any(disk(), 100_000).unwrap();
        assert_eq!(records.len(), 10 * life);
        assert_eq!((read.damaged.len(), read.torn_bytes), (0, 0));
        for (number, record) in records.iter().enumerate() {
            assert_eq!((record.1, &record.2), (number as u8, &payload(number as u64)));
        }
        let last = read.segments.last().map_or(0, |segment| segment.number);
        for number in 10 * life as u64..10 * (life as u64 + 1) {
            let payload = payload(number);
            let (head, tail) = payload.split_at(payload.len() / 3);
            assert!(log.append(number as u8, &[head, &[], tail]).unwrap() > last);
            log.commit().unwrap();
        }
    }
    let (mut log, read, _) = open_any(disk(), 100_000).unwrap();
    for segment in &read.segments {
        let length = std::fs::metadata(folder.path().join(segment_name(segment.number))).unwrap().len();
        assert_eq!(segment.bytes, length);
        log.remove(segment.number).unwrap();
    }
    assert!(open_any(disk(), 1).unwrap().2.is_empty());
}

#[test]
fn a_segment_ends_with_the_commit_that_fills_it() {
    let disk = SimulatedDisk::new();
    let (mut log, ..) = open(&disk, 100).unwrap();
    let segments: Vec<u64> = (0..3).map(|kind| log.append(kind, &[&[7; 60]]).unwrap()).collect();
    log.commit().unwrap();
    assert_eq!((segments, log.active_segment()), (vec![1, 1, 1], None));
    assert_eq!(log.append(3, &[]).unwrap(), 2);
    let before = disk.syncs();
    log.commit().unwrap();
    log.commit().unwrap();
    assert_eq!(disk.syncs() - before, 1);
}

/// Appends and commits records `from..from + 12`; returns how many appends were tried and how many records are committed.
fn write(log: &mut SegmentLog, from: u64) -> (u64, u64) {
    let mut committed = from;
    for number in from..from + 12 {
        if log.append(1, &[&payload(number)]).is_err() {
            return (number + 1, committed);
        }
        if number % 3 == 2 {
            if log.commit().is_err() {
                return (number + 1, committed);
            }
            committed = number + 1;
        }
    }
    (from + 12, committed)
}

#[test]
fn a_crash_at_any_operation_keeps_a_prefix_that_holds_all_that_was_committed() {
    for seed in 0..8 {
        for stop in 0.. {
            let disk = SimulatedDisk::new();
            let mut kept = 0;
            let mut stopped = false;
            // The second life begins with what the first has left, and is stopped too.
            for life in 0..2 {
                disk.stop_after(stop);
                let (tried, committed) = match open(&disk, 100_000) {
                    Ok((mut log, _, records)) => {
                        assert_eq!(records.len() as u64, kept);
                        write(&mut log, kept)
                    }
                    Err(_) => (kept, kept),
                };
                stopped = disk.is_stopped();
                disk.crash(seed * 2 + life);
                let (_, read, records) = open(&disk, 100_000).unwrap();
                assert_eq!(read.damaged, [], "a power loss is no damage");
                kept = records.len() as u64;
                assert!((committed..=tried).contains(&kept), "{committed} <= {kept} <= {tried}");
                for (number, record) in records.iter().enumerate() {
                    assert_eq!(record.2, payload(number as u64));
                }
            }
            if !stopped {
                break;
            }
        }
    }
}

#[test]
fn what_a_killed_process_left_in_the_cache_is_durable_once_it_was_read() {
    let disk = SimulatedDisk::new();
    let (mut log, ..) = open(&disk, 1 << 20).unwrap();
    log.append(1, &[&payload(0)]).unwrap(); // large: written at once, not synced
    drop(log);
    assert_eq!(open(&disk, 1 << 20).unwrap().2.len(), 1);
    for seed in 0..20 {
        disk.crash(seed);
        assert_eq!(payloads(&open(&disk, 1 << 20).unwrap().2), [payload(0)]);
    }
}

#[test]
fn a_name_that_a_killed_process_removed_is_gone_for_good_once_the_log_was_opened() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new();
        let (mut log, ..) = open(&disk, 1).unwrap();
        for number in 0..2 {
            log.append(1, &[&[number]]).unwrap();
            log.commit().unwrap();
        }
        disk.remove(&segment_name(1)).unwrap();
        assert_eq!(payloads(&open(&disk, 1).unwrap().2), [[1]]);
        disk.crash(seed);
        assert_eq!(payloads(&open(&disk, 1).unwrap().2), [[1]]);
    }
}

#[test]
fn a_removed_segment_does_not_come_back() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new();
        let (mut log, ..) = open(&disk, 1).unwrap();
        for number in 0..3 {
            log.append(1, &[&[number]]).unwrap();
            log.commit().unwrap();
        }
        log.remove(2).unwrap();
        disk.crash(seed);
        assert_eq!(payloads(&open(&disk, 1).unwrap().2), [[0], [2]]);
    }
}

#[test]
fn a_full_disk_costs_nothing_and_the_same_calls_succeed_later() {
    let size = |number| record_bytes(payload(number).len() as u64);
    let needed = SEGMENT_HEADER as u64 * 2 + (0..8).map(size).sum::<u64>();
    for capacity in (0..needed).step_by(7919) {
        for seed in 0..3 {
            let disk = SimulatedDisk::new();
            disk.set_capacity(Some(capacity));
            let (mut log, ..) = open(&disk, 100_000).unwrap();
            let mut refused = 0;
            for number in 0..8 {
                while let Err(error) = log.append(1, &[&payload(number)]) {
                    assert!(!error.is_final(), "{error}");
                    refused += 1;
                    disk.set_capacity(Some(if refused < 3 { capacity } else { u64::MAX }));
                }
                while let Err(error) = log.commit() {
                    assert!(!error.is_final(), "{error}");
                    refused += 1;
                    disk.set_capacity(Some(if refused < 3 { capacity } else { u64::MAX }));
                }
            }
            assert!(refused > 0, "{capacity} bytes were enough");
            disk.crash(seed);
            let (_, read, records) = open(&disk, 100_000).unwrap();
            assert_eq!(read.damaged, []);
            assert_eq!(payloads(&records), (0..8).map(payload).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_failed_sync_is_final_and_says_so() {
    for failing in 0..5 {
        let disk = SimulatedDisk::new();
        let (mut log, ..) = open(&disk, 1).unwrap();
        disk.fail_sync_after(failing);
        let mut write = || {
            for number in 0..2 {
                log.append(1, &[&[number]])?;
                log.commit()?;
            }
            Ok(())
        };
        // Each segment is synced before its first record, then its name, then its records.
        let error: DurableError = write().unwrap_err();
        assert!(error.is_final(), "{error}");
        assert!(error.to_string().contains("cannot sync simulated"), "{error}");
        let operations = disk.operations();
        for error in [log.append(1, &[]).unwrap_err(), log.commit().unwrap_err(), log.remove(9).unwrap_err()]
        {
            assert!(error.is_final() && error.to_string().contains("the device reports an error"), "{error}");
        }
        assert_eq!(disk.operations(), operations, "the disk is left alone");
    }
}

#[test]
fn damage_behind_what_was_durable_is_torn_and_before_it_is_a_loss() {
    let disk = SimulatedDisk::new();
    let (mut log, ..) = open(&disk, 1 << 20).unwrap();
    for number in 0..2 {
        log.append(1, &[&[number; 8]]).unwrap();
        log.append(1, &[&[number + 10; 8]]).unwrap();
        log.commit().unwrap();
    }
    let [first, second, third] = [0, 1, 2].map(|at| SEGMENT_HEADER as u64 + at * record_bytes(8));
    let flipped = |offset: u64| {
        let disk = {
            let copy = SimulatedDisk::new();
            let mut file = copy.create(&segment_name(1)).unwrap();
            file.append(&[&disk.read(&segment_name(1)).unwrap()]).unwrap();
            copy
        };
        disk.damage(&segment_name(1), |bytes| bytes[offset as usize] ^= 1);
        let (_, read, records) = open(&disk, 1 << 20).unwrap();
        let damaged: Vec<(u64, u64)> =
            read.damaged.iter().map(|damage| (damage.offset, damage.length)).collect();
        (records.len(), damaged, read.torn_bytes)
    };
    assert_eq!(flipped(first), (3, vec![(first, 40)], 0));
    assert_eq!(flipped(second), (3, vec![(second, 40)], 0));
    // The fourth record may build on the third, and nothing says that either was durable.
    assert_eq!(flipped(third), (2, vec![], 80));
    assert_eq!(flipped(third + 40), (3, vec![], 40));
}

#[test]
fn damage_in_an_earlier_segment_names_file_and_offset() {
    let disk = SimulatedDisk::new();
    let (mut log, ..) = open(&disk, 1).unwrap();
    for number in 0..2 {
        log.append(1, &[&[number; 8]]).unwrap();
        log.commit().unwrap();
    }
    disk.damage(&segment_name(1), |bytes| bytes[55] ^= 1);
    let (_, read, records) = open(&disk, 1).unwrap();
    assert_eq!(payloads(&records), [[1; 8]]);
    let [damage] = read.damaged.as_slice() else { panic!("{read:?}") };
    assert_eq!(damage.file, disk.path(&segment_name(1)));
    assert_eq!((damage.offset, damage.length), (20, 40));
}

#[test]
fn a_segment_of_a_newer_version_is_left_as_it_is() {
    let disk = SimulatedDisk::new();
    let (mut log, ..) = open(&disk, 1).unwrap();
    log.append(1, &[b"x"]).unwrap();
    log.commit().unwrap();
    disk.damage(&segment_name(1), |bytes| {
        bytes[4] = 9;
        let checksum = common::checksum::crc32c(&bytes[..16]).to_le_bytes();
        bytes[16..20].copy_from_slice(&checksum);
    });
    let before = disk.bytes();
    let error = open(&disk, 1).err().unwrap().to_string();
    assert!(error.contains(&segment_name(1)) && error.contains("version 9"), "{error}");
    assert_eq!(disk.bytes(), before);
}
