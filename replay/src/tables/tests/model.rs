//! Everything that tables promise, against tables that look at all their items each time.

use std::collections::{BTreeMap, HashSet};

use configuration::{RemoverConfig, SamplerConfig, TableConfig, table_id};
use proptest::prelude::*;
use rand::Rng as _;

use super::super::*;
use super::{header, version};

const UNIT: u64 = 100 << 10;

#[derive(Clone, Debug)]
struct Held {
    key: u64,
    steps: u64,
    bytes: u64,
    version: u64,
    priority: f32,
    times: u32,
}

#[derive(Debug, Default)]
struct Counts {
    inserted: u64,
    sampled: u64,
    evicted: u64,
    dropped: u64,
}

/// One table, its items in the order of age.
struct Slow {
    name: String,
    config: TableConfig,
    held: Vec<Held>,
    owed: f64,
    enough: usize,
    /// The largest priority that a learner has set, or 1.
    largest: f32,
    counts: Counts,
}

impl Slow {
    fn new(name: &str, config: &TableConfig) -> Self {
        let enough = config.min_items;
        let (config, counts) = (config.clone(), Counts::default());
        Slow { name: name.to_owned(), config, held: Vec::new(), owed: 0.0, enough, largest: 1.0, counts }
    }

    fn limit(&self) -> Option<u32> {
        if let RemoverConfig::TimesSampled(limit) = self.config.remover { Some(limit) } else { None }
    }

    fn left(&self) -> f64 {
        let samples = |limit: u32| {
            self.held.iter().map(|held| held.steps * u64::from(limit - held.times)).sum::<u64>() as f64
        };
        self.limit().map_or(f64::INFINITY, samples)
    }

    fn bytes(&self) -> u64 {
        self.held.iter().map(|held| held.bytes).sum()
    }

    fn remove(&mut self, place: usize, gone: &mut Vec<u64>) {
        let held = self.held.remove(place);
        self.counts.dropped += u64::from(held.times == 0);
        self.owed = self.owed.min(self.left());
        gone.push(held.key);
    }

    fn insert(&mut self, mut held: Held, restored: bool, gone: &mut Vec<u64>) {
        held.priority = held.priority.min(self.largest);
        let before = gone.len();
        while !self.held.is_empty()
            && (self.held.len() + 1 > self.config.max_items
                || self.bytes() + held.bytes > self.config.max_bytes())
        {
            let rank = |held: &Held| match self.config.remover {
                RemoverConfig::Fifo => 0.0,
                RemoverConfig::LowestPriority => held.priority,
                RemoverConfig::TimesSampled(_) => -(held.times as f32),
            };
            let lowest = self.held.iter().map(rank).fold(f32::INFINITY, f32::min);
            let place = self.held.iter().position(|held| rank(held) == lowest).unwrap();
            self.counts.evicted += 1;
            self.remove(place, gone);
        }
        if !restored || self.limit().is_some() {
            self.owed += self.config.samples_per_insert.unwrap_or(0.0) * held.steps as f64;
        }
        self.counts.inserted += 1;
        self.held.push(held);
        if gone.len() > before {
            self.enough = self.enough.min(self.held.len());
        }
    }

    fn probability(&self, place: usize) -> f64 {
        match self.config.sampler {
            SamplerConfig::Fifo => f64::from(place == 0),
            SamplerConfig::Uniform => 1.0 / self.held.len() as f64,
            SamplerConfig::Prioritised { exponent } => {
                let mass = |held: &Held| f64::from(held.priority).powf(exponent);
                let total: f64 = self.held.iter().map(mass).sum();
                if total > 0.0 { mass(&self.held[place]) / total } else { 1.0 / self.held.len() as f64 }
            }
        }
    }

