use std::collections::BTreeMap;

use common::seed::{RunSeed, Stream};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::*;

/// Of 20 cells, 19 degrees of freedom: passed by chance once in a thousand (and with a fixed seed never).
const CHI_SQUARE: f64 = 43.8;
const DRAWS: u32 = 100_000;

/// A sampler after a long history, in which 20 keys are left with the priorities that are returned.
fn after_history(config: SamplerConfig, rng: &mut ChaCha8Rng) -> (Sampler, BTreeMap<u64, f32>) {
    let (mut sampler, mut held) = (Sampler::new(config), BTreeMap::new());
    for key in 0..20_000 {
        let priority = rng.random_range(0.5..3.0);
        sampler.insert(key, priority);
        held.insert(key, priority);
        let mut any = |held: &BTreeMap<u64, f32>| *held.keys().nth(rng.random_range(0..held.len())).unwrap();
        let changed = any(&held);
        sampler.update(changed, 10.0 + key as f32);
        sampler.update(changed, 0.5 + (key % 7) as f32);
        held.insert(changed, 0.5 + (key % 7) as f32);
        while held.len() > if key == 19_999 { 20 } else { 50 } {
            let removed = any(&held);
            sampler.remove(removed);
            held.remove(&removed);
        }
    }
    (sampler, held)
}

fn chi_square(sampler: &Sampler, expected: &BTreeMap<u64, f64>, rng: &mut ChaCha8Rng) -> f64 {
    let mut counts: BTreeMap<u64, f64> = expected.keys().map(|key| (*key, 0.0)).collect();
    for _ in 0..DRAWS {
        let (key, probability) = sampler.select(rng).unwrap();
        assert!((probability - expected[&key]).abs() < 1e-12, "{probability} of {key}");
        *counts.get_mut(&key).unwrap() += 1.0;
    }
    counts
        .iter()
        .map(|(key, count)| {
            let expected = expected[key] * f64::from(DRAWS);
            (count - expected).powi(2) / expected
        })
        .sum()
}

#[test]
fn uniform_gives_each_the_same_probability_after_a_long_history() {
    let mut rng = RunSeed(7).rng(Stream::Sampling, 0);
    let (sampler, held) = after_history(SamplerConfig::Uniform, &mut rng);
    let expected = held.keys().map(|key| (*key, 1.0 / 20.0)).collect();
    let chi_square = chi_square(&sampler, &expected, &mut rng);
    assert!(held.len() == 20 && chi_square < CHI_SQUARE, "{chi_square}");
}

#[test]
fn prioritised_gives_each_in_proportion_after_a_long_history() {
    for (index, exponent) in [0.0, 0.6, 1.0, 2.5].into_iter().enumerate() {
        let mut rng = RunSeed(7).rng(Stream::Sampling, index as u64);
        let (sampler, held) = after_history(SamplerConfig::Prioritised { exponent }, &mut rng);
        let mass = |priority: &f32| f64::from(*priority).powf(exponent);
        let total: f64 = held.values().map(mass).sum();
        let expected = held.iter().map(|(key, priority)| (*key, mass(priority) / total)).collect();
        let chi_square = chi_square(&sampler, &expected, &mut rng);
        assert!(held.len() == 20 && chi_square < CHI_SQUARE, "exponent {exponent}: {chi_square}");
    }
}

#[test]
fn without_any_mass_prioritised_is_uniform() {
    let mut rng = RunSeed(8).rng(Stream::Sampling, 0);
    let mut sampler = Sampler::new(SamplerConfig::Prioritised { exponent: 0.6 });
    (0..20).for_each(|key| sampler.insert(key, if key % 2 == 0 { 0.0 } else { 5.0 }));
    assert!((0..1000).all(|_| sampler.select(&mut rng).unwrap().0 % 2 == 1));
    (0..20).for_each(|key| sampler.update(key, 0.0));
    let expected = (0..20).map(|key| (key, 1.0 / 20.0)).collect();
    let chi_square = chi_square(&sampler, &expected, &mut rng);
    assert!(chi_square < CHI_SQUARE, "{chi_square}");
}

#[test]
fn extreme_priorities_are_ordered_and_finite() {
    let mut rng = RunSeed(9).rng(Stream::Sampling, 0);
    let mut sampler = Sampler::new(SamplerConfig::Prioritised { exponent: 4.0 });
    sampler.insert(0, f32::MIN_POSITIVE);
    sampler.insert(1, f32::MAX);
    sampler.insert(2, f32::MAX);
    assert!((0..100).all(|_| matches!(sampler.select(&mut rng), Some((1 | 2, 0.5)))));
    sampler.remove(1);
    sampler.remove(2);
    assert_eq!(sampler.select(&mut rng), Some((0, 1.0)));
    sampler.remove(0);
    assert_eq!(sampler.select(&mut rng), None);
}

#[test]
fn fifo_gives_the_oldest_that_is_left() {
    let mut rng = RunSeed(1).rng(Stream::Sampling, 0);
    let mut sampler = Sampler::new(SamplerConfig::Fifo);
    (0..3).for_each(|key| sampler.insert(key, 1.0));
    assert_eq!(sampler.select(&mut rng), Some((0, 1.0)));
    sampler.remove(0);
    assert_eq!(sampler.select(&mut rng), Some((1, 1.0)));
}
