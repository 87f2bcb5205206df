//! The time course of a value in a bounded number of bins.

/// Bins at the start; at twice as many two become one.
const BINS: usize = 200;
/// Bins that there can be; rounding may leave one more than twice as many.
pub(crate) const MOST_BINS: usize = 2 * BINS + 1;

/// Time integrals of a piecewise constant value.
#[derive(Clone, Debug)]
pub(crate) struct Bins {
    width: f64,
    now: f64,
    integrals: Vec<f64>,
}

impl Bins {
    /// For an episode of about `seconds`; the bins widen when it lasts longer.
    pub fn new(seconds: f64) -> Self {
        Bins { width: (seconds / BINS as f64).max(1e-6), now: 0.0, integrals: Vec::new() }
    }

    /// The value was `value` since the last call, until `at`, seconds.
    pub fn change(&mut self, at: f64, value: f64) {
        while self.now < at {
            let mut bin = (self.now / self.width) as usize;
            if bin >= 2 * BINS {
                self.halve();
                continue;
            }
            // Rounding may leave the end of a bin just before itself.
            if (bin + 1) as f64 * self.width <= self.now {
                bin += 1;
            }
            let until = at.min((bin + 1) as f64 * self.width);
            if bin >= self.integrals.len() {
                self.integrals.resize(bin + 1, 0.0);
            }
            self.integrals[bin] += value * (until - self.now);
            self.now = until;
        }
    }

    /// Width of a bin, seconds.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Mean of each bin; the mean of the last bin covers only its elapsed part.
    pub fn means(&self) -> Vec<f64> {
        let mean = |(bin, integral): (usize, &f64)| {
            let seconds = (self.now - bin as f64 * self.width).min(self.width);
            integral / seconds.max(f64::MIN_POSITIVE)
        };
        self.integrals.iter().enumerate().map(mean).collect()
    }

    fn halve(&mut self) {
        self.width *= 2.0;
        self.integrals = self.integrals.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_course_however_long_it_gets() {
        let mut bins = Bins::new(200.0);
        bins.change(0.5, 4.0);
        bins.change(2.0, 0.0);
        assert_eq!(bins.means(), [2.0, 0.0]);
        bins.change(1000.0, 3.0);
        let (means, width) = (bins.means(), bins.width());
        assert!(means.len() <= 2 * BINS, "{}", means.len());
        let integral: f64 = means.iter().map(|mean| mean * width).sum();
        assert!((integral - (2.0 + 998.0 * 3.0)).abs() < 1e-6 * integral, "{integral}");
    }
}
