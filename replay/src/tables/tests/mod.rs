//! Tables as a whole.

mod limits;
mod model;

use std::collections::BTreeMap;

use common::ids::{ActorId, Incarnation, PolicyVersion, SequenceNumber};
use common::seed::{RunSeed, Stream};
use common::trajectory::TrajectoryHeader;
use configuration::{RemoverConfig, SamplerConfig, TableConfig, table_id};
use rand_chacha::ChaCha8Rng;

use super::*;

fn version(number: u64) -> PolicyVersion {
    PolicyVersion { number, ..PolicyVersion::default() }
}

fn header(steps: u32, number: u64, priority: f32) -> TrajectoryHeader {
    TrajectoryHeader {
        actor: ActorId(0),
        incarnation: Incarnation(0),
        sequence: SequenceNumber(0),
        ordinal: 0,
        first_version: version(number),
        last_version: version(number),
        priority,
        steps,
    }
}

fn rng() -> ChaCha8Rng {
    RunSeed(3).rng(Stream::Sampling, 0)
}

fn keys<C>(sampled: &[Sampled<C>]) -> Vec<u64> {
    sampled.iter().map(|sampled| sampled.item.key).collect()
}

fn queue() -> TableConfig {
    let config = TableConfig::new(SamplerConfig::Fifo, RemoverConfig::TimesSampled(1));
    TableConfig { samples_per_insert: Some(1.0), tolerance_steps: 100, ..config }
}

fn uniform(max_items: usize) -> TableConfig {
    TableConfig { max_items, ..TableConfig::new(SamplerConfig::Uniform, RemoverConfig::Fifo) }
}

fn two(fresh: TableConfig, replayed: TableConfig) -> (Tables<()>, TableIndex, TableIndex) {
    let tables =
        Tables::new(&BTreeMap::from([("fresh".to_owned(), fresh), ("replayed".to_owned(), replayed)]));
    let (fresh, replayed) = (tables.table("fresh").unwrap(), tables.table("replayed").unwrap());
    (tables, fresh, replayed)
}

fn fill(tables: &mut Tables<()>, count: u64) {
    for _ in 0..count {
        tables.insert(header(10, 0, 1.0), 1, ());
    }
}

#[test]
fn a_queue_gives_each_item_once_and_the_other_table_gives_again() {
    let (mut tables, fresh, replayed) = two(queue(), uniform(10));
    fill(&mut tables, 4);
    assert_eq!(keys(&tables.sample(fresh, Pick::Next, 15, &mut rng())), [0, 1]);
    assert_eq!(keys(&tables.sample(fresh, Pick::Next, 100, &mut rng())), [2, 3]);
    assert!(tables.sample(fresh, Pick::Next, 1, &mut rng()).is_empty());
    let again = tables.sample(replayed, Pick::Next, 50, &mut rng());
    assert!(again.len() == 5 && again.iter().all(|sampled| sampled.probability == 0.25));
    assert_eq!(tables.items().len(), 4);
}

