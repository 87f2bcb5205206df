//! How positive values are distributed, in memory that does not grow with their number.

/// Buckets of an octave. The middle of a bucket is at most 1/256 (0.4%) away from any value in it.
const BUCKETS_PER_OCTAVE: u64 = 128;
/// Octaves: from 2⁻¹⁴ (61 µs, where values are seconds) up to 2¹⁸ (three days).
const OCTAVES: u64 = 32;
const BUCKETS: usize = (BUCKETS_PER_OCTAVE * OCTAVES) as usize;
/// A value's bucket is its exponent and the first seven bits of its mantissa, counted from 2⁻¹⁴.
const SHIFT: u32 = f64::MANTISSA_DIGITS - 1 - BUCKETS_PER_OCTAVE.ilog2();
const FIRST: u64 = ((f64::MAX_EXP - 1) as u64 - 14) * BUCKETS_PER_OCTAVE;

/// Counts of values in logarithmic buckets: 32 KB, with number, sum and extremes kept exactly. Quantiles and fractions are
/// within 0.4% of the value for values from 2⁻¹⁴ to 2¹⁸; what lies outside counts at the end that it is beyond.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    counts: Box<[u64]>,
    count: u64,
    sum: f64,
    least: f64,
    greatest: f64,
}

impl Default for Distribution {
    fn default() -> Self {
        Distribution {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            count: 0,
            sum: 0.0,
            least: f64::INFINITY,
            greatest: 0.0,
        }
    }
}

impl Distribution {
    /// Adds one value, at least 0.
    #[inline]
    pub fn record(&mut self, value: f64) {
        let bucket = (value.to_bits() >> SHIFT).saturating_sub(FIRST);
        self.counts[(bucket as usize).min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.sum += value;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }

    /// Adds all values of another distribution.
    pub fn merge(&mut self, other: &Distribution) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    /// Number of values added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Exact sum of the values, in their unit.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Exact mean of the values; NaN without values.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// Exact smallest value; infinite without values.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.least
    }

    /// Exact largest value; 0 without values.
    #[must_use]
    pub fn greatest(&self) -> f64 {
        self.greatest
    }

    /// The value that a fraction (0 to 1) of them does not exceed, by the nearest rank; NaN without values.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> f64 {
        let rank = (self.count.saturating_sub(1) as f64 * fraction).round() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen > rank {
                let middle = (lower_edge(bucket) + lower_edge(bucket + 1)) / 2.0;
                return middle.clamp(self.least, self.greatest);
            }
        }
        f64::NAN
    }

    /// Values in each octave cut into `parts` (a divisor of 128) buckets of equal width, as (lower edge, count), without
    /// the empty ones; ascending.
    ///
    /// # Panics
    /// When `parts` does not divide 128.
    pub fn buckets(&self, parts: usize) -> impl Iterator<Item = (f64, u64)> + '_ {
        let whole = BUCKETS_PER_OCTAVE as usize;
        assert!(parts > 0 && whole.is_multiple_of(parts), "{parts} does not divide {whole}");
        let width = whole / parts;
        let together =
            move |(place, counts): (usize, &[u64])| (lower_edge(place * width), counts.iter().sum());
        self.counts.chunks(width).enumerate().map(together).filter(|(_, count)| *count > 0)
    }
}

/// The least value of a bucket.
fn lower_edge(bucket: usize) -> f64 {
    f64::from_bits((bucket as u64 + FIRST) << SHIFT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Distribution {
        let mut distribution = Distribution::default();
        values.iter().for_each(|&value| distribution.record(value));
        distribution
    }

    proptest! {
        #[test]
        fn quantiles_are_within_half_a_percent(
            exponents in prop::collection::vec(-4.0..5.0_f64, 1..300),
            fraction in 0.0..=1.0_f64,
        ) {
            let mut values: Vec<f64> = exponents.iter().map(|exponent| 10_f64.powf(*exponent)).collect();
            let distribution = of(&values);
            values.sort_by(f64::total_cmp);
            let exact = values[((values.len() - 1) as f64 * fraction).round() as usize];
            prop_assert!((distribution.quantile(fraction) / exact - 1.0).abs() < 0.005);
            prop_assert_eq!(distribution.count(), values.len() as u64);
            prop_assert!((distribution.sum() / values.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }

        #[test]
        fn merging_is_recording_together(values in prop::collection::vec(0.0..1e7_f64, 0..200), cut in 0..200_usize) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = of(left);
            merged.merge(&of(right));
            let together = of(&values);
            prop_assert_eq!(merged.counts, together.counts);
            prop_assert_eq!(merged.least, together.least);
            prop_assert_eq!(merged.greatest, together.greatest);
        }
    }

    #[test]
    fn extremes_are_exact_and_what_lies_outside_counts_at_the_ends() {
        let distribution = of(&[0.0, 1e-9, 3.3, 1e12]);
        assert_eq!(distribution.quantile(0.0), 2_f64.powi(-14) * (1.0 + 1.0 / 256.0));
        assert_eq!((distribution.least(), distribution.greatest()), (0.0, 1e12));
        assert!(distribution.quantile(1.0) > 2e5);
        assert_eq!(of(&[7.7]).quantile(0.5), 7.7);
        assert!(of(&[]).quantile(0.5).is_nan());
    }

    #[test]
    fn buckets_hold_every_value_once_between_their_edges() {
        let distribution = of(&[1.0, 1.01, 1.49, 1.5, 2.0, 900.0]);
        let buckets: Vec<(f64, u64)> = distribution.buckets(2).collect();
        assert_eq!(buckets, [(1.0, 3), (1.5, 1), (2.0, 1), (768.0, 1)]);
    }
}
