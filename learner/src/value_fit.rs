//! How well the value network predicts: the explained variance of the value targets, by condition.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::scale::Condition;

/// Sums from which explained variances follow.
#[derive(Clone, Debug, Default)]
pub struct ValueFit(BTreeMap<Condition, Sums>);

/// Over the states of one condition; errors are target − value.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: f64,
    targets: [f64; 2],
    errors: [f64; 2],
}

impl Sums {
    fn add(&mut self, other: Sums) {
        self.count += other.count;
        for power in 0..2 {
            self.targets[power] += other.targets[power];
            self.errors[power] += other.errors[power];
        }
    }

    fn variance(&self, [sum, squares]: [f64; 2]) -> f64 {
        (squares / self.count - (sum / self.count).powi(2)).max(0.0)
    }

    /// 1 − Var(target − value) / Var(target): 1 where every value is right, 0 where a constant would do as well. `None` where all
    /// targets are the same.
    fn explained(&self) -> Option<f64> {
        let variance = self.variance(self.targets);
        (self.count > 1.0 && variance > 1e-9).then(|| 1.0 - self.variance(self.errors) / variance)
    }
}

impl ValueFit {
    /// Of the values of the states of `batch` and what they should have been, `targets`; each step counts in its unit.
    pub(crate) fn of(batch: &Batch, values: &[f32], targets: &[f32], units: &[f32]) -> Self {
        let mut fit = ValueFit::default();
        for span in &batch.trajectories {
            let sums = fit.0.entry(span.condition).or_default();
            for step in span.steps.clone() {
                let (target, unit) = (targets[step], units[step]);
                let (target, error) = (f64::from(target / unit), f64::from((target - values[step]) / unit));
                let one =
                    Sums { count: 1.0, targets: [target, target * target], errors: [error, error * error] };
                sums.add(one);
            }
        }
        fit
    }

    /// Adds the states of `other`.
    pub fn add(&mut self, other: &ValueFit) {
        for (condition, sums) in &other.0 {
            self.0.entry(*condition).or_default().add(*sums);
        }
    }

    /// Explained variance over all states, each in units of the return scale of its condition.
    #[must_use]
    pub fn explained(&self) -> Option<f64> {
        let mut all = Sums::default();
        self.0.values().for_each(|sums| all.add(*sums));
        all.explained()
    }

    /// The same within each condition.
    #[must_use]
    pub fn by_condition(&self) -> Vec<(Condition, f64)> {
        self.0.iter().filter_map(|(condition, sums)| Some((*condition, sums.explained()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_up_to_a_constant_is_explained() {
        let fit = |rows: &[(f64, f64)]| {
            let mut all = Sums::default();
            for (value, target) in rows {
                let error = target - value;
                all.add(Sums {
                    count: 1.0,
                    targets: [*target, target * target],
                    errors: [error, error * error],
                });
            }
            all.explained()
        };
        assert_eq!(fit(&[(1.0, 3.0), (2.0, 4.0), (3.0, 5.0)]), Some(1.0));
        assert_eq!(fit(&[(0.0, -1.0), (0.0, 1.0)]), Some(0.0));
        assert_eq!(fit(&[(7.0, 2.0), (0.0, 2.0)]), None);
    }
}
