//! The targets of a round: V-trace targets of the value network and the advantages of the decisions. Pure functions of the
//! batch, of what the target networks say of it, and of the scales, which they bring up to date.

use common::trajectory::FORESIGHT;
use configuration::{Advantage, GroupScale, LearnerConfig, RewardConfig};

use crate::LearnerError;
use crate::batch::Batch;
use crate::rewards::{Rewards, returns};
use crate::scale::{Condition, Scales};
use crate::target_outputs::TargetOutputs;
use crate::value_fit::ValueFit;
use crate::vtrace::{Vtrace, VtraceParameters};

/// One entry a step each.
pub(crate) struct Targets {
    /// Log-probability of the decision under the policy that acted.
    pub(crate) behaviour: Vec<f32>,
    /// The same under the target policy.
    pub(crate) target: Vec<f32>,
    /// Factor of the decision's gradient; of order one.
    pub(crate) advantages: Vec<f32>,
    /// What the value network is trained towards, in units of the return scale.
    pub(crate) values: Vec<f32>,
    /// How much of the returns the target value network explains.
    pub(crate) fit: ValueFit,
    /// Importance weights of the losses, above 0 and at most 1.
    pub(crate) weights: Vec<f32>,
    /// Of each trajectory the mean magnitude of its temporal differences, in units of the return scale.
    pub(crate) priorities: Vec<f32>,
}

impl Targets {
    /// Targets of `batch`; afterwards `scales` know of it, too.
    pub(crate) fn new(
        batch: &Batch,
        outputs: TargetOutputs,
        scales: &mut Scales,
        (config, reward): (&LearnerConfig, &RewardConfig),
    ) -> Result<Self, LearnerError> {
        let imitates = !config.imitate.is_empty();
        let behaviour: Vec<f32> = batch.steps.iter().map(|step| step.log_probability).collect();
        let log_ratios: Vec<f32> = if imitates {
            // The values are the returns of what was played.
            vec![0.0; behaviour.len()]
        } else {
            outputs.of_decisions.iter().zip(&behaviour).map(|(new, old)| new - old).collect()
        };
        let group = config.played_group().filter(|_| config.advantage == Advantage::Group);
        let rewards = match group {
            Some(_) => Rewards::beyond_groups(batch)?,
            None => Rewards::as_played(batch),
        };
        let conditions = match group {
            Some(_) => batch.conditions(None),
            None => scaled_conditions(batch, reward),
        };
        let sums = returns(&rewards);
        scales.returns.begin(&with_conditions(&conditions, sums.iter().copied()));
        let scale = group.map(|group| group.scale);
        if scale == Some(GroupScale::Group) {
            scales.group_spread.update(rewards.iter().flat_map(|one| &one.spreads).copied());
        }
        let old_units = units(&conditions, &rewards, scale, scales);
        let control = match group {
            // Without a loss the value network says nothing.
            _ if config.value_cost == 0.0 => 0.0,
            Some(_) => control_coefficient(&sums, &old_units, &outputs.values),
            None => 1.0,
        };
        let state_values = in_rewards(&outputs.values, &old_units, control);
        let results = all_vtrace(batch, &rewards, &log_ratios, &state_values, config);
        let value_targets = results.iter().flat_map(|result| result.targets.iter().copied());
        scales.returns.update(&with_conditions(&conditions, value_targets));
        let new_units = units(&conditions, &rewards, scale, scales);
        let raw = || results.iter().flat_map(|result| &result.advantages).zip(&old_units);
        let advantages: Vec<f32> = raw().map(|(advantage, unit)| advantage / unit).collect();
        let priorities =
            batch.trajectories.iter().map(|span| mean_magnitude(&advantages[span.steps.clone()]));
        let priorities = priorities.collect();
        let advantages = if imitates {
            vec![0.0; behaviour.len()]
        } else {
            weighted_advantages(&conditions, &advantages, &log_ratios, scales, config)
        };
        let targets: Vec<f32> = results.iter().flat_map(|result| result.targets.iter().copied()).collect();
        Ok(Targets {
            behaviour,
            target: outputs.of_decisions,
            advantages,
            fit: ValueFit::of(batch, &state_values, &targets, &old_units),
            values: targets.iter().zip(&new_units).map(|(target, unit)| target / unit).collect(),
            weights: batch.weights(),
            priorities,
        })
    }
}

