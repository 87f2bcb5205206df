use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use common::SimTime;
use common::trajectory::Reward;

/// What is learnt from: fixed weights of the reward's parts, and a discount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RewardConfig {
    /// Weight of −∫ Σ 1/T_ref: undiscounted it is minus the sum of slowdowns, the mean over invocations.
    #[garde(range(min = 0.0, max = 1e9), custom(any_weight(self)))]
    pub latency: f64,
    /// Weight of the same with each job weighted towards the geometric mean over functions.
    #[garde(range(min = 0.0, max = 1e9))]
    pub fairness: f64,
    /// Weight of the utilisation.
    #[garde(range(min = 0.0, max = 1e9))]
    pub utilisation: f64,
    /// Weight of a violated objective.
    #[garde(range(min = 0.0, max = 1e9))]
    pub slo: f64,
    /// Weight of a US dollar.
    #[garde(range(min = 0.0, max = 1e9))]
    pub cost: f64,
    /// Weight of a GB·s of idle containers.
    #[garde(range(min = 0.0, max = 1e9))]
    pub idle_memory: f64,
    /// Weight of an invocation that waits for a cold start.
    #[garde(range(min = 0.0, max = 1e9))]
    pub cold_starts: f64,
    /// The discount over Δt seconds is exp(−Δt / this); 0: none.
    #[garde(range(min = 0.0, max = 1e9))]
    pub discount_seconds: f64,
}

impl Default for RewardConfig {
    fn default() -> Self {
        RewardConfig {
            latency: 1.0,
            fairness: 0.0,
            utilisation: 0.0,
            slo: 0.0,
            cost: 0.0,
            idle_memory: 0.0,
            cold_starts: 0.0,
            discount_seconds: 0.0,
        }
    }
}

impl RewardConfig {
    /// The weighted sum of a reward's parts.
    #[must_use]
    pub fn weigh(&self, reward: &Reward) -> f32 {
        let parts = [
            reward.latency,
            reward.fairness,
            reward.utilisation,
            reward.slo,
            reward.cost,
            reward.idle_memory,
            reward.cold_starts,
        ];
        self.weights().iter().zip(parts).map(|(weight, part)| *weight as f32 * part).sum()
    }

    fn weights(&self) -> [f64; 7] {
        let RewardConfig { latency, fairness, utilisation, slo, cost, idle_memory, cold_starts, .. } = *self;
        [latency, fairness, utilisation, slo, cost, idle_memory, cold_starts]
    }

    /// The discount over a stretch of simulated time.
    #[must_use]
    pub fn discount(&self, elapsed: SimTime) -> f32 {
        if self.discount_seconds == 0.0 {
            return 1.0;
        }
        (-elapsed.seconds() / self.discount_seconds).exp() as f32
    }
}

fn any_weight(reward: &RewardConfig) -> impl FnOnce(&f64, &()) -> garde::Result {
    let total: f64 = reward.weights().iter().sum();
    move |_latency, _context| {
        if total > 0.0 {
            return Ok(());
        }
        Err(garde::Error::new(
            "is 0 like all other weights of the reward: nothing would be learnt; give one that is above 0",
        ))
    }
}
