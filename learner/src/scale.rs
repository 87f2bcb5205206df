//! Running magnitudes by which advantages and returns are brought to order one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Fraction of the old magnitude that survives a batch.
const DECAY: f64 = 0.9;

/// A running root mean square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunningRms {
    mean_square: f64,
    weight: f64,
}

impl RunningRms {
    /// Takes the values of one batch in, those that are finite: another would stay for good.
    pub fn update(&mut self, values: impl Iterator<Item = f32>) {
        let (sum, count) = values
            .filter(|value| value.is_finite())
            .fold((0.0, 0_u64), |(sum, count), value| (sum + f64::from(value) * f64::from(value), count + 1));
        if count > 0 {
            self.mean_square = DECAY * self.mean_square + (1.0 - DECAY) * sum / count as f64;
            self.weight = DECAY * self.weight + (1.0 - DECAY);
        }
    }

    /// The magnitude, corrected for its start from nothing; 1 before any value.
    #[must_use]
    pub fn value(&self) -> f32 {
        if self.weight == 0.0 {
            return 1.0;
        }
        (self.mean_square / self.weight).sqrt().max(1e-6) as f32
    }
}

/// Which returns are alike enough for one magnitude: those of one part of the training mixture, with loads in steps of 10%, lengths
/// in powers of two and, where it is told, demand in powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    part: u32,
    load: u16,
    length: u16,
    demand: Option<i16>,
}

impl Condition {
    /// `part` counts from 1, 0 where there is no mixture; `load` is 1.0 for 100%, `seconds` the length of the episode's arrivals.
    #[must_use]
    pub fn new(part: u32, load: f32, seconds: f64) -> Self {
        let (load, length) = ((load * 10.0).round() as u16, seconds.max(1.0).log2().round() as u16);
        Condition { part, load, length, demand: None }
    }

    /// The same for returns from a time on, where `demand` (1/s) is in the system or comes soon. It does not depend on the decision, and
    /// in a burst it is a thousand times what it usually is.
    #[must_use]
    pub fn with_demand(self, demand: f32) -> Self {
        Condition { demand: Some(demand.max(1e-3).log2().round() as i16), ..self }
    }

    fn key(self) -> String {
        let demand = self.demand.map(|demand| format!("/{demand}")).unwrap_or_default();
        format!("{}/{}/{}{demand}", self.part, self.load, self.length)
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.part > 0 {
            write!(formatter, "part_{}_", self.part)?;
        }
        write!(formatter, "load_{}_length_{}s", u32::from(self.load) * 10, 1_u64 << self.length.min(63))
    }
}

/// A [`RunningRms`] for every condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RmsByCondition(BTreeMap<String, RunningRms>);

impl RmsByCondition {
    /// Takes the values of one batch in.
    pub fn update(&mut self, values: &[(Condition, f32)]) {
        let mut groups: BTreeMap<Condition, Vec<f32>> = BTreeMap::new();
        for (condition, value) in values {
            groups.entry(*condition).or_default().push(*value);
        }
        for (condition, values) in groups {
            self.0.entry(condition.key()).or_default().update(values.into_iter());
        }
    }

    /// Takes only the values of conditions that were never seen. In units of 1 the advantages of a first batch would be a thousand
    /// times the usual, and all that follow would be divided by them for long.
    pub fn begin(&mut self, values: &[(Condition, f32)]) {
        let new: Vec<(Condition, f32)> =
            values.iter().filter(|(condition, _)| !self.0.contains_key(&condition.key())).copied().collect();
        self.update(&new);
    }

    /// The magnitude of a condition; 1 where it was never seen.
    #[must_use]
    pub fn value(&self, condition: Condition) -> f32 {
        self.0.get(&condition.key()).map_or(1.0, RunningRms::value)
    }
}

/// A running geometric mean: what is typical where a few values are a hundred times the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunningTypical {
    mean_logarithm: f64,
    weight: f64,
}

impl RunningTypical {
    /// Takes the positive values of one batch in, those that are finite.
    pub fn update(&mut self, values: impl Iterator<Item = f32>) {
        let (sum, count) = values
            .filter(|value| *value > 0.0 && value.is_finite())
            .fold((0.0, 0_u64), |(sum, count), value| (sum + f64::from(value).ln(), count + 1));
        if count > 0 {
            self.mean_logarithm = DECAY * self.mean_logarithm + (1.0 - DECAY) * sum / count as f64;
            self.weight = DECAY * self.weight + (1.0 - DECAY);
        }
    }

    /// The typical value, corrected for its start from nothing; 1 before any value.
    #[must_use]
    pub fn value(&self) -> f32 {
        if self.weight == 0.0 { 1.0 } else { (self.mean_logarithm / self.weight).exp() as f32 }
    }
}

/// The magnitudes that learning keeps beside its networks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    /// Of V-trace targets, by condition; values are learnt in its units.
    pub returns: RmsByCondition,
    /// Of V-trace advantages, which are in units of `returns`, by condition.
    pub advantages: RmsByCondition,
    /// Typical magnitude within one group.
    #[serde(default)]
    pub group_spread: RunningTypical,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_magnitude_is_right_from_the_first_batch_on() {
        let mut rms = RunningRms::default();
        assert_eq!(rms.value(), 1.0);
        for _ in 0..3 {
            rms.update([3.0, -3.0].into_iter());
            assert!((rms.value() - 3.0).abs() < 1e-6);
        }
    }

    #[test]
    fn outliers_do_not_move_the_typical_value() {
        let mut typical = RunningTypical::default();
        assert_eq!(typical.value(), 1.0);
        typical.update([2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2e4].into_iter());
        assert!(typical.value() < 6.0 && typical.value() > 2.0);
    }

    #[test]
    fn demand_is_told_apart_by_powers_of_two() {
        let condition = Condition::new(0, 0.7, 85.0);
        let demand = |demand| condition.with_demand(demand);
        assert_eq!(demand(0.0), demand(1e-4));
        assert_eq!(demand(30.0), demand(33.0));
        assert_ne!(demand(30.0), demand(60.0));
        assert_ne!(demand(1.0), condition);
        let mut scale = RmsByCondition::default();
        scale.update(&[(demand(1.0), 2.0), (demand(1000.0), 4000.0)]);
        assert!((scale.value(demand(1.0)) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn conditions_do_not_mix() {
        let (light, heavy) = (Condition::new(0, 0.1, 50.0), Condition::new(0, 1.8, 50.0));
        let mut scale = RmsByCondition::default();
        scale.update(&[(light, 0.1), (heavy, 40.0)]);
        assert!((scale.value(light) - 0.1).abs() < 1e-6);
        assert!((scale.value(heavy) - 40.0).abs() < 1e-4);
        assert_eq!(scale.value(Condition::new(0, 0.5, 200.0)), 1.0);
        assert_eq!(scale.value(Condition::new(1, 0.1, 50.0)), 1.0);
    }
}
