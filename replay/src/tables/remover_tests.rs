use std::collections::BTreeMap;

use common::seed::{RunSeed, Stream};
use proptest::prelude::*;
use rand::Rng as _;

use super::*;

/// Who leaves next, by looking at all; `held` is in the order of age.
fn slow(rule: RemoverConfig, held: &BTreeMap<u64, Standing>) -> Option<u64> {
    let first = |better: fn(&Standing, &Standing) -> bool| {
        held.iter().reduce(|best, next| if better(next.1, best.1) { next } else { best }).map(|(key, _)| *key)
    };
    match rule {
        RemoverConfig::Fifo => first(|_, _| false),
        RemoverConfig::LowestPriority => first(|next, best| next.priority < best.priority),
        RemoverConfig::TimesSampled(_) => first(|next, best| next.times_sampled > best.times_sampled),
    }
}

proptest! {
    #[test]
    fn the_same_leaves_as_a_search_of_all_finds(
        rule in prop_oneof![
            Just(RemoverConfig::Fifo), Just(RemoverConfig::LowestPriority), Just(RemoverConfig::TimesSampled(5))
        ],
        seed in 0..1000_u64,
    ) {
        let mut rng = RunSeed(seed).rng(Stream::Sampling, 0);
        let (mut remover, mut held) = (Remover::new(rule), BTreeMap::new());
        // Few different priorities, so that there are ties.
        let priorities = [0.0, 1e-38, 0.5, 1.0, 1e38];
        for key in 0..300 {
            let standing = Standing { priority: priorities[rng.random_range(0..5)], times_sampled: 0 };
            remover.insert(key, standing);
            held.insert(key, standing);
            let changed = *held.keys().nth(rng.random_range(0..held.len())).unwrap();
            let before = held[&changed];
            let after = Standing {
                priority: priorities[rng.random_range(0..5)],
                times_sampled: before.times_sampled + rng.random_range(0..3),
            };
            remover.change(changed, before, after);
            held.insert(changed, after);
            while held.len() > 20 || !held.is_empty() && rng.random_range(0..3) == 0 {
                let next = remover.select();
                prop_assert_eq!(next, slow(rule, &held));
                let standing = held.remove(&next.unwrap()).unwrap();
                remover.remove(next.unwrap(), standing);
            }
        }
    }
}

#[test]
fn an_item_is_spent_at_the_limit_and_only_there() {
    let standing = |times_sampled| Standing { priority: 1.0, times_sampled };
    let spent = |rule, times| Remover::new(rule).is_spent(standing(times));
    assert_eq!([1, 2, 3].map(|times| spent(RemoverConfig::TimesSampled(2), times)), [false, true, true]);
    assert!(!spent(RemoverConfig::Fifo, u32::MAX) && !spent(RemoverConfig::LowestPriority, u32::MAX));
}
