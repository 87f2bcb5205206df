//! Lagrange multipliers of the limits of a reward: raised while a limit is broken, lowered while there is room, by dual ascent on
//! their logarithms.

use std::collections::BTreeMap;

use common::reward::{Preference, RewardPart};
use configuration::RewardConfig;
use serde::{Deserialize, Serialize};

/// By how much the logarithm of a multiplier moves for each unit of the logarithm of what its part came to, as a multiple of its limit.
/// What a part comes to falls more slowly than its multiplier grows.
const STEP: f64 = 2.0;
/// Most by which a multiplier moves in one step, as a logarithm.
const MOST_STEP: f64 = 1.0;
/// Least and greatest multiplier.
const BOUNDS: (f64, f64) = (1e-4, 1e4);

/// One multiplier for each limited part; none where nothing is limited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Multipliers(BTreeMap<RewardPart, f64>);

impl Multipliers {
    /// Each at 1: a limited part counts with its weight.
    #[must_use]
    pub fn new(reward: &RewardConfig) -> Self {
        Multipliers(reward.limits().into_iter().map(|(part, _)| (part, 1.0)).collect())
    }

    /// Each multiplier λ moved by what was `measured` of its part, as a multiple of its limit: ln λ grows by 2 ln(measured), by at most one
    /// either way.
    #[must_use]
    pub fn after_ascent(&self, measured: &BTreeMap<RewardPart, f64>) -> Self {
        let moved = |(part, multiplier): (&RewardPart, &f64)| {
            let measured = measured.get(part).map_or(1.0, |measured| measured.max(1e-9));
            let step = (STEP * measured.ln()).clamp(-MOST_STEP, MOST_STEP);
            (*part, (multiplier * step.exp()).clamp(BOUNDS.0, BOUNDS.1))
        };
        Multipliers(self.0.iter().map(moved).collect())
    }

    /// How much each part of `reward` counts at these multipliers.
    #[must_use]
    pub fn preference(&self, reward: &RewardConfig) -> Preference {
        reward.preference_at(|part| self.0.get(&part).copied().unwrap_or(1.0))
    }

    /// Name and value of each, for the logs.
    pub fn named(&self) -> impl Iterator<Item = (String, f64)> {
        self.0.iter().map(|(part, multiplier)| (format!("train/multiplier/{}", part.name()), *multiplier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constrained() -> RewardConfig {
        let text = "mode = \"constrained\"\nlatency = 0.8\nfairness = 0.2\nidle_memory = 0.1\n\
                    limits.idle_memory = { at_most = 1.0, of = \"sjf\" }";
        toml::from_str(text).unwrap()
    }

    #[test]
    fn dual_ascent_finds_the_multiplier_at_which_the_limit_holds() {
        // What a policy uses at a multiplier λ: 4 / (1 + λ) of its limit, so the limit holds at λ = 3. The slow way to find
        // it is bisection.
        let used = |multiplier: f64| 4.0 / (1.0 + multiplier);
        let (mut low, mut high) = (0.0, 100.0);
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if used(middle) > 1.0 { low = middle } else { high = middle }
        }
        let mut multipliers = Multipliers::new(&constrained());
        for _ in 0..60 {
            let now = multipliers.0[&RewardPart::IdleMemory];
            multipliers = multipliers.after_ascent(&BTreeMap::from([(RewardPart::IdleMemory, used(now))]));
        }
        assert!((multipliers.0[&RewardPart::IdleMemory] - low).abs() < 1e-6, "{multipliers:?}, {low}");
    }

    #[test]
    fn multipliers_move_by_bounded_steps_and_stay_positive() {
        let of_limit = |measured: f64| BTreeMap::from([(RewardPart::IdleMemory, measured)]);
        let mut multipliers = Multipliers::new(&constrained()).after_ascent(&of_limit(1e6));
        assert!((multipliers.0[&RewardPart::IdleMemory] - 1.0_f64.exp()).abs() < 1e-9);
        for _ in 0..100 {
            multipliers = multipliers.after_ascent(&of_limit(0.0));
        }
        assert_eq!(multipliers.0[&RewardPart::IdleMemory], BOUNDS.0);
    }

    #[test]
    fn preferences_keep_the_ratio_of_a_limited_part_to_the_others() {
        let reward = constrained();
        let multipliers = Multipliers(BTreeMap::from([(RewardPart::IdleMemory, 3.0)]));
        let preference = multipliers.preference(&reward);
        let [latency, fairness, idle] = [RewardPart::Latency, RewardPart::Fairness, RewardPart::IdleMemory]
            .map(|part| preference.factor(part));
        assert!(latency == fairness && (idle / latency - 3.0).abs() < 1e-5);
        assert!((latency + fairness + idle - 1.0).abs() < 1e-6);
    }
}
