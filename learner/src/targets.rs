//! The targets of a round: V-trace targets of the value network and the advantages of the decisions. Pure functions of the
//! batch, of what the target networks say of it, and of the scales, which they bring up to date.

use common::trajectory::Step;
use configuration::{Advantage, GroupScale, LearnerConfig};

use crate::LearnerError;
use crate::batch::{Batch, TrajectorySpan};
use crate::scale::{Condition, Scales};
use crate::target_outputs::TargetOutputs;
use crate::value_fit::ValueFit;
use crate::vtrace::{Vtrace, VtraceInput, VtraceParameters, vtrace};

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
        let behaviour: Vec<f32> = batch.steps.iter().map(|step| step.log_probability).collect();
        // In imitation the values are the returns of what was played.
        let imitates = !config.imitate.is_empty();
        let log_ratio = |(new, old): (&f32, &f32)| if imitates { 0.0 } else { new - old };
        let log_ratios: Vec<f32> = outputs.log_probabilities.iter().zip(&behaviour).map(log_ratio).collect();
        let group = config.played_group().filter(|_| config.advantage == Advantage::Group);
        // Without a loss the value network says nothing.
        let mut state_values =
            if config.value_cost > 0.0 { outputs.values } else { vec![0.0; outputs.values.len()] };
        let spans: Vec<Rewards> = match group {
            Some(_) => relative_rewards(batch)?,
            None => batch.trajectories.iter().map(|span| Rewards::of_returns(batch, span)).collect(),
        };
        let group_scale = group.map(|group| group.scale).filter(|scale| *scale == GroupScale::Group);
        if group_scale.is_some() {
            scales.group_spread.update(spans.iter().map(|span| span.spread));
        }
        scales.returns.begin(&returns(batch, &spans));
        let unit = |scales: &Scales| -> Vec<f32> {
            let each = batch.trajectories.iter().zip(&spans);
            each.map(|(span, rewards)| match group_scale {
                Some(_) => rewards.spread.max(scales.group_spread.value()),
                None => scales.returns.value(span.condition),
            })
            .collect()
        };
        let old_units = unit(scales);
        if group.is_some() {
            let control = control_coefficient(&returns(batch, &spans), batch, &old_units, &state_values);
            state_values.iter_mut().for_each(|value| *value *= control);
        }
        let parameters = VtraceParameters {
            rho_bar: config.rho_bar as f32,
            c_bar: config.c_bar as f32,
            lambda: config.lambda as f32,
        };
        let results: Vec<Vtrace> = batch
            .trajectories
            .iter()
            .zip(&spans)
            .zip(&old_units)
            .map(|((span, rewards), &unit)| {
                rewards.vtrace(span, &log_ratios, &state_values, unit, parameters)
            })
            .collect();
        let fit = ValueFit::of(batch, &state_values, &results);
        scales.returns.update(&in_units(batch, &results, &old_units));
        let values = rescaled(&results, &old_units, &unit(scales));
        let weights =
            batch.trajectories.iter().flat_map(|span| std::iter::repeat_n(span.weight, span.steps.len()));
        let advantages = if imitates {
            vec![0.0; behaviour.len()]
        } else {
            weighted_advantages(batch, &results, &log_ratios, scales, config)
        };
        Ok(Targets {
            behaviour,
            target: outputs.log_probabilities,
            advantages,
            values,
            fit,
            weights: weights.collect(),
            priorities: results.iter().map(mean_magnitude).collect(),
        })
    }
}

/// The rewards of one trajectory, as V-trace reads them: one entry a step.
struct Rewards {
    rewards: Vec<f32>,
    discounts: Vec<f32>,
    /// Whether the value of the state after the last step counts.
    bootstraps: bool,
    /// Root mean square of what the group's returns differ by; 0 where there is no group.
    spread: f32,
}

impl Rewards {
    /// As they were played.
    fn of_returns(batch: &Batch, span: &TrajectorySpan) -> Self {
        let steps = &batch.steps[span.steps.clone()];
        Rewards {
            rewards: steps.iter().map(|step| step.weighted_reward).collect(),
            discounts: steps.iter().map(|step| step.discount).collect(),
            bootstraps: true,
            spread: 0.0,
        }
    }

    /// Beyond those of the group's other rollouts: such that their discounted sum from each step on is the difference of the returns.
    fn relative(steps: &[Step]) -> Option<Self> {
        let differences: Vec<f32> = steps
            .iter()
            .map(|step| step.group.map(|group| group.own - group.others))
            .collect::<Option<_>>()?;
        let mut discounts: Vec<f32> = steps.iter().map(|step| step.discount).collect();
        // The return of the last step reaches to the end of the episode already.
        discounts.last_mut().into_iter().for_each(|last| *last = 0.0);
        let next = differences.iter().skip(1).chain(&[0.0]);
        let rewards = differences.iter().zip(&discounts).zip(next);
        Some(Rewards {
            rewards: rewards.map(|((own, discount), next)| own - discount * next).collect(),
            spread: steps.first().and_then(|step| step.group).map_or(0.0, |group| group.spread),
            discounts,
            bootstraps: false,
        })
    }

    /// V-trace in units of `unit`.
    fn vtrace(
        &self,
        span: &TrajectorySpan,
        log_ratios: &[f32],
        values: &[f32],
        unit: f32,
        parameters: VtraceParameters,
    ) -> Vtrace {
        let rewards: Vec<f32> = self.rewards.iter().map(|reward| reward / unit).collect();
        let input = VtraceInput {
            log_ratios: &log_ratios[span.steps.clone()],
            rewards: &rewards,
            discounts: &self.discounts,
            values: &values[span.steps.clone()],
            bootstrap: span.bootstrap.filter(|_| self.bootstraps).map_or(0.0, |state| values[state]),
        };
        vtrace(input, parameters)
    }
}

fn relative_rewards(batch: &Batch) -> Result<Vec<Rewards>, LearnerError> {
    let of = |span: &TrajectorySpan| Rewards::relative(&batch.steps[span.steps.clone()]);
    batch.trajectories.iter().map(of).collect::<Option<_>>().ok_or_else(|| {
        LearnerError::Config("learner.advantage is \"group\", but actors send no group returns".to_owned())
    })
}

/// The rewards from each step to the end of its trajectory, discounted, with the condition of each.
fn returns(batch: &Batch, rewards: &[Rewards]) -> Vec<(Condition, f32)> {
    let mut all = Vec::with_capacity(batch.steps.len());
    for (span, rewards) in batch.trajectories.iter().zip(rewards) {
        let start = all.len();
        let mut sum = 0.0;
        for (reward, discount) in rewards.rewards.iter().zip(&rewards.discounts).rev() {
            sum = reward + discount * sum;
            all.push((span.condition, sum));
        }
        all[start..].reverse();
    }
    all
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
