//! What must hold of what a shard left on its disk, whenever it was killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use configuration::{FRESH_TABLE, table_id};
use durable::FolderDisk;
use replay::{Journal, Remembered};
use system_tests::{REPLAYED, Traffic};

const SEGMENT_BYTES: u64 = 1 << 20;

/// What was found so far. One actor writes trajectories numbered from 0, so that the order of numbers is that of
/// storing.
#[derive(Debug, Default)]
pub struct History {
    /// Those below were evicted, durably.
    evicted: u64,
    /// Those below have left the queue of new ones, durably.
    departed: u64,
    /// One more than the newest that was found.
    stored: u64,
    kills: u64,
}

impl History {
    /// The shard is dead: looks at a copy of what it left. The learner had asked for at most `batch` trajectories.
    pub fn examine(&mut self, segments: &Path, traffic: &Traffic, batch: u64) {
        self.kills += 1;
        let remembered = read_copy(segments);
        assert_eq!(remembered.damaged, 0, "a kill damages nothing");
        let ordinals: Vec<u64> = remembered.items.iter().map(|item| item.header.ordinal).collect();
        let held: BTreeSet<u64> = ordinals.iter().copied().collect();
        assert_eq!(held.len(), ordinals.len(), "something is stored twice: {ordinals:?}");
        let stored = held.last().map_or(0, |newest| newest + 1);
        assert!(
            stored >= traffic.acknowledged().max(self.stored),
            "what was acknowledged is lost: {traffic:?}"
        );
        assert!(stored <= traffic.offered());
        let kept = stored.saturating_sub(REPLAYED)..stored;
        assert!(kept.clone().all(|ordinal| held.contains(&ordinal)), "{kept:?} should be there: {held:?}");
        let evicted = held.first().copied().unwrap_or(0);
        assert!(evicted >= self.evicted, "{evicted} is back, and all below {} was evicted", self.evicted);
        self.check_queue(&remembered, traffic, stored, batch);
        (self.stored, self.evicted) = (stored, evicted);
    }

    fn check_queue(&mut self, remembered: &Remembered, traffic: &Traffic, stored: u64, batch: u64) {
        let fresh = table_id(FRESH_TABLE);
        let waits = remembered.items.iter().filter(|item| !item.left.contains(&fresh));
        let waiting: BTreeSet<u64> = waits.map(|item| item.header.ordinal).collect();
        let departed = waiting.first().copied().unwrap_or(stored);
        assert!(
            departed >= self.departed,
            "{departed} waits again, and all below {} had left",
            self.departed
        );
        assert!(waiting.iter().copied().eq(departed..stored), "the queue has a gap: {waiting:?}");
        let sampled = traffic.sampled().last().map_or(0, |newest| newest + 1);
        assert!(sampled <= departed, "{sampled} was sampled and waits");
        let lost = departed - traffic.sampled().len() as u64;
        assert!(lost <= self.kills * batch, "{lost} left and came to nobody in {} kills", self.kills);
        self.departed = departed;
    }

    /// The shard lives and everything is acknowledged and sampled: nothing is missing.
    pub fn end(&self, traffic: &Traffic, batch: u64) {
        assert_eq!(traffic.acknowledged(), traffic.offered());
        let lost = traffic.offered() - traffic.sampled().len() as u64;
        assert!(lost <= self.kills * batch, "{lost} came to nobody in {} kills", self.kills);
        eprintln!(
            "{} kills: {} trajectories written and acknowledged, {} sampled once, {lost} were on their way to the learner",
            self.kills,
            traffic.offered(),
            traffic.sampled().len()
        );
    }

    /// How many kills there were.
    pub fn kills(&self) -> u64 {
        self.kills
    }
}

/// Reading cuts off what is torn, so a copy is read.
fn read_copy(segments: &Path) -> Remembered {
    let copy = tempfile::tempdir().unwrap();
    if segments.exists() {
        for entry in fs::read_dir(segments).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    Journal::open(Arc::new(FolderDisk::new(copy.path())), SEGMENT_BYTES).unwrap().1
}
