//! No configuration that is accepted lets actors and learner wait for each other, and rates are kept.

use std::fmt::Write as _;

use configuration::{self, Config};
use proptest::prelude::*;
use rand::Rng as _;

use super::super::*;
use super::model::{remover, sampler};
use super::*;

const UNROLL: u64 = 32;

fn rate() -> impl Strategy<Value = Option<f64>> {
    prop::option::of(prop_oneof![Just(0.25), Just(0.5), Just(1.0), Just(1.3), Just(2.0), Just(3.0)])
}

fn table() -> impl Strategy<Value = TableConfig> {
    (sampler(), remover(), 1..40_usize, 1..40_usize, rate(), 0..200_u64).prop_map(
        |(sampler, remover, max_items, min_items, samples_per_insert, more)| {
            let config = TableConfig::new(sampler, remover);
            let tolerance_steps = UNROLL * samples_per_insert.unwrap_or(1.0).max(1.0).ceil() as u64 + more;
            let min_items = min_items.min(max_items);
            TableConfig { max_items, max_mib: 1, min_items, samples_per_insert, tolerance_steps, ..config }
        },
    )
}

/// Written as a user would.
fn toml(tables: &BTreeMap<String, TableConfig>, replayed_share: f64) -> String {
    let mut text = format!(
        "schema = 1\nname = \"x\"\nseed = 1\nactor.unroll = {UNROLL}\nlearner.replayed_share = {replayed_share}\n\
         simulator.scenario = \"slots\"\n"
    );
    for (name, table) in tables {
        let sampler = match table.sampler {
            SamplerConfig::Fifo => "\"fifo\"".to_owned(),
            SamplerConfig::Uniform => "\"uniform\"".to_owned(),
            SamplerConfig::Prioritised { exponent } => {
                format!("{{ prioritised = {{ exponent = {exponent:?} }} }}")
            }
        };
        let remover = match table.remover {
            RemoverConfig::Fifo => "\"fifo\"".to_owned(),
            RemoverConfig::LowestPriority => "\"lowest_priority\"".to_owned(),
            RemoverConfig::TimesSampled(limit) => format!("{{ times_sampled = {limit} }}"),
        };
        let _ = write!(
            text,
            "[replay.tables.{name}]\nsampler = {sampler}\nremover = {remover}\nmax_items = {}\nmax_mib = {}\nmin_items = {}\n\
             tolerance_steps = {}\n",
            table.max_items, table.max_mib, table.min_items, table.tolerance_steps
        );
        if let Some(rate) = table.samples_per_insert {
            let _ = writeln!(text, "samples_per_insert = {rate:?}");
        }
    }
    text
}

/// Configurations that validation accepts.
fn accepted() -> impl Strategy<Value = Config> {
    let share = prop_oneof![Just(0.0), Just(0.25), Just(0.5), Just(0.75)];
    (table(), 1..4_u32, table(), table(), share).prop_filter_map(
        "refused",
        |(mut fresh, limit, replayed, other, share)| {
            fresh.sampler = SamplerConfig::Fifo;
            fresh.remover = RemoverConfig::TimesSampled(limit);
            let other = TableConfig { samples_per_insert: None, ..other };
            let tables = BTreeMap::from(
                [("fresh", fresh), ("other", other), ("replayed", replayed)]
                    .map(|(name, table)| (name.to_owned(), table)),
            );
            configuration::parse(&toml(&tables, share), "test", &[])
                .ok()
                .inspect(|read| assert_eq!(read.replay.tables, tables))
        },
    )
}

