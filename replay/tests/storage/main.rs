//! What a shard has stored is there after power losses, full disks and damage.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

mod model;

use std::cell::RefCell;
use std::sync::Arc;

use durable::{Disk as _, FolderDisk, SimulatedDisk, segment_name};
use model::{Model, SEGMENT_BYTES};
use proptest::prelude::*;
use replay::storage::{ItemBytes, Observer, Recovered, Storage, StorageError, StorageOptions};

/// Plays `steps` of a history; ends early when the machine has stopped or the storage has given up.
fn play(model: &mut Model, steps: usize) {
    let opened = model.open();
    for _ in 0..steps {
        if opened.is_err() || model.disk.is_stopped() {
            return;
        }
        match model.step() {
            Err(error) if error.is_final() => return,
            // The disk is full: the same is tried again in other words later.
            Ok(()) | Err(_) => {}
        }
    }
}

/// How many operations a history takes that nothing stops, and how many bytes its cleaning copies.
fn extent(history: u64, steps: usize) -> (u64, u64) {
    let mut model = Model::new(history);
    play(&mut model, steps);
    (model.disk.operations(), model.storage.unwrap().cleaned_bytes())
}

#[test]
fn a_power_loss_at_any_operation_loses_nothing_and_brings_nothing_back() {
    const STEPS: usize = 400;
    let mut cleaned = 0;
    for history in 0..6 {
        let (operations, bytes) = extent(history, STEPS);
        cleaned += bytes;
        for stop in 0..operations {
            let mut model = Model::new(history);
            for generation in 0..4 {
                // The later lives are cut off early and late, while they clean what the earlier left.
                let stop = if generation == 0 { stop } else { (stop * 7 + generation * 13) % 60 };
                model.disk.stop_after(stop);
                play(&mut model, STEPS);
                model.disk.crash(stop * 31 + generation + history);
                model.disk.set_capacity(None);
            }
            model.open().unwrap();
        }
    }
    assert!(cleaned > 5000, "{cleaned} bytes cleaned: histories that clean too little to show anything");
}

