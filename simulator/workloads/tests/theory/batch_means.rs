//! Intervals of means of dependent observations.

const BATCHES: usize = 40;
/// 99.5% quantile of Student's t with one degree of freedom less than there are batches.
const STUDENT: f64 = 2.7079;
/// Of the observations the first twentieth is not counted: the system began empty.
const WARM_UP: usize = 20;

/// A mean with its 99% interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub mean: f64,
    pub half_width: f64,
}

impl Interval {
    /// Cuts the observations, in the order of arrival, into batches so long that their means hardly depend on each other.
    pub fn of(observations: &[f64]) -> Interval {
        let counted = &observations[observations.len() / WARM_UP..];
        let means: Vec<f64> = counted
            .chunks_exact(counted.len() / BATCHES)
            .take(BATCHES)
            .map(|batch| batch.iter().sum::<f64>() / batch.len() as f64)
            .collect();
        let mean = means.iter().sum::<f64>() / BATCHES as f64;
        let square: f64 = means.iter().map(|one| (one - mean).powi(2)).sum();
        let error = (square / (BATCHES * (BATCHES - 1)) as f64).sqrt();
        Interval { mean, half_width: STUDENT * error }
    }

    /// How far off the mean is, in half widths.
    pub fn standardised(&self, expected: f64) -> f64 {
        (self.mean - expected) / self.half_width
    }

    pub fn holds(&self, expected: f64) -> bool {
        self.standardised(expected).abs() <= 1.0
    }
}
