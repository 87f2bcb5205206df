//! Means over seeds that say how sure they are.

use drawing::Value;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// The mean with its 95% interval by Student's t; with one value there is no interval.
#[must_use]
pub fn mean_of(values: &[f64]) -> Value {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return Value { mean, low: f64::NAN, high: f64::NAN };
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let quantile =
        StudentsT::new(0.0, 1.0, count - 1.0).map_or(f64::NAN, |student| student.inverse_cdf(0.975));
    let half = quantile * (variance / count).sqrt();
    Value { mean, low: mean - half, high: mean + half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_that_of_a_table() {
        let value = mean_of(&[1.0, 2.0, 3.0]);
        // t(2, 0.975) = 4.303; the standard error is 1 / √3.
        assert!((value.high - (2.0 + 4.3027 / 3.0_f64.sqrt())).abs() < 1e-3, "{value:?}");
        assert!(mean_of(&[1.0]).low.is_nan());
    }
}
