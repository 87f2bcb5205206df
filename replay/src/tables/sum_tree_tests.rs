use common::seed::{RunSeed, Stream};
use rand::{Rng as _, RngCore};

use super::*;

/// From 1e-30 to 1e30, and often nothing.
fn any_mass(rng: &mut dyn RngCore) -> f64 {
    if rng.random_range(0..4) == 0 { 0.0 } else { 10_f64.powf(rng.random_range(-30.0..30.0)) }
}

fn fresh(masses: &[f64]) -> SumTree {
    let mut tree = SumTree::default();
    masses.iter().enumerate().for_each(|(place, mass)| tree.set(place, *mass));
    tree
}

/// Neumaier's sum, whose error does not grow with the number of terms.
fn exact(masses: &[f64]) -> f64 {
    let (sum, lost) = masses.iter().fold((0.0_f64, 0.0), |(sum, lost), &mass| {
        let next = sum + mass;
        let error = if sum >= mass { (sum - next) + mass } else { (mass - next) + sum };
        (next, lost + error)
    });
    sum + lost
}

#[test]
fn after_a_long_history_it_is_the_tree_of_its_masses() {
    let mut rng = RunSeed(1).rng(Stream::Sampling, 0);
    let (mut tree, mut masses) = (SumTree::default(), Vec::new());
    for round in 0..200_000 {
        let place = rng.random_range(0..(masses.len() + 1).min(777));
        masses.resize(masses.len().max(place + 1), 0.0);
        masses[place] = any_mass(&mut rng);
        tree.set(place, masses[place]);
        if round % 1000 == 0 {
            assert_eq!(tree.total().to_bits(), fresh(&masses).total().to_bits(), "history left a trace");
            let exact = exact(&masses);
            assert!((tree.total() - exact).abs() <= 1e-14 * exact, "{} but {exact}", tree.total());
        }
    }
    masses
        .iter()
        .enumerate()
        .for_each(|(place, mass)| assert_eq!(tree.mass(place).to_bits(), mass.to_bits()));
}

#[test]
fn places_are_found_by_cumulative_mass_as_a_scan_finds_them() {
    let mut rng = RunSeed(2).rng(Stream::Sampling, 0);
    for round in 0..300 {
        let count = rng.random_range(1..200);
        let masses: Vec<f64> = (0..count).map(|_| any_mass(&mut rng)).collect();
        let tree = fresh(&masses);
        let total = tree.total();
        assert_eq!(tree.find(0.0).is_none(), total == 0.0);
        for _ in 0..100 {
            let target = rng.random::<f64>() * total;
            let Some(place) = tree.find(target) else { continue };
            let (before, slack) = (exact(&masses[..place]), 1e-14 * total);
            assert!(masses[place] > 0.0, "round {round}: a place without mass");
            assert!(before - slack <= target && target <= before + masses[place] + slack, "round {round}");
        }
    }
}

#[test]
fn the_largest_mass_leaves_nothing_behind() {
    let mut tree = fresh(&[1e-30, 1e30, 2e-30]);
    tree.set(1, 0.0);
    assert_eq!(tree.total(), 1e-30 + 2e-30);
    tree.set(0, 0.0);
    tree.set(2, 0.0);
    assert_eq!((tree.total(), tree.find(0.0)), (0.0, None));
}

#[test]
fn what_is_no_mass_does_not_poison_it() {
    let mut tree = fresh(&[f64::NAN, -1.0, 3.0]);
    assert_eq!((tree.total(), tree.find(2.9)), (3.0, Some(2)));
    (0..100).for_each(|place| tree.set(place, f64::INFINITY));
    assert!(tree.total().is_finite());
    assert_eq!(tree.mass(1_000_000), 0.0);
}

/// Rounding may take a target to the very end; there it must not run into places that were never used.
#[test]
fn a_target_at_the_end_finds_the_last_mass() {
    let tree = fresh(&[0.1, 0.2, 0.3, 0.0, 0.0]);
    for target in [tree.total(), tree.total() * (1.0 - f64::EPSILON)] {
        assert_eq!(tree.find(target), Some(2));
    }
}