#[test]
fn after_a_failed_sync_everything_is_refused_and_nothing_committed_is_lost() {
    for history in 0..4 {
        for failing in 0..60 {
            let mut model = Model::new(history);
            model.open().unwrap();
            model.disk.fail_sync_after(failing);
            let refused = (0..2000).find_map(|_| model.step().err().filter(StorageError::is_final));
            assert!(refused.unwrap().to_string().contains("the device reports an error"));
            let operations = model.disk.operations();
            assert!(model.insert().unwrap_err().is_final());
            assert!(model.commit().unwrap_err().is_final());
            assert_eq!(model.disk.operations(), operations);
            model.disk.crash(failing);
            model.disk.set_capacity(None);
            model.open().unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_the_disk_and_of_the_next_life(history: u64, steps in 0_usize..400) {
        let mut model = Model::new(history);
        play(&mut model, steps);
        model.disk.set_capacity(None);
        settle(&mut model);
        let counts = |storage: &Storage| (storage.live_bytes(), storage.disk_bytes(), storage.segments(), storage.next_key());
        let before = counts(model.storage.as_ref().unwrap());
        prop_assert_eq!(before.1, model.disk.bytes());
        // A segment is cleaned when less than half of it is needed; snapshots and those that may not go yet come on top.
        prop_assert!(before.1 <= 2 * before.0 + 3 * (SEGMENT_BYTES + 100_000), "{:?}", before);
        model.open().unwrap();
        prop_assert_eq!(before, counts(model.storage.as_ref().unwrap()));
    }
}

/// Commits and cleans until there is nothing more to clean.
fn settle(model: &mut Model) {
    let mut before = None;
    loop {
        model.commit().unwrap();
        let operations = Some(model.disk.operations());
        if operations == before {
            return;
        }
        before = operations;
    }
}

#[test]
fn what_leaves_in_the_order_in_which_it_came_is_cleaned_for_nothing() {
    let disk = SimulatedDisk::new();
    let (mut storage, _) = open(&disk, 1000);
    for key in 0..500 {
        insert(&mut storage, key);
        if let Some(oldest) = key.checked_sub(50) {
            storage.remove(oldest).unwrap();
        }
        storage.commit(&Vec::new).unwrap();
        storage.clean(u64::MAX, &|_, _| panic!("nothing needs to be copied")).unwrap();
    }
    assert_eq!(storage.cleaned_bytes(), 0);
    assert!(disk.bytes() < 2 * storage.live_bytes() + 2000, "{} bytes", disk.bytes());
}

#[test]
fn the_keys_and_marks_of_the_dead_survive_their_segments() {
    let mut model = Model::new(2);
    model.open().unwrap();
    for _ in 0..100 {
        model.insert().unwrap();
        model.commit().unwrap();
    }
    let all: Vec<u64> = model.alive().collect();
    for key in all {
        model.remove(key).unwrap();
        model.commit().unwrap();
    }
    settle(&mut model);
    assert!(model.disk.bytes() < 4 * SEGMENT_BYTES, "{} bytes for nothing", model.disk.bytes());
    // Until only snapshots are left.
    for _ in 0..20 {
        model.save_state().unwrap();
        model.commit().unwrap();
    }
    model.disk.crash(0);
    model.open().unwrap();
    assert_eq!(model.storage.as_ref().unwrap().next_key(), 100);
}

struct Nothing;

impl Observer for Nothing {
    fn inserted(&mut self, _: u64, _: &[u8]) {}
    fn state(&mut self, _: &[u8]) {}
}

fn open(disk: &SimulatedDisk, segment_bytes: u64) -> (Storage, Recovered) {
    Storage::open(Arc::new(disk.clone()), StorageOptions { segment_bytes }, &mut Nothing).unwrap()
}

fn insert(storage: &mut Storage, key: u64) {
    storage.insert(key, ItemBytes { meta: b"meta", blocks: [&[key as u8; 20], b"states"] }).unwrap();
}

fn keys(recovered: &Recovered) -> Vec<u64> {
    recovered.items.iter().map(|item| item.key).collect()
}

#[test]
fn a_damaged_item_is_reported_and_all_others_are_there() {
    let disk = SimulatedDisk::new();
    let (mut storage, _) = open(&disk, 200);
    for key in 0..6 {
        insert(&mut storage, key);
    }
    storage.commit(&Vec::new).unwrap();
    insert(&mut storage, 6);
    storage.commit(&Vec::new).unwrap();
    let length = disk.read(&segment_name(1)).unwrap().len();
    for offset in 0..length {
        disk.damage(&segment_name(1), |bytes| bytes[offset] ^= 0x10);
        let (_, recovered) = open(&disk, 200);
        let [damage] = recovered.damaged.as_slice() else { panic!("{:?}", recovered.damaged) };
        assert_eq!(damage.file, disk.path(&segment_name(1)));
        assert!((damage.offset..damage.offset + damage.length).contains(&(offset as u64)));
        // The header and the snapshot are no items.
        let item = (offset as u64)
            .checked_sub(20)
            .map(|offset| offset / (32 + 40 + 4 + 20 + 6))
            .filter(|&item| item < 6);
        assert_eq!(keys(&recovered), (0..7).filter(|&key| Some(key) != item).collect::<Vec<_>>());
        assert_eq!(recovered.next_key, 7);
        disk.damage(&segment_name(1), |bytes| bytes[offset] ^= 0x10);
    }
}

#[test]
fn a_segment_that_was_cut_gives_the_items_before_the_cut() {
    let disk = SimulatedDisk::new();
    let (mut storage, _) = open(&disk, 1 << 20);
    let mut ends = Vec::new();
    for key in 0..4 {
        insert(&mut storage, key);
        storage.commit(&Vec::new).unwrap();
        ends.push(disk.bytes());
    }
    let whole = disk.read(&segment_name(1)).unwrap();
    for length in 0..=whole.len() {
        disk.damage(&segment_name(1), |bytes| *bytes = whole[..length].to_vec());
        // The snapshot follows the first item in its commit.
        let first_end = 20 + 102;
        let expected = ends
            .iter()
            .enumerate()
            .filter(|&(key, &end)| (if key == 0 { first_end } else { end }) <= length as u64);
        let (_, recovered) = open(&disk, 1 << 20);
        assert_eq!(recovered.items.len(), expected.count(), "cut at {length}");
        assert_eq!(recovered.damaged, []);
    }
}

#[test]
fn an_item_that_the_caller_has_no_more_is_dead() {
    let disk = SimulatedDisk::new();
    let (mut storage, _) = open(&disk, 300);
    let (kept, removed): (Vec<u64>, Vec<u64>) = (0..60).partition(|key| key % 3 == 0);
    for key in 0..60 {
        insert(&mut storage, key);
        storage.commit(&Vec::new).unwrap();
    }
    removed.iter().for_each(|&key| storage.remove(key).unwrap());
    storage.commit(&Vec::new).unwrap();
    let lost = RefCell::new(Vec::new());
    storage.clean(u64::MAX, &|key, _| lost.borrow_mut().push(key)).unwrap();
    let before = storage.segments();
    assert!(disk.read(&segment_name(1)).is_ok(), "that its item is lost is not committed yet");
    storage.commit(&Vec::new).unwrap();
    storage.clean(0, &|_, _| panic!("beyond the budget")).unwrap();
    assert_eq!(storage.segments(), before - 1);
    let lost = lost.into_inner();
    assert!(!lost.is_empty());
    let alive: Vec<u64> = kept.into_iter().filter(|key| !lost.contains(key)).collect();
    assert_eq!(keys(&open(&disk, 300).1), alive);
}

#[test]
fn a_folder_holds_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let disk = Arc::new(FolderDisk::new(folder.path()));
        Storage::open(disk, StorageOptions { segment_bytes: 300 }, &mut Nothing).unwrap()
    };
    let (mut storage, _) = open();
    for key in 0..10 {
        insert(&mut storage, key);
        storage.commit(&Vec::new).unwrap();
    }
    for key in 0..8 {
        storage.remove(key).unwrap();
    }
    storage.leave(8, 2).unwrap();
    storage.commit(&Vec::new).unwrap();
    storage.clean(u64::MAX, &|_, _| {}).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), storage.segments());
    let (_, recovered) = open();
    let [first, second] = recovered.items.as_slice() else { panic!("{recovered:?}") };
    assert_eq!(
        (first.key, first.left.as_slice(), second.key, second.left.as_slice()),
        (8, [2].as_slice(), 9, [].as_slice())
    );
    assert_eq!(
        (first.meta.as_slice(), &first.blocks),
        (b"meta".as_slice(), &[vec![8; 20], b"states".to_vec()])
    );
}

#[test]
fn a_key_is_used_once() {
    let (mut storage, _) = open(&SimulatedDisk::new(), 300);
    insert(&mut storage, 5);
    let error = storage.insert(5, ItemBytes { meta: b"", blocks: [b"", b""] }).unwrap_err();
    assert_eq!(error.to_string(), "key 5 is not new: the next one is 6");
}