fn insert_any(tables: &mut Tables<()>, rng: &mut ChaCha8Rng) -> u64 {
    let steps = rng.random_range(1..=UNROLL);
    // Some are larger than a table.
    let bytes = rng.random_range(1..10_u64) << rng.random_range(0..18);
    tables.insert(header(steps as u32, rng.random_range(0..3), rng.random_range(0.0..2.0)), bytes, ());
    steps
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::with_cases(150) })]

    /// A learner that asks for one table after the other and takes no less than it asked for, and actors that send only
    /// when they may: whoever waits gets on.
    #[test]
    fn nobody_waits_for_ever(config in accepted(), seed in 0..u64::MAX) {
        let mut rng = RunSeed(seed).rng(Stream::Sampling, 0);
        let mut tables: Tables<()> = Tables::new(&config.replay.tables);
        let read: &[&str] = if config.learner.replayed_share > 0.0 { &["fresh", "replayed"] } else { &["fresh"] };
        for _ in 0..60 {
            for _ in 0..rng.random_range(0..40) {
                if tables.may_insert() {
                    insert_any(&mut tables, &mut rng);
                }
            }
            let table = tables.table(read[rng.random_range(0..read.len())]).unwrap();
            let steps = rng.random_range(1..2000);
            tables.set_wanted(table, steps);
            let mut waited = 0;
            while !tables.can_serve(table, Pick::Next, steps) {
                prop_assert!(tables.may_insert(), "the learner waits for actors that wait for it");
                insert_any(&mut tables, &mut rng);
                waited += 1;
                prop_assert!(waited < 20_000, "nothing that comes is enough");
            }
            prop_assert!(!tables.sample(table, Pick::Next, steps, &mut rng).is_empty());
            tables.set_wanted(table, 0);
        }
    }

    /// Actors that wait while no learner does: what the learner may take lets them go on.
    #[test]
    fn actors_that_wait_can_be_helped_by_sampling(config in accepted(), seed in 0..u64::MAX) {
        let mut rng = RunSeed(seed).rng(Stream::Sampling, 0);
        let mut tables: Tables<()> = Tables::new(&config.replay.tables);
        let read = ["fresh", "replayed"].map(|name| tables.table(name).unwrap());
        for _ in 0..300 {
            let mut samples = 0;
            while !tables.may_insert() {
                let given: usize =
                    read.iter().map(|table| tables.sample(*table, Pick::Next, 1, &mut rng).len()).sum();
                prop_assert!(given > 0, "neither may anything come nor be given");
                samples += given;
                prop_assert!(samples < 20_000);
            }
            insert_any(&mut tables, &mut rng);
        }
    }

    /// Of one table of any kind: samples keep to the rate but for the tolerance, what a learner waited for, what came before
    /// the table had enough, and one item.
    #[test]
    fn the_rate_is_kept(table in table(), seed in 0..u64::MAX) {
        prop_assume!(table.samples_per_insert.is_some());
        let rate = table.samples_per_insert.unwrap();
        let limit = match table.remover { RemoverConfig::TimesSampled(limit) => f64::from(limit), _ => f64::INFINITY };
        prop_assume!(rate <= limit);
        let mut rng = RunSeed(seed).rng(Stream::Sampling, 0);
        let mut tables: Tables<()> = Tables::new(&BTreeMap::from([("fresh".to_owned(), table.clone())]));
        let index = tables.table("fresh").unwrap();
        let (tolerance, item) = (table.tolerance_steps as f64, UNROLL as f64);
        // Where items leave, the table may have too few again, and all that is left of those few may be owed.
        let each = if limit.is_finite() { limit } else { rate };
        let before_enough = (table.min_items as u64 * UNROLL) as f64 * each;
        let (mut inserted, mut sampled, mut most_wanted) = (0_u64, 0_u64, 0_u64);
        for _ in 0..400 {
            if rng.random_range(0..20) == 0 {
                let wanted = rng.random_range(0..500);
                most_wanted = most_wanted.max(wanted);
                tables.set_wanted(index, wanted);
            }
            if tables.may_insert() && rng.random_range(0..3) > 0 {
                inserted += insert_any(&mut tables, &mut rng);
            } else {
                let given = tables.sample(index, Pick::Next, rng.random_range(1..200), &mut rng);
                sampled += given.iter().map(|given| given.item.steps()).sum::<u64>();
            }
            let ceiling = tolerance.max(most_wanted as f64).max(before_enough) + rate * item;
            let owed = tables.stats().tables[0].owed_steps;
            let ahead = sampled as f64 - rate * inserted as f64;
            prop_assert!(ahead < tolerance + item + 1e-6, "{ahead} more than the rate");
            prop_assert!(-tolerance - item < owed + 1e-6 && owed <= ceiling + 1e-6, "{owed} owed");
            // What was given up is never what could still be given.
            prop_assert!(owed <= -ahead + 1e-6);
            if limit.is_infinite() {
                prop_assert!((owed + ahead).abs() < 1e-6 && -ahead <= ceiling + 1e-6);
            }
        }
    }
}
