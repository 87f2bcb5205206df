use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use common::SimTime;
use common::reward::{Preference, REWARD_PARTS, Reward, RewardPart};
use common::trajectory::Scenario;

/// Where the weights of the reward's parts come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RewardMode {
    /// They are those that are configured.
    #[default]
    Fixed,
    /// Every episode draws a factor for each weighted part. The policy sees these factors; `evaluate --preference` sets them.
    Preference,
    /// Each part in `limits` has a multiplier, which is learnt by dual ascent. The policy sees the resulting factors.
    Constrained,
}

/// What a part of the reward may come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// The most that it may come to on the validation seeds, in the unit of the table of results; where `of` names a rule, as a multiple of
    /// what that rule has.
    #[garde(range(min = 1e-9, max = 1e12))]
    pub at_most: f64,
    /// A rule, for example "sjf"; empty: none.
    #[garde(length(max = 200))]
    #[serde(default)]
    pub of: String,
}

/// Limits of parts of the reward.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Of the mean slowdown.
    #[garde(dive)]
    pub latency: Option<LimitConfig>,
    /// Of the fraction of invocations that miss their objective.
    #[garde(dive)]
    pub slo: Option<LimitConfig>,
    /// Of the cost of an episode, US dollars.
    #[garde(dive)]
    pub cost: Option<LimitConfig>,
    /// Of the idle memory of an episode, GB·s.
    #[garde(dive)]
    pub idle_memory: Option<LimitConfig>,
    /// Of the fraction of invocations that wait for a cold start.
    #[garde(dive)]
    pub cold_starts: Option<LimitConfig>,
}

/// What is learnt from: weights of the reward's parts, and a discount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RewardConfig {
    /// Where the weights come from; what is not "fixed" is for `serverless`.
    #[garde(skip)]
    pub mode: RewardMode,
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
    /// With mode "constrained": what parts may come to. Their weights are what a multiplier of 1 means.
    #[garde(dive)]
    pub limits: LimitsConfig,
    /// The discount over Δt seconds is exp(−Δt / this); 0: none.
    #[garde(range(min = 0.0, max = 1e9))]
    pub discount_seconds: f64,
}

impl Default for RewardConfig {
    fn default() -> Self {
        RewardConfig {
            mode: RewardMode::Fixed,
            latency: 1.0,
            fairness: 0.0,
            utilisation: 0.0,
            slo: 0.0,
            cost: 0.0,
            idle_memory: 0.0,
            cold_starts: 0.0,
            limits: LimitsConfig::default(),
            discount_seconds: 0.0,
        }
    }
}

impl RewardConfig {
    /// The sum of a reward's parts, each times its weight and how much it counts by `preference`.
    #[must_use]
    pub fn weigh(&self, reward: &Reward, preference: &Preference) -> f32 {
        let counts = self.weights().into_iter().zip(preference.factors());
        counts.zip(reward.parts()).map(|((weight, factor), part)| weight as f32 * factor * part).sum()
    }

    /// In the order of [`RewardPart::ALL`].
    fn weights(&self) -> [f64; REWARD_PARTS] {
        let RewardConfig { latency, fairness, utilisation, slo, cost, idle_memory, cold_starts, .. } = *self;
        [latency, fairness, utilisation, slo, cost, idle_memory, cold_starts]
    }

    /// The parts that have a weight.
    #[must_use]
    pub fn weighted_parts(&self) -> Vec<RewardPart> {
        let pairs = RewardPart::ALL.into_iter().zip(self.weights());
        pairs.filter(|(_, weight)| *weight > 0.0).map(|(part, _)| part).collect()
    }

    /// The parts whose count a policy is told: those that are weighted, where that is not fixed.
    #[must_use]
    pub fn shown_parts(&self) -> Vec<RewardPart> {
        if self.mode == RewardMode::Fixed { Vec::new() } else { self.weighted_parts() }
    }

    /// The limits that hold.
    #[must_use]
    pub fn limits(&self) -> Vec<(RewardPart, &LimitConfig)> {
        if self.mode != RewardMode::Constrained {
            return Vec::new();
        }
        let LimitsConfig { latency, slo, cost, idle_memory, cold_starts } = &self.limits;
        let all = [
            (RewardPart::Latency, latency),
            (RewardPart::Slo, slo),
            (RewardPart::Cost, cost),
            (RewardPart::IdleMemory, idle_memory),
            (RewardPart::ColdStarts, cold_starts),
        ];
        all.into_iter().filter_map(|(part, limit)| Some((part, limit.as_ref()?))).collect()
    }

    /// Whether a limit holds for `part`.
    #[must_use]
    pub fn is_limited(&self, part: RewardPart) -> bool {
        self.limits().iter().any(|(limited, _)| *limited == part)
    }

    /// How much each part counts where a limited one counts `multiplier` times a part without limit; with fixed weights every part
    /// counts wholly.
    #[must_use]
    pub fn preference_at(&self, multiplier: impl Fn(RewardPart) -> f64) -> Preference {
        if self.mode == RewardMode::Fixed {
            return Preference::default();
        }
        let count = |part: RewardPart| if self.is_limited(part) { multiplier(part) } else { 1.0 };
        let counts = self.weighted_parts().into_iter().map(|part| (part, count(part)));
        Preference::of(counts).unwrap_or_default()
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

/// Modes that the scenario does not have, and limits that say nothing.
pub(crate) fn mode_fits(scenario: Scenario) -> impl FnOnce(&RewardConfig, &()) -> garde::Result {
    move |reward, _context| match problem_of(reward, scenario) {
        Some(problem) => Err(garde::Error::new(problem)),
        None => Ok(()),
    }
}

fn problem_of(reward: &RewardConfig, scenario: Scenario) -> Option<String> {
    let (weighted, limits) = (reward.weighted_parts(), reward.limits());
    // Utilisation has no figure by which checkpoints could be compared.
    let is_minimised = |part: &RewardPart| !reward.is_limited(*part) && *part != RewardPart::Utilisation;
    let no_weight = limits.iter().find(|(part, _)| !weighted.contains(part)).map(|(part, _)| part.name());
    let problem = match reward.mode {
        RewardMode::Fixed | RewardMode::Preference if reward.limits != LimitsConfig::default() => {
            "limits are set, but mode is not \"constrained\""
        }
        RewardMode::Fixed => return None,
        _ if scenario == Scenario::Slots => {
            "mode must be \"fixed\" in `slots`, where latency is all that is measured"
        }
        RewardMode::Preference if weighted.len() < 2 => {
            "mode = \"preference\" needs two parts with a weight above 0"
        }
        RewardMode::Preference => return None,
        RewardMode::Constrained if limits.is_empty() => {
            "mode = \"constrained\" needs a limit, e.g. limits.idle_memory = { at_most = 1.0, of = \"sjf\" }"
        }
        RewardMode::Constrained if no_weight.is_none() && !weighted.iter().any(is_minimised) => {
            "every weighted part but utilisation has a limit: leave one without, which is then minimised"
        }
        RewardMode::Constrained => {
            return no_weight.map(|name| {
                format!("limits.{name} needs reward.{name} above 0: the multiplier scales this weight")
            });
        }
    };
    Some(problem.to_owned())
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