/// The condition of each state of `batch` by whose magnitude its return is measured where there is no group.
pub(crate) fn scaled_conditions(batch: &Batch, reward: &RewardConfig) -> Vec<Condition> {
    batch.conditions(Some(demand_within(reward)))
}

/// The stretch of [`FORESIGHT`] in which arrivals count for the magnitude of a return: the first that is at least as long as the
/// discount's time.
fn demand_within(reward: &RewardConfig) -> usize {
    let seconds = if reward.discount_seconds > 0.0 { reward.discount_seconds } else { f64::INFINITY };
    FORESIGHT.iter().position(|&stretch| stretch >= seconds).unwrap_or(FORESIGHT.len() - 1)
}

/// The numbers of all steps, each with its condition.
pub(crate) fn with_conditions(
    conditions: &[Condition],
    numbers: impl IntoIterator<Item = f32>,
) -> Vec<(Condition, f32)> {
    conditions.iter().copied().zip(numbers).collect()
}

/// What the return from each state on is measured in: of steps, and where there is no group of bootstrap states, too.
fn units(
    conditions: &[Condition],
    rewards: &[Rewards],
    scale: Option<GroupScale>,
    scales: &Scales,
) -> Vec<f32> {
    match scale {
        Some(GroupScale::Group) => {
            let least = scales.group_spread.value();
            rewards.iter().flat_map(|one| &one.spreads).map(|spread| spread.max(least)).collect()
        }
        Some(GroupScale::Condition) | None => {
            conditions.iter().map(|condition| scales.returns.value(*condition)).collect()
        }
    }
}

/// The values of the states times `control`, in units of the reward.
fn in_rewards(values: &[f32], units: &[f32], control: f32) -> Vec<f32> {
    // In a group no value follows a trajectory.
    let units = units.iter().copied().chain(std::iter::repeat(1.0));
    values.iter().zip(units).map(|(value, unit)| value * unit * control).collect()
}

/// V-trace of each trajectory.
fn all_vtrace(
    batch: &Batch,
    rewards: &[Rewards],
    log_ratios: &[f32],
    values: &[f32],
    config: &LearnerConfig,
) -> Vec<Vtrace> {
    let parameters = VtraceParameters {
        rho_bar: config.rho_bar as f32,
        c_bar: config.c_bar as f32,
        lambda: config.lambda as f32,
    };
    let each = batch.trajectories.iter().zip(rewards);
    each.map(|(span, rewards)| rewards.vtrace(span, log_ratios, values, parameters)).collect()
}

/// How much of the values to take as a baseline of `returns`, from 0 to 1: the regression of one on the other, with which the variance that
/// is left is least (control variates). Returns of groups have a baseline already, and values that know nothing would only add noise.
fn control_coefficient(returns: &[f32], units: &[f32], values: &[f32]) -> f32 {
    let (mut together, mut alone) = (0.0, 0.0);
    for ((sum, unit), value) in returns.iter().zip(units).zip(values) {
        together += f64::from(sum / unit) * f64::from(*value);
        alone += f64::from(*value).powi(2);
    }
    if alone > 0.0 { (together / alone).clamp(0.0, 1.0) as f32 } else { 0.0 }
}

pub(crate) fn mean_magnitude(advantages: &[f32]) -> f32 {
    let sum: f32 = advantages.iter().map(|advantage| advantage.abs()).sum();
    sum / advantages.len().max(1) as f32
}

/// `advantages` brought to a root mean square of 1 in their condition, bounded, and times the truncated importance weight of the
/// decision.
fn weighted_advantages(
    conditions: &[Condition],
    advantages: &[f32],
    log_ratios: &[f32],
    scales: &mut Scales,
    config: &LearnerConfig,
) -> Vec<f32> {
    let raw = with_conditions(conditions, advantages.iter().copied());
    scales.advantages.update(&raw);
    let (rho_bar, bound) = (config.rho_bar as f32, config.advantage_clip as f32);
    let weighted = |(&(condition, advantage), log_ratio): (&(Condition, f32), &f32)| {
        let scaled = advantage / scales.advantages.value(condition);
        log_ratio.exp().min(rho_bar) * scaled.clamp(-bound, bound)
    };
    raw.iter().zip(log_ratios).map(weighted).collect()
}

#[cfg(test)]
#[path = "targets_tests.rs"]
mod tests;