    /// Follows what was sampled, and checks that it was right.
    fn follow(
        &mut self,
        pick: Pick,
        steps: u64,
        sampled: &[Sampled<()>],
        gone: &mut Vec<u64>,
    ) -> Result<(), TestCaseError> {
        let (rate, tolerance) = (self.config.samples_per_insert, self.config.tolerance_steps as f64);
        let may_begin = |slow: &Slow| slow.held.len() >= slow.enough;
        let may_go_on = |slow: &Slow| rate.is_none() || slow.owed > -tolerance;
        let begun = may_begin(self);
        let waiting = |slow: &Slow, number| {
            slow.held.iter().position(|held| version(held.version) == number && held.times == 0)
        };
        let mut found = 0;
        for next in sampled {
            let place = self.held.iter().position(|held| held.key == next.item.key);
            prop_assert!(place.is_some(), "{} is not in the table", next.item.key);
            let place = place.unwrap();
            match pick {
                Pick::Next => {
                    prop_assert!(begun && may_go_on(self) && found < steps);
                    let expected = self.probability(place);
                    prop_assert!(expected > 0.0 && (next.probability - expected).abs() < 1e-12);
                }
                Pick::Turn(number) => prop_assert_eq!(Some(place), waiting(self, number)),
            }
            let held = &mut self.held[place];
            held.times += 1;
            found += held.steps;
            let (spent, steps) = (Some(held.times) == self.limit(), self.held[place].steps);
            self.owed -= if rate.is_some() { steps as f64 } else { 0.0 };
            self.counts.sampled += 1;
            if spent {
                self.remove(place, gone);
            }
        }
        match pick {
            Pick::Next => prop_assert!(found >= steps || !begun || !may_go_on(self) || self.held.is_empty()),
            Pick::Turn(number) => prop_assert_eq!(waiting(self, number), None),
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert { steps: u32, version: u64, units: u64, priority: f32 },
    Sample { table: usize, pick: Pick, steps: u64 },
    Prioritise { table: usize, priority: f32 },
}

fn priority() -> impl Strategy<Value = f32> {
    prop_oneof![Just(0.0_f32), Just(1.0), Just(1e-30), Just(1e30), 0.0..10.0_f32]
}

fn step() -> impl Strategy<Value = Step> {
    let pick =
        prop_oneof![3 => Just(Pick::Next), 1 => (0..3_u64).prop_map(|number| Pick::Turn(version(number)))];
    prop_oneof![
        4 => (0..40_u32, 0..3_u64, 0..6_u64, priority())
            .prop_map(|(steps, version, units, priority)| Step::Insert { steps, version, units, priority }),
        3 => (0..3_usize, pick, 0..100_u64)
            .prop_map(|(table, pick, steps)| Step::Sample { table, pick, steps }),
        1 => (0..3_usize, priority()).prop_map(|(table, priority)| Step::Prioritise { table, priority }),
    ]
}

pub(super) fn sampler() -> impl Strategy<Value = SamplerConfig> {
    prop_oneof![
        Just(SamplerConfig::Fifo),
        Just(SamplerConfig::Uniform),
        (0..5_u8).prop_map(|half| SamplerConfig::Prioritised { exponent: f64::from(half) / 2.0 }),
    ]
}

pub(super) fn remover() -> impl Strategy<Value = RemoverConfig> {
    prop_oneof![
        Just(RemoverConfig::Fifo),
        Just(RemoverConfig::LowestPriority),
        (1..5_u32).prop_map(RemoverConfig::TimesSampled),
    ]
}

fn config() -> impl Strategy<Value = TableConfig> {
    (sampler(), remover(), 1..12_usize, 1..4_usize, prop::option::of(1..5_u8), 1..100_u64).prop_map(
        |(sampler, remover, max_items, min_items, quarters, tolerance_steps)| {
            let samples_per_insert = quarters.map(|quarters| f64::from(quarters) / 4.0);
            let min_items = min_items.min(max_items);
            let config = TableConfig::new(sampler, remover);
            TableConfig { max_items, max_mib: 1, min_items, samples_per_insert, tolerance_steps, ..config }
        },
    )
}

/// What is checked together.
struct Both {
    tables: Tables<()>,
    slow: Vec<Slow>,
    seen: HashSet<(u64, u32)>,
    dead: HashSet<u64>,
}

impl Both {
    fn expect(&mut self, gone: Vec<(usize, u64)>) -> Result<(), TestCaseError> {
        let departures = self.tables.take_departures();
        let expected: Vec<_> =
            gone.iter().map(|(place, key)| (*key, table_id(&self.slow[*place].name))).collect();
        let found: Vec<_> = departures.iter().map(|departure| (departure.key, departure.table)).collect();
        prop_assert_eq!(found, expected);
        for departure in departures {
            prop_assert!(self.seen.insert((departure.key, departure.table)), "left twice");
            prop_assert!(!departure.last || self.dead.insert(departure.key), "died twice");
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let mut union = BTreeMap::new();
        let stats = self.tables.stats();
        for (slow, stats) in self.slow.iter().zip(&stats.tables) {
            union.extend(slow.held.iter().map(|held| (held.key, held.bytes)));
            let counts = (stats.inserted, stats.sampled, stats.evicted, stats.dropped);
            let expected = &slow.counts;
            prop_assert_eq!(
                counts,
                (expected.inserted, expected.sampled, expected.evicted, expected.dropped)
            );
            prop_assert_eq!((stats.items, stats.bytes), (slow.held.len() as u64, slow.bytes()));
            prop_assert_eq!(stats.owed_steps, slow.owed);
            prop_assert!(stats.items <= slow.config.max_items as u64);
            prop_assert!(stats.bytes <= slow.config.max_bytes() || stats.items == 1);
        }
        prop_assert_eq!((stats.items, stats.bytes), (union.len() as u64, union.values().sum::<u64>()));
        let items = self.tables.items();
        prop_assert!(items.len() == union.len() && union.keys().all(|key| items.contains_key(key)));
        prop_assert!(union.keys().all(|key| !self.dead.contains(key)));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn tables_do_what_slow_ones_do(
        configs in prop::collection::vec(config(), 3),
        restored in prop::collection::vec((0..40_u32, 0..3_u64, 0..6_u64, priority(), 0..8_u8), 0..10),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let configs: BTreeMap<_, _> = ["a", "b", "c"].map(str::to_owned).into_iter().zip(configs).collect();
        let slow = configs.iter().map(|(name, config)| Slow::new(name, config)).collect();
        let tables: Tables<()> = Tables::new(&configs);
        let indices = ["a", "b", "c"].map(|name| tables.table(name).unwrap());
        let mut both = Both { tables, slow, seen: HashSet::new(), dead: HashSet::new() };
        let mut rng = super::rng();
        let mut next_key = 0;
        for (steps, version, units, priority, left) in restored {
            let (key, bytes) = (next_key, units * UNIT);
            next_key += rng.random_range(1..4);
            let out: Vec<usize> = (0..3).filter(|place| left >> place & 1 == 1).collect();
            let ids: Vec<u32> = out.iter().map(|place| table_id(&both.slow[*place].name)).collect();
            both.tables.restore(key, header(steps, version, priority), bytes, (), &ids);
            let held = Held { key, steps: u64::from(steps.max(1)), bytes, version, priority, times: 0 };
            let mut gone = Vec::new();
            for place in (0..3).filter(|place| !out.contains(place)) {
                let mut leaving = Vec::new();
                both.slow[place].insert(held.clone(), true, &mut leaving);
                gone.extend(leaving.into_iter().map(|key| (place, key)));
            }
            both.expect(gone)?;
            both.check()?;
        }
        both.tables.set_next_key(next_key);
        for step in steps {
            let mut gone = Vec::new();
            match step {
                Step::Insert { steps, version, units, priority } => {
                    let bytes = units * UNIT;
                    let key = both.tables.insert(header(steps, version, priority), bytes, ());
                    prop_assert_eq!(key, next_key);
                    next_key += 1;
                    let held = Held { key, steps: u64::from(steps.max(1)), bytes, version, priority, times: 0 };
                    for (place, slow) in both.slow.iter_mut().enumerate() {
                        let mut leaving = Vec::new();
                        slow.insert(held.clone(), false, &mut leaving);
                        gone.extend(leaving.into_iter().map(|key| (place, key)));
                    }
                }
                Step::Sample { table, pick, steps } => {
                    let served = both.tables.can_serve(indices[table], pick, steps.max(1));
                    let sampled = both.tables.sample(indices[table], pick, steps.max(1), &mut rng);
                    prop_assert!(!served || !sampled.is_empty(), "nothing was sampled although it could be");
                    let mut leaving = Vec::new();
                    both.slow[table].follow(pick, steps.max(1), &sampled, &mut leaving)?;
                    gone.extend(leaving.into_iter().map(|key| (table, key)));
                }
                Step::Prioritise { table, priority } => {
                    let key = rng.random_range(0..=next_key);
                    let counts = both.tables.set_priorities(indices[table], &[(key, priority)]);
                    let slow = &mut both.slow[table];
                    let held = slow.held.iter_mut().find(|held| held.key == key);
                    prop_assert_eq!((counts.updated == 1, counts.unknown == 1), (held.is_some(), held.is_none()));
                    if let Some(held) = held {
                        held.priority = priority;
                        slow.largest = slow.largest.max(priority);
                    }
                }
            }
            both.expect(gone)?;
            both.check()?;
        }
    }
}
