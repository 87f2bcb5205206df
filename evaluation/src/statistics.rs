//! Means that say how sure they are.

use std::collections::HashMap;

use common::{RunSeed, Stream};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Resamplings behind an interval.
const RESAMPLINGS: usize = 2000;

/// Draws that are kept, of all numbers of seeds together; more are drawn anew each time, which is slower and takes no memory.
const MOST_KEPT: usize = 20_000_000;

/// A mean with its 95% interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Mean of the samples.
    pub mean: f64,
    /// Lower end of the 95% interval.
    pub low: f64,
    /// Upper end of the 95% interval.
    pub high: f64,
}

impl From<Interval> for drawing::Value {
    fn from(Interval { mean, low, high }: Interval) -> Self {
        drawing::Value { mean, low, high }
    }
}

/// m = Σ sums / Σ counts over episodes, and its standard error √Σ (sum − m·count)² / Σ count.
#[must_use]
pub fn ratio_of_sums(episodes: &[(f64, u64)]) -> (f64, f64) {
    let total: f64 = episodes.iter().map(|(sum, _)| sum).sum();
    let count: f64 = episodes.iter().map(|(_, count)| *count as f64).sum();
    if count == 0.0 {
        return (f64::NAN, f64::NAN);
    }
    let mean = total / count;
    let squares: f64 = episodes.iter().map(|(sum, count)| (sum - mean * *count as f64).powi(2)).sum();
    (mean, squares.sqrt() / count)
}

/// The mean of `values` (one a seed) with its 95% percentile bootstrap interval; the same for the same values.
#[must_use]
pub fn bootstrap_interval(values: &[f64]) -> Interval {
    Bootstrap::new(values.len()).of_mean(values)
}

/// Resamplings of `count` seeds, drawn once, so that compared schedulers are resampled alike.
pub struct Bootstrap {
    count: usize,
    draws: Vec<u32>,
}

impl Bootstrap {
    /// Draws the resamplings of `count` seeds; always the same ones.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Bootstrap::beside(0, count)
    }

    /// The same beside others that keep so many draws.
    fn beside(kept: usize, count: usize) -> Self {
        let mut draws = Vec::new();
        if RESAMPLINGS.saturating_mul(count).saturating_add(kept) <= MOST_KEPT {
            each_resampling(count, |draw| draws.extend_from_slice(draw));
        }
        Bootstrap { count, draws }
    }

    /// The mean of `values` with its 95% interval.
    ///
    /// # Panics
    /// When there are not as many as the resamplings were drawn for.
    #[must_use]
    pub fn of_mean(&self, values: &[f64]) -> Interval {
        assert_eq!(values.len(), self.count, "values and resamplings go together");
        let count = values.len() as f64;
        self.of(values.iter().sum::<f64>() / count, |draw| {
            draw.iter().map(|&place| values[place as usize]).sum::<f64>() / count
        })
    }

    /// Σ sums / Σ counts with its 95% interval, or the difference of two of them on the same seeds.
    ///
    /// # Panics
    /// When there are not as many as the resamplings were drawn for.
    #[must_use]
    pub fn of_ratio(&self, episodes: &[(f64, f64)], against: Option<&[(f64, f64)]>) -> Interval {
        let all: Vec<u32> = (0..self.count as u32).collect();
        let value = |draw: &[u32]| pooled(episodes, draw) - against.map_or(0.0, |other| pooled(other, draw));
        self.of(value(&all), value)
    }

    fn of(&self, mean: f64, resampled: impl Fn(&[u32]) -> f64) -> Interval {
        if self.count == 0 {
            return Interval { mean: f64::NAN, low: f64::NAN, high: f64::NAN };
        }
        let mut means = Vec::with_capacity(RESAMPLINGS);
        if self.draws.is_empty() {
            each_resampling(self.count, |draw| means.push(resampled(draw)));
        } else {
            means.extend(self.draws.chunks_exact(self.count).map(resampled));
        }
        means.sort_by(f64::total_cmp);
        let at = |share: f64| means[((RESAMPLINGS - 1) as f64 * share).round() as usize];
        Interval { mean, low: at(0.025), high: at(0.975) }
    }
}

/// Resamplings, drawn once for each number of seeds.
#[derive(Default)]
pub(crate) struct Bootstraps {
    by_count: HashMap<usize, Bootstrap>,
    kept: usize,
}

impl Bootstraps {
    pub fn of(&mut self, count: usize) -> &Bootstrap {
        let Bootstraps { by_count, kept } = self;
        by_count.entry(count).or_insert_with(|| {
            let bootstrap = Bootstrap::beside(*kept, count);
            *kept += bootstrap.draws.len();
            bootstrap
        })
    }
}

/// Calls a function with every resampling of `count` seeds, always the same ones.
fn each_resampling(count: usize, mut take: impl FnMut(&[u32])) {
    if count == 0 {
        return;
    }
    let mut rng = RunSeed(0).rng(Stream::Bootstrap, count as u64);
    let mut draw = vec![0; count];
    for _ in 0..RESAMPLINGS {
        draw.fill_with(|| rng.random_range(0..count) as u32);
        take(&draw);
    }
}

fn pooled(episodes: &[(f64, f64)], draw: &[u32]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for &place in draw {
        sum += episodes[place as usize].0;
        count += episodes[place as usize].1;
    }
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_of_sums_weighs_episodes_by_their_jobs() {
        let (mean, error) = ratio_of_sums(&[(2.0, 1), (10.0, 5)]);
        assert!((mean - 2.0).abs() < 1e-12);
        assert_eq!(error, 0.0);
        let (mean, error) = ratio_of_sums(&[(3.0, 1), (1.0, 1)]);
        assert!((mean - 2.0).abs() < 1e-12);
        assert!((error - 2_f64.sqrt() / 2.0).abs() < 1e-12);
    }

    #[test]
    fn many_seeds_take_no_memory_for_their_draws() {
        let many = MOST_KEPT / RESAMPLINGS + 1;
        assert!(Bootstrap::new(many).draws.is_empty() && !Bootstrap::new(30).draws.is_empty());
        let mut bootstraps = Bootstraps::default();
        (1..=many / 2).step_by(100).for_each(|count| assert_eq!(bootstraps.of(count).count, count));
        let draws = |one: &Bootstrap| one.draws.len();
        assert!(
            bootstraps.by_count.values().map(draws).sum::<usize>() <= MOST_KEPT,
            "of all counts together"
        );
        let kept = Bootstrap::new(30);
        let drawn = Bootstrap { count: 30, draws: Vec::new() };
        let values: Vec<f64> = (0..30).map(f64::from).collect();
        assert_eq!(kept.of_mean(&values), drawn.of_mean(&values));
    }

    #[test]
    fn intervals_cover_the_truth_about_as_often_as_they_say() {
        let mut rng = RunSeed(2).rng(Stream::Bootstrap, 1);
        let covered = (0..50)
            .filter(|_| {
                let values: Vec<f64> = (0..30).map(|_| rng.random::<f64>()).collect();
                let interval = bootstrap_interval(&values);
                (interval.low..=interval.high).contains(&0.5)
            })
            .count();
        assert!((42..=50).contains(&covered), "{covered} of 50");
    }
}