#[test]
fn an_item_is_dead_when_it_has_left_its_last_table() {
    let (mut tables, fresh, _) = two(queue(), uniform(1));
    fill(&mut tables, 2);
    tables.sample(fresh, Pick::Next, 20, &mut rng());
    let departure = |key, table: &str, last| Departure { key, table: table_id(table), last };
    let expected =
        [departure(0, "replayed", false), departure(0, "fresh", true), departure(1, "fresh", false)];
    assert_eq!(tables.take_departures(), expected);
    assert!(tables.take_departures().is_empty());
    assert_eq!(tables.items().iter().map(|item| item.key).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_turn_gives_its_version_only_and_each_item_once() {
    let (mut tables, fresh, replayed) = two(queue(), uniform(10));
    for number in [1, 2, 1] {
        tables.insert(header(10, number, 1.0), 1, ());
    }
    for table in [fresh, replayed] {
        assert!(tables.can_serve(table, Pick::Turn(version(1)), 0));
        assert_eq!(keys(&tables.sample(table, Pick::Turn(version(1)), 0, &mut rng())), [0, 2]);
        assert!(!tables.can_serve(table, Pick::Turn(version(1)), 0));
    }
    assert_eq!(keys(&tables.sample(fresh, Pick::Next, 100, &mut rng())), [1]);
    assert!(!tables.can_serve(fresh, Pick::Turn(version(2)), 0));
}

#[test]
fn an_item_larger_than_a_table_is_held_alone() {
    let (mut tables, _, _) = two(queue(), uniform(10));
    for (bytes, items) in [(10, 1), (600 << 20, 1), (10, 1), (10, 2)] {
        tables.insert(header(1, 0, 1.0), bytes, ());
        let stats = tables.stats();
        assert_eq!((stats.items, stats.tables[0].items, stats.tables[1].items), (items, items, items));
    }
}

#[test]
fn an_answer_ends_at_64_mib() {
    let (mut tables, fresh, _) = two(queue(), uniform(10));
    for _ in 0..4 {
        tables.insert(header(10, 0, 1.0), 40 << 20, ());
    }
    assert!(tables.can_serve(fresh, Pick::Next, 1_000_000));
    assert_eq!(tables.sample(fresh, Pick::Next, 1_000_000, &mut rng()).len(), 2);
}

#[test]
fn a_fifo_that_keeps_its_items_gives_the_oldest_again() {
    let (mut tables, fresh, replayed) =
        two(queue(), TableConfig { sampler: SamplerConfig::Fifo, ..uniform(2) });
    fill(&mut tables, 2);
    let sampled = tables.sample(replayed, Pick::Next, 30, &mut rng());
    assert_eq!(keys(&sampled), [0, 0, 0]);
    fill(&mut tables, 1);
    assert_eq!(keys(&tables.sample(replayed, Pick::Next, 10, &mut rng())), [1]);
    assert_eq!(keys(&tables.sample(fresh, Pick::Next, 10, &mut rng())), [0]);
}

#[test]
fn credits_stop_at_the_tolerance_and_a_waiting_learner_lifts_it() {
    let (mut tables, fresh, _) = two(queue(), uniform(100));
    fill(&mut tables, 10);
    assert!(!tables.may_insert());
    tables.set_wanted(fresh, 101);
    assert!(tables.may_insert() && !tables.can_serve(fresh, Pick::Next, 101));
    fill(&mut tables, 1);
    assert!(!tables.may_insert() && tables.can_serve(fresh, Pick::Next, 101));
}

/// The learner reads no more of `fresh` before `replayed` has begun, and `fresh` lets no more in before it is read.
#[test]
fn who_waits_for_one_table_is_not_held_up_by_another() {
    let (mut tables, fresh, replayed) = two(queue(), TableConfig { min_items: 30, ..uniform(100) });
    fill(&mut tables, 10);
    assert!(!tables.may_insert() && !tables.can_serve(replayed, Pick::Next, 1));
    tables.set_wanted(replayed, 1);
    while !tables.can_serve(replayed, Pick::Next, 1) {
        assert!(tables.may_insert());
        fill(&mut tables, 1);
    }
    assert!(!tables.may_insert() && tables.can_serve(fresh, Pick::Next, 300));
}

#[test]
fn bad_priorities_are_refused_and_none_is_larger_than_the_learner_has_set() {
    let prioritised = TableConfig { sampler: SamplerConfig::Prioritised { exponent: 1.0 }, ..uniform(10) };
    let (mut tables, _, replayed) = two(queue(), prioritised);
    for priority in [2.0, f32::INFINITY, f32::NAN, -1.0, -0.0] {
        tables.insert(header(10, 0, priority), 1, ());
    }
    // 1 each, but the last, which is 0.
    assert_eq!(tables.stats().tables[1].mass, 4.0);
    let counts = tables.set_priorities(replayed, &[(0, f32::NAN), (1, -3.0), (99, 1.0), (2, 5.0), (3, 0.0)]);
    assert_eq!(counts, PriorityCounts { updated: 2, unknown: 1, refused: 2 });
    assert_eq!(tables.stats().tables[1].mass, 7.0);
    assert_eq!(tables.stats().tables[1].refused_priorities, 4);
    tables.set_priorities(replayed, &[(3, f32::INFINITY)]);
    assert_eq!(tables.stats().tables[1].mass, 12.0);
    tables.insert(header(10, 0, 1e30), 1, ());
    assert_eq!(tables.stats().tables[1].mass, 17.0);
}

/// The bits of −0 are those of a large number.
#[test]
fn a_priority_of_minus_zero_is_the_lowest() {
    let by_priority = TableConfig { remover: RemoverConfig::LowestPriority, ..uniform(2) };
    let (mut tables, _, _) = two(queue(), by_priority);
    for priority in [1.0, -0.0, 2.0] {
        tables.insert(header(10, 0, priority), 1, ());
    }
    let departure = Departure { key: 1, table: table_id("replayed"), last: false };
    assert_eq!(tables.take_departures(), [departure]);
}

#[test]
fn restored_items_are_where_they_were_and_keys_go_on() {
    let (mut tables, fresh, replayed) = two(queue(), uniform(10));
    tables.restore(4, header(10, 0, 1.0), 7, (), &[table_id("fresh")]);
    tables.restore(6, header(10, 0, 1.0), 7, (), &[table_id("of old")]);
    tables.restore(6, header(10, 0, 1.0), 7, (), &[]);
    tables.restore(8, header(10, 0, 1.0), 7, (), &[table_id("fresh"), table_id("replayed")]);
    assert_eq!((tables.stats().items, tables.stats().bytes), (2, 14));
    assert_eq!(tables.stats().tables[0].owed_steps, 10.0);
    tables.set_next_key(20);
    tables.set_next_key(3);
    assert_eq!(tables.insert(header(10, 0, 1.0), 1, ()), 20);
    assert_eq!(keys(&tables.sample(fresh, Pick::Next, 100, &mut rng())), [6, 20]);
    assert!(
        tables.sample(replayed, Pick::Next, 1000, &mut rng()).iter().any(|sampled| sampled.item.key == 4)
    );
}
