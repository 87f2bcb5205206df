//! The targets of a round: V-trace targets of the value network and the advantages of the decisions. Pure functions of the
//! batch, of what the target networks say of it, and of the scales, which they bring up to date.

use configuration::{Advantage, GroupScale, LearnerConfig};

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
        config: &LearnerConfig,
    ) -> Result<Self, LearnerError> {
        let imitates = !config.imitate.is_empty();
        let behaviour: Vec<f32> = batch.steps.iter().map(|step| step.log_probability).collect();
        let log_ratios: Vec<f32> = if imitates {
            // The values are the returns of what was played.
            vec![0.0; behaviour.len()]
        } else {
            outputs.log_probabilities.iter().zip(&behaviour).map(|(new, old)| new - old).collect()
        };
        let group = config.played_group().filter(|_| config.advantage == Advantage::Group);
        let rewards = match group {
            Some(_) => Rewards::beyond_groups(batch)?,
            None => Rewards::as_played(batch),
        };
        let sums = returns(batch, &rewards);
        scales.returns.begin(&sums);
        let scale = group.map(|group| group.scale);
        if scale == Some(GroupScale::Group) {
            scales.group_spread.update(rewards.iter().map(|of_trajectory| of_trajectory.spread));
        }
        let old_units = units(batch, &rewards, scale, scales);
        let control = match group {
            // Without a loss the value network says nothing.
            _ if config.value_cost == 0.0 => 0.0,
            Some(_) => control_coefficient(&sums, batch, &old_units, &outputs.values),
            None => 1.0,
        };
        let state_values: Vec<f32> = outputs.values.iter().map(|value| value * control).collect();
        let results = all_vtrace(batch, &rewards, &log_ratios, &state_values, &old_units, config);
        scales.returns.update(&in_units(batch, &results, &old_units));
        let new_units = units(batch, &rewards, scale, scales);
        let advantages = if imitates {
            vec![0.0; behaviour.len()]
        } else {
            weighted_advantages(batch, &results, &log_ratios, scales, config)
        };
        let weights = batch.trajectories.iter();
        let weights = weights.flat_map(|span| std::iter::repeat_n(span.weight, span.steps.len()));
        Ok(Targets {
            behaviour,
            target: outputs.log_probabilities,
            advantages,
            values: rescaled(&results, &old_units, &new_units),
            fit: ValueFit::of(batch, &state_values, &results),
            weights: weights.collect(),
            priorities: results.iter().map(mean_magnitude).collect(),
        })
    }
}

/// What the returns of each trajectory are measured in.
fn units(batch: &Batch, rewards: &[Rewards], scale: Option<GroupScale>, scales: &Scales) -> Vec<f32> {
    let each = batch.trajectories.iter().zip(rewards);
    each.map(|(span, of_trajectory)| match scale {
        Some(GroupScale::Group) => of_trajectory.spread.max(scales.group_spread.value()),
        Some(GroupScale::Condition) | None => scales.returns.value(span.condition),
    })
    .collect()
}

/// V-trace of each trajectory, in its unit.
fn all_vtrace(
    batch: &Batch,
    rewards: &[Rewards],
    log_ratios: &[f32],
    values: &[f32],
    units: &[f32],
    config: &LearnerConfig,
) -> Vec<Vtrace> {
    let parameters = VtraceParameters {
        rho_bar: config.rho_bar as f32,
        c_bar: config.c_bar as f32,
        lambda: config.lambda as f32,
    };
    let each = batch.trajectories.iter().zip(rewards).zip(units);
    each.map(|((span, rewards), &unit)| rewards.vtrace(span, log_ratios, values, unit, parameters)).collect()
}

/// How much of the values to take as a baseline of `returns`, from 0 to 1: the regression of one on the other, with which the variance that
/// is left is least (control variates). Returns of groups have a baseline already, and values that know nothing would only add noise.
fn control_coefficient(returns: &[(Condition, f32)], batch: &Batch, units: &[f32], values: &[f32]) -> f32 {
    let units = batch.trajectories.iter().zip(units);
    let units = units.flat_map(|(span, unit)| std::iter::repeat_n(*unit, span.steps.len()));
    let (mut together, mut alone) = (0.0, 0.0);
    for (((_, sum), unit), value) in returns.iter().zip(units).zip(values) {
        together += f64::from(sum / unit) * f64::from(*value);
        alone += f64::from(*value).powi(2);
    }
    if alone > 0.0 { (together / alone).clamp(0.0, 1.0) as f32 } else { 0.0 }
}

fn mean_magnitude(result: &Vtrace) -> f32 {
    let sum: f32 = result.advantages.iter().map(|difference| difference.abs()).sum();
    sum / result.advantages.len().max(1) as f32
}

/// The value targets of all steps with the condition of each, in units of the reward; `units` are those that they come in.
fn in_units(batch: &Batch, results: &[Vtrace], units: &[f32]) -> Vec<(Condition, f32)> {
    let spans = batch.trajectories.iter().zip(results).zip(units);
    spans
        .flat_map(|((span, result), unit)| {
            result.targets.iter().map(move |target| (span.condition, target * unit))
        })
        .collect()
}

/// The value targets of all steps in other units.
fn rescaled(results: &[Vtrace], old: &[f32], new: &[f32]) -> Vec<f32> {
    let spans = results.iter().zip(old.iter().zip(new));
    spans
        .flat_map(|(result, (old, new))| result.targets.iter().map(move |target| target * old / new))
        .collect()
}

/// V-trace's advantages, brought to order one, bounded, and times the truncated importance weight of the decision.
fn weighted_advantages(
    batch: &Batch,
    results: &[Vtrace],
    log_ratios: &[f32],
    scales: &mut Scales,
    config: &LearnerConfig,
) -> Vec<f32> {
    let spans = batch.trajectories.iter().zip(results);
    let raw: Vec<(Condition, f32)> = spans
        .flat_map(|(span, result)| result.advantages.iter().map(|&advantage| (span.condition, advantage)))
        .collect();
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
