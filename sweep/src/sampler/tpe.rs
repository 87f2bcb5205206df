//! The tree-structured Parzen estimator, multivariate: of points drawn where good trials are dense, the one that bad trials avoid
//! most (Bergstra et al. 2011; Falkner et al. 2018). Written here because the crates that have it take their random numbers in the
//! order of hash tables, so that a study that is resumed would go another way.

use rand::Rng;

use super::parzen::Density;
use crate::space::Space;
use crate::suggestion::Known;

/// Points that are compared.
const CANDIDATES: usize = 48;
/// Of all trials this share is good, and at most [`MOST_GOOD`].
const GOOD: f64 = 0.15;
const MOST_GOOD: usize = 25;
/// Bad trials that are looked at, the newest: a suggestion costs the same however long the study is.
const MOST_BAD: usize = 300;

/// A point that is promising by the ranks of the trials. Those that still run count as bad, so that they are not suggested again.
pub(super) fn point(space: &Space, known: &[Known<'_>], rng: &mut impl Rng) -> Vec<f64> {
    let mut ranked: Vec<(u32, usize)> =
        known.iter().enumerate().filter_map(|(place, trial)| Some((trial.rank?, place))).collect();
    let count = ((ranked.len() as f64 * GOOD).ceil() as usize).clamp(1, MOST_GOOD).min(ranked.len());
    ranked.select_nth_unstable(count - 1);
    let mut is_good = vec![false; known.len()];
    ranked[..count].iter().for_each(|(_, place)| is_good[*place] = true);
    let places = |place: usize| space.places(known[place].setting);
    let good: Vec<Vec<Option<f64>>> = (0..known.len()).filter(|&place| is_good[place]).map(places).collect();
    let newest = (0..known.len()).rev().filter(|&place| !is_good[place]).take(MOST_BAD);
    let bad: Vec<Vec<Option<f64>>> = newest.map(places).collect();
    let good = Density::new(space, &good);
    let bad = Density::new(space, &bad);
    let candidate = |_| {
        let point = good.draw(rng);
        // A candidate is judged by the parameters that count in it, at the values that it would have.
        let own = space.places(&space.at(&point));
        (good.log_at(&own) - bad.log_at(&own), point)
    };
    let candidates = (0..CANDIDATES).map(candidate);
    candidates
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map_or_else(|| vec![0.5; space.dimensions()], |(_, point)| point)
}
