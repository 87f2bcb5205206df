//! The parts of a reward, and how much each counts in an episode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Number of parts, the length of arrays by part.
pub const REWARD_PARTS: usize = 7;

/// A part of the reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(usize)]
pub enum RewardPart {
    /// Time in the system, by reference duration.
    Latency = 0,
    /// The same weighted towards the geometric mean over functions.
    Fairness = 1,
    /// Use of the capacity.
    Utilisation = 2,
    /// Missed objectives.
    Slo = 3,
    /// US dollars.
    Cost = 4,
    /// GB·s of idle containers.
    IdleMemory = 5,
    /// Invocations that wait for a cold start.
    ColdStarts = 6,
}

impl RewardPart {
    /// Every part, in order.
    pub const ALL: [RewardPart; REWARD_PARTS] = [
        RewardPart::Latency,
        RewardPart::Fairness,
        RewardPart::Utilisation,
        RewardPart::Slo,
        RewardPart::Cost,
        RewardPart::IdleMemory,
        RewardPart::ColdStarts,
    ];

    /// The name of its weight in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RewardPart::Latency => "latency",
            RewardPart::Fairness => "fairness",
            RewardPart::Utilisation => "utilisation",
            RewardPart::Slo => "slo",
            RewardPart::Cost => "cost",
            RewardPart::IdleMemory => "idle_memory",
            RewardPart::ColdStarts => "cold_starts",
        }
    }

    /// The part with a name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// Parts of the reward, each an integral since the previous decision, before weighting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reward {
    /// −∫ Σ 1/T_ref over jobs in the system.
    pub latency: f32,
    /// The same with each job weighted towards the geometric mean over functions.
    pub fairness: f32,
    /// ∫ Σ over resources of weight · used / capacity; a resource's weight is its part of the load, and all weights add up to 1.
    pub utilisation: f32,
    /// −1 for each violated objective.
    pub slo: f32,
    /// −USD.
    pub cost: f32,
    /// −GB·s of idle containers.
    pub idle_memory: f32,
    /// −1 for each invocation that waited for a cold start, when it ends.
    pub cold_starts: f32,
}

impl Reward {
    /// The parts in the order of [`RewardPart::ALL`].
    #[must_use]
    pub fn parts(&self) -> [f32; REWARD_PARTS] {
        let Reward { latency, fairness, utilisation, slo, cost, idle_memory, cold_starts } = *self;
        [latency, fairness, utilisation, slo, cost, idle_memory, cold_starts]
    }
}

/// How much each part of the reward counts in an episode: a factor of its weight in the configuration, in the order of
/// [`RewardPart::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preference([f32; REWARD_PARTS]);

impl Default for Preference {
    /// Every part counts with the weight that the configuration gives it.
    fn default() -> Self {
        Preference([1.0; REWARD_PARTS])
    }
}

impl Preference {
    /// `counts` of parts, scaled to add up to 1; all other parts count nothing.
    ///
    /// # Errors
    /// Where a count is negative or no number, or none is above 0.
    pub fn of(counts: impl IntoIterator<Item = (RewardPart, f64)>) -> Result<Self, String> {
        let mut factors = [0.0; REWARD_PARTS];
        for (part, count) in counts {
            if !(count.is_finite() && count >= 0.0) {
                return Err(format!("{} is {count}; it must be a finite number from 0 on", part.name()));
            }
            factors[part as usize] += count;
        }
        let total: f64 = factors.iter().sum();
        if !(total > 0.0 && total.is_finite()) {
            return Err("all numbers are 0; at least one must be above 0".to_owned());
        }
        Ok(Preference(factors.map(|factor| (factor / total) as f32)))
    }

    /// Reads `latency=0.7,cost=0.3`, in which only `parts` may be named.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn read(text: &str, parts: &[RewardPart]) -> Result<Self, String> {
        let known = || parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(", ");
        let mut counts: Vec<(RewardPart, f64)> = Vec::new();
        for pair in text.split(',') {
            let (name, count) = pair.split_once('=').ok_or_else(|| {
                format!("`{pair}` must look like PART=NUMBER; this policy knows the parts {}", known())
            })?;
            let part = RewardPart::by_name(name.trim()).filter(|part| parts.contains(part));
            let part = part.ok_or_else(|| {
                format!(
                    "`{}` is no part that this policy was trained to weigh: those are {}",
                    name.trim(),
                    known()
                )
            })?;
            if counts.iter().any(|(other, _)| *other == part) {
                return Err(format!("`{}` is given twice", part.name()));
            }
            let count = count.trim().parse().map_err(|_| format!("`{}` is no number", count.trim()))?;
            counts.push((part, count));
        }
        Self::of(counts)
    }

    /// How much a part counts.
    #[must_use]
    pub fn factor(&self, part: RewardPart) -> f32 {
        self.0[part as usize]
    }

    /// The factors in the order of [`RewardPart::ALL`].
    #[must_use]
    pub fn factors(&self) -> [f32; REWARD_PARTS] {
        self.0
    }

    /// From factors that were written down.
    #[must_use]
    pub fn from_factors(factors: [f32; REWARD_PARTS]) -> Option<Self> {
        factors.iter().all(|factor| factor.is_finite() && *factor >= 0.0).then_some(Preference(factors))
    }
}

/// As [`Preference::read`] reads it, without what counts nothing.
impl std::fmt::Display for Preference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = RewardPart::ALL.into_iter().filter(|part| self.factor(*part) > 0.0);
        let pair =
            |part: RewardPart| format!("{}={}", part.name(), (self.factor(part) * 1000.0).round() / 1000.0);
        formatter.write_str(&counted.map(pair).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_by_their_names_and_lie_in_order() {
        for (place, part) in RewardPart::ALL.into_iter().enumerate() {
            assert_eq!(part as usize, place);
            assert_eq!(RewardPart::by_name(part.name()), Some(part));
        }
        let reward = Reward { latency: 1.0, cold_starts: 7.0, ..Reward::default() };
        assert_eq!(reward.parts(), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0]);
    }

    #[test]
    fn preferences_add_up_to_one() {
        let parts = [RewardPart::Latency, RewardPart::Cost];
        let preference = Preference::read("latency=3, cost=1", &parts).unwrap();
        assert_eq!(preference.factor(RewardPart::Latency), 0.75);
        assert_eq!(preference.factor(RewardPart::Cost), 0.25);
        assert_eq!(preference.factor(RewardPart::Slo), 0.0);
        assert_eq!(preference.to_string(), "latency=0.75,cost=0.25");
        assert_eq!(Preference::read("cost=2", &parts).unwrap().factor(RewardPart::Cost), 1.0);
    }

    #[test]
    fn what_is_no_preference_is_refused_by_name() {
        let parts = [RewardPart::Latency, RewardPart::Cost];
        let refused = |text: &str| Preference::read(text, &parts).unwrap_err();
        assert!(
            refused("idle_memory=1").contains("`idle_memory` is no part")
                && refused("x=1").contains("latency, cost")
        );
        assert!(refused("latency").contains("PART=NUMBER"));
        assert!(refused("latency=1,latency=2").contains("twice"));
        assert!(refused("latency=-1").contains("from 0 on") && refused("latency=x").contains("no number"));
        assert!(refused("latency=0,cost=0").contains("above 0"));
    }
}
