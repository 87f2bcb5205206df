//! Real segments that a shard wrote, damaged in one place or cut off: the rest of them is read, what is lost is said, and
//! nothing that is read differs from what was written.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "long tests tell how far they came")]

#[allow(dead_code, reason = "shards.rs uses all of it")]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::seed::{RunSeed, Stream};
use configuration::FRESH_TABLE;
use durable::FolderDisk;
use rand::Rng as _;
use replay::{Journal, Remembered};
use support::{PATIENCE, RUN, RunningShard, fresh, sampler, writer};
use transport::{Selector, Transport};

const SEGMENT_BYTES: u64 = 1 << 20;
const ITEMS: u64 = 16;
/// Small, so that a soak comes to every offset.
const STATE_BYTES: usize = 1500;

/// A key, and the bytes of the trajectory.
type Items = BTreeMap<u64, Vec<u8>>;

/// What a shard left that took [`ITEMS`] trajectories and gave some of them out.
struct Written {
    folder: tempfile::TempDir,
    segment: PathBuf,
    bytes: Vec<u8>,
    items: Items,
}

impl Written {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            "replay.durability=\"disk\"",
            &format!("replay.folder=\"{}\"", folder.path().display()),
            &fresh(10_000),
            "replay.tables.replayed={sampler=\"uniform\",max_items=12}",
        ];
        let transport = Transport::inproc();
        let shard = RunningShard::start(&transport, 0, "inproc://damage", &settings);
        let addresses = [shard.endpoint.clone()];
        let mut sampler = sampler(&transport, &addresses);
        let mut writer = writer(&transport, &addresses, 1, RUN);
        for ordinal in 0..ITEMS {
            let states = vec![ordinal as u8; STATE_BYTES];
            writer.insert(support::header(1, ordinal, 1), support::body(ordinal), states).unwrap();
        }
        writer.flush(PATIENCE).unwrap();
        assert_eq!(sampler.sample(Selector::Table(FRESH_TABLE), 70, PATIENCE).unwrap().len(), 7);
        shard.stop();
        let segment = folder.path().join("shard-0").join(durable::segment_name(1));
        let bytes = fs::read(&segment).unwrap();
        let mut written = Written { folder, segment, bytes, items: Items::new() };
        let whole = written.read(&written.bytes).unwrap();
        assert_eq!((whole.items.len(), whole.damaged, whole.next_key), (12, 0, ITEMS));
        written.items = items(&whole);
        written
    }

    /// What is read where the segment has these bytes; none where it is refused.
    fn read(&self, bytes: &[u8]) -> Option<Remembered> {
        fs::write(&self.segment, bytes).unwrap();
        open(self.folder.path())
    }

    /// Nothing that is read was not written. Without their tombstones items may be back.
    fn check(&self, remembered: &Remembered) {
        for (key, content) in items(remembered) {
            assert!(key < ITEMS);
            if let Some(known) = self.items.get(&key) {
                assert_eq!(content, *known, "item {key} is another");
            }
        }
    }

    fn missing(&self, remembered: &Remembered) -> usize {
        let found = items(remembered);
        self.items.keys().filter(|key| !found.contains_key(key)).count()
    }

    /// One byte is wrong: at most one item is lost, and it is said.
    fn flip(&self, offset: usize, mask: u8) {
        let mut bytes = self.bytes.clone();
        bytes[offset] ^= mask;
        // A version that nobody knows is refused as such.
        let Some(remembered) = self.read(&bytes) else {
            assert!((4..6).contains(&offset), "refused for the byte at {offset}");
            return;
        };
        self.check(&remembered);
        let missing = self.missing(&remembered);
        assert!(missing <= 1, "{missing} items are lost by the byte at {offset}");
        let cut = fs::metadata(&self.segment).unwrap().len() < self.bytes.len() as u64;
        assert!(missing == 0 || remembered.damaged > 0 || cut, "a loss by the byte at {offset} is not told");
    }

    /// The end is gone: what lies before it is read.
    fn cut(&self, length: usize) {
        let remembered = self.read(&self.bytes[..length]).unwrap();
        self.check(&remembered);
        assert_eq!(remembered.damaged, 0, "an end that never became durable is no damage");
        let keys: Vec<u64> = remembered.items.iter().map(|item| item.key).collect();
        assert!(keys.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap in {keys:?}, cut at {length}");
        // Whoever was acknowledged is remembered as long as the items are.
        let next = remembered.sessions.iter().map(|(_, next)| *next).max().unwrap_or(0);
        assert_eq!(next, keys.last().map_or(0, |last| last + 1), "cut at {length}");
    }
}

fn open(folder: &Path) -> Option<Remembered> {
    let disk = Arc::new(FolderDisk::new(&folder.join("shard-0")));
    Journal::open(disk, SEGMENT_BYTES).map(|(_, remembered)| remembered).ok()
}

fn items(remembered: &Remembered) -> Items {
    let bytes = |content: &replay::Content| [&*content.body, &*content.states].concat();
    remembered.items.iter().map(|item| (item.key, bytes(&item.content))).collect()
}

#[test]
fn a_byte_that_flipped_costs_one_item_at_most() {
    let written = Written::new();
    let mut rng = RunSeed(1).rng(Stream::Sampling, 0);
    (0..100).for_each(|offset| written.flip(offset, 0xff));
    for _ in 0..900 {
        written.flip(rng.random_range(0..written.bytes.len()), 1 << rng.random_range(0..8));
    }
}

#[test]
fn a_segment_that_was_cut_off_is_read_up_to_there() {
    let written = Written::new();
    let mut rng = RunSeed(2).rng(Stream::Sampling, 0);
    (0..100).for_each(|length| written.cut(length));
    (0..900).for_each(|_| written.cut(rng.random_range(0..written.bytes.len())));
}

#[test]
#[ignore = "long: ./run soak"]
fn a_flip_at_each_offset_and_a_cut_at_each_length() {
    let written = Written::new();
    let mut rng = RunSeed(3).rng(Stream::Sampling, 0);
    for offset in 0..written.bytes.len() {
        written.flip(offset, rng.random_range(1..=255));
        written.cut(offset);
    }
    eprintln!("{} offsets and lengths of a real segment", written.bytes.len());
}
