//! Values that move while the budget is spent.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a value moves between its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Curve {
    /// By equal differences.
    #[default]
    Linear,
    /// By equal factors: long at small values where the ends differ by orders of magnitude.
    Geometric,
}

impl Curve {
    fn is_linear(&self) -> bool {
        *self == Curve::Linear
    }
}

/// A value that moves with the fraction of the budget that is spent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// At the start.
    #[garde(range(min = 0.0, max = 1e15))]
    pub from: f64,
    /// At the end.
    #[garde(range(min = 0.0, max = 1e15))]
    pub to: f64,
    /// How it moves in between.
    #[serde(default, skip_serializing_if = "Curve::is_linear")]
    #[garde(custom(has_factors(self.from, self.to)))]
    pub curve: Curve,
}

impl Schedule {
    /// A value that moves linearly.
    #[must_use]
    pub fn linear(from: f64, to: f64) -> Self {
        Schedule { from, to, curve: Curve::Linear }
    }

    /// The value when `fraction` (0 to 1) of the budget is spent.
    #[must_use]
    pub fn at(&self, fraction: f64) -> f64 {
        let fraction = fraction.clamp(0.0, 1.0);
        match self.curve {
            Curve::Linear => self.from + (self.to - self.from) * fraction,
            Curve::Geometric => self.from * (self.to / self.from).powf(fraction),
        }
    }
}

fn has_factors(from: f64, to: f64) -> impl FnOnce(&Curve, &()) -> garde::Result {
    move |curve, _context| {
        if curve.is_linear() || (from > 0.0 && to > 0.0) {
            return Ok(());
        }
        Err(garde::Error::new(format!(
            "is \"geometric\" from {from} to {to}: both ends must be above 0; give a small number, or curve = \"linear\""
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_begin_and_end_where_they_say() {
        let linear = Schedule::linear(0.1, 0.001);
        let geometric = Schedule { curve: Curve::Geometric, ..linear };
        for schedule in [linear, geometric] {
            assert!((schedule.at(0.0) - 0.1).abs() < 1e-12 && (schedule.at(1.0) - 0.001).abs() < 1e-12);
            assert_eq!(schedule.at(7.0), schedule.at(1.0));
        }
        assert!((linear.at(0.5) - 0.0505).abs() < 1e-12 && (geometric.at(0.5) - 0.01).abs() < 1e-12);
    }
}
