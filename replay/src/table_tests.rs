use common::ids::{ActorId, Digest, Incarnation, PolicyVersion, RunId, SequenceNumber};
use common::seed::{RunSeed, Stream};
use common::time::SimTime;
use common::trajectory::Scenario;
use proptest::prelude::*;

use super::*;

fn header(number: u64, steps: u32, version: u64) -> TrajectoryHeader {
    let version = PolicyVersion { number: version, ..PolicyVersion::default() };
    TrajectoryHeader {
        run: RunId([0; 16]),
        actor: ActorId(0),
        incarnation: Incarnation(0),
        sequence: SequenceNumber(number),
        ordinal: number,
        scenario: Scenario::Slots,
        episode: RunSeed(SimTime::ZERO.0),
        group: None,
        first_version: version,
        last_version: version,
        priority: 1.0,
        schema: Digest([0; 32]),
        steps,
    }
}

fn table(max_items: usize, max_bytes: u64) -> Table {
    let limiter = RateLimiter { max_waiting_steps: 100, min_items: 1 };
    Table::new(ShardId(0), TableBounds { max_items, max_bytes }, limiter)
}

fn insert(table: &Table, number: u64, steps: u32, version: u64, bytes: usize) {
    let bulk = |bytes: usize| (vec![0; bytes], BulkDigest { length: bytes as u64, crc: 0 });
    table.insert(header(number, steps, version), bulk(bytes), bulk(0));
}

fn ordinals(given: &[Given]) -> Vec<u64> {
    given.iter().map(|given| given.item.header.ordinal).collect()
}

#[test]
fn in_order_each_item_is_given_once_and_uniform_gives_again() {
    let table = table(10, u64::MAX);
    let mut rng = RunSeed(1).rng(Stream::Sampling, 0);
    (0..4).for_each(|number| insert(&table, number, 10, 0, 1));
    assert_eq!(ordinals(&table.sample(SampleKind::Fifo, 15, &mut rng)), [0, 1]);
    assert_eq!(ordinals(&table.sample(SampleKind::Fifo, 100, &mut rng)), [2, 3]);
    assert!(table.sample(SampleKind::Fifo, 1, &mut rng).is_empty());
    let again = table.sample(SampleKind::Uniform, 50, &mut rng);
    assert_eq!(again.len(), 5);
    assert!(again.iter().all(|given| given.times_sampled >= 2));
}

#[test]
fn a_turn_gives_its_version_only_and_takes_it_out_of_the_order() {
    let table = table(10, u64::MAX);
    let mut rng = RunSeed(1).rng(Stream::Sampling, 0);
    for (number, version) in [(0, 1), (1, 2), (2, 1)] {
        insert(&table, number, 10, version, 1);
    }
    let version = PolicyVersion { number: 1, ..PolicyVersion::default() };
    assert!(table.can_serve(SampleKind::Turn(version), 0));
    assert_eq!(ordinals(&table.sample(SampleKind::Turn(version), 0, &mut rng)), [0, 2]);
    assert!(!table.can_serve(SampleKind::Turn(version), 0));
    assert_eq!(ordinals(&table.sample(SampleKind::Fifo, 100, &mut rng)), [1]);
}

#[test]
fn the_oldest_make_room_and_unsampled_ones_are_counted() {
    let table = table(2, u64::MAX);
    let mut rng = RunSeed(1).rng(Stream::Sampling, 0);
    (0..2).for_each(|number| insert(&table, number, 10, 0, 1));
    table.sample(SampleKind::Fifo, 10, &mut rng);
    (2..4).for_each(|number| insert(&table, number, 10, 0, 1));
    let stats = table.stats();
    assert_eq!((stats.items, stats.evicted, stats.dropped, stats.waiting_steps), (2, 2, 1, 20));
}

#[test]
fn an_item_larger_than_the_table_is_held_alone() {
    let table = table(10, 1000);
    insert(&table, 0, 1, 0, 10);
    insert(&table, 1, 1, 0, 5000);
    assert_eq!(table.stats().items, 1);
    insert(&table, 2, 1, 0, 10);
    assert_eq!(table.stats().items, 1);
}

#[test]
fn credits_stop_at_the_limit_and_a_waiting_learner_lifts_it() {
    let table = table(100, u64::MAX);
    (0..10).for_each(|number| insert(&table, number, 10, 0, 1));
    assert!(!table.may_insert());
    table.set_wanted(101);
    assert!(table.may_insert());
    assert!(!table.can_serve(SampleKind::Fifo, 101));
    insert(&table, 10, 10, 0, 1);
    assert!(table.can_serve(SampleKind::Fifo, 101));
    assert!(!table.may_insert());
}

#[derive(Clone, Debug)]
enum Step {
    Insert { steps: u32, version: u64, bytes: usize },
    Sample(SampleKind, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let version = |number| PolicyVersion { number, ..PolicyVersion::default() };
    prop_oneof![
        3 => (0..40_u32, 0..3_u64, 0..2000_usize)
            .prop_map(|(steps, version, bytes)| Step::Insert { steps, version, bytes }),
        1 => (0..100_u64).prop_map(|steps| Step::Sample(SampleKind::Fifo, steps)),
        1 => (0..100_u64).prop_map(|steps| Step::Sample(SampleKind::Uniform, steps)),
        1 => (0..3_u64).prop_map(move |number| Step::Sample(SampleKind::Turn(version(number)), 0)),
    ]
}

proptest! {
    #[test]
    fn bounds_counts_and_order_hold_whatever_happens(steps in prop::collection::vec(step(), 1..200)) {
        let (max_items, max_bytes) = (8, 10_000);
        let table = table(max_items, max_bytes);
        let mut rng = RunSeed(3).rng(Stream::Sampling, 0);
        let mut inserted = 0;
        let mut given_in_order = std::collections::HashSet::new();
        for step in steps {
            match step {
                Step::Insert { steps, version, bytes } => {
                    insert(&table, inserted, steps, version, bytes);
                    inserted += 1;
                }
                Step::Sample(kind, wanted) => {
                    let given = table.sample(kind, wanted, &mut rng);
                    if kind != SampleKind::Uniform {
                        prop_assert!(ordinals(&given).is_sorted());
                        for ordinal in ordinals(&given) {
                            prop_assert!(given_in_order.insert(ordinal), "{ordinal} was given twice");
                        }
                    }
                }
            }
            let stats = table.stats();
            prop_assert!(stats.items <= max_items as u64);
            prop_assert!(stats.bytes <= max_bytes || stats.items == 1);
            prop_assert_eq!(stats.inserted, inserted);
            prop_assert_eq!(stats.inserted - stats.evicted, stats.items);
            prop_assert_eq!(table.items.len() as u64, stats.items);
            let waiting: u64 = table
                .items
                .iter()
                .filter(|item| !given_in_order.contains(&item.header.ordinal))
                .map(|item| u64::from(item.header.steps))
                .sum();
            prop_assert_eq!(stats.waiting_steps, waiting);
        }
    }
}
