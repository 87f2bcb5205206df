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
        let old_scales: Vec<f32> =
            batch.trajectories.iter().map(|span| scales.returns.value(span.condition)).collect();
        // In imitation the values are the returns of what was played.
        let imitates = !config.imitate.is_empty();
        let log_ratio = |(new, old): (&f32, &f32)| if imitates { 0.0 } else { new - old };
        let columns = Columns {
            log_ratios: outputs.log_probabilities.iter().zip(&behaviour).map(log_ratio).collect(),
            rewards: by_step(batch, &old_scales, |step, scale| step.weighted_reward / scale),
            discounts: batch.steps.iter().map(|step| step.discount).collect(),
            values: outputs.values,
        };
        let parameters = VtraceParameters {
            rho_bar: config.rho_bar as f32,
            c_bar: config.c_bar as f32,
            lambda: config.lambda as f32,
        };
        let results: Vec<Vtrace> =
            batch.trajectories.iter().map(|span| vtrace(columns.of(span), parameters)).collect();
        let weights =
            batch.trajectories.iter().flat_map(|span| std::iter::repeat_n(span.weight, span.steps.len()));
        let advantages = match config.advantage {
            _ if imitates => vec![0.0; behaviour.len()],
            Advantage::Vtrace => vtrace_advantages(batch, &results, scales),
            Advantage::Group => {
                let scale = config.group.as_ref().map(|group| group.scale).unwrap_or_default();
                group_advantages(batch, scales, scale)?
            }
        };
        let fit = ValueFit::of(batch, &columns.values, &results);
        let values = rescaled(batch, &results, &old_scales, scales);
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

/// What V-trace reads: one entry a step; of values, one a state.
struct Columns {
    log_ratios: Vec<f32>,
    rewards: Vec<f32>,
    discounts: Vec<f32>,
    values: Vec<f32>,
}

impl Columns {
    fn of(&self, span: &TrajectorySpan) -> VtraceInput<'_> {
        let steps = span.steps.clone();
        VtraceInput {
            log_ratios: &self.log_ratios[steps.clone()],
            rewards: &self.rewards[steps.clone()],
            discounts: &self.discounts[steps.clone()],
            values: &self.values[steps],
            bootstrap: span.bootstrap.map_or(0.0, |state| self.values[state]),
        }
    }
}

fn mean_magnitude(result: &Vtrace) -> f32 {
    let sum: f32 = result.advantages.iter().map(|difference| difference.abs()).sum();
    sum / result.advantages.len().max(1) as f32
}

/// `of` each step and the entry of its trajectory in `scales`.
fn by_step(batch: &Batch, scales: &[f32], of: impl Fn(&Step, f32) -> f32) -> Vec<f32> {
    let spans = batch.trajectories.iter().zip(scales);
    spans
        .flat_map(|(span, &scale)| batch.steps[span.steps.clone()].iter().map(move |step| (step, scale)))
        .map(|(step, scale)| of(step, scale))
        .collect()
}

/// Each with the condition of its trajectory.
fn with_conditions<'a>(
    batch: &'a Batch,
    results: &'a [Vtrace],
    pick: fn(&Vtrace) -> &Vec<f32>,
) -> impl Iterator<Item = (Condition, f32)> + 'a {
    let spans = batch.trajectories.iter().zip(results);
    spans.flat_map(move |(span, result)| pick(result).iter().map(|&value| (span.condition, value)))
}

/// Value targets in units of the new return scales; `old_scales` are those of the trajectories that they come in.
fn rescaled(batch: &Batch, results: &[Vtrace], old_scales: &[f32], scales: &mut Scales) -> Vec<f32> {
    let spans = batch.trajectories.iter().zip(results).zip(old_scales);
    let raw: Vec<(Condition, f32)> = spans
        .flat_map(|((span, result), old)| {
            result.targets.iter().map(move |target| (span.condition, target * old))
        })
        .collect();
    scales.returns.update(&raw);
    raw.iter().map(|&(condition, target)| target / scales.returns.value(condition)).collect()
}

fn vtrace_advantages(batch: &Batch, results: &[Vtrace], scales: &mut Scales) -> Vec<f32> {
    let raw: Vec<(Condition, f32)> = with_conditions(batch, results, |result| &result.advantages).collect();
    scales.advantages.update(&raw);
    raw.iter().map(|&(condition, advantage)| advantage / scales.advantages.value(condition)).collect()
}

fn group_advantages(batch: &Batch, scales: &mut Scales, scale: GroupScale) -> Result<Vec<f32>, LearnerError> {
    let mut raw = Vec::with_capacity(batch.steps.len());
    let mut spreads = Vec::with_capacity(batch.steps.len());
    for span in &batch.trajectories {
        for step in &batch.steps[span.steps.clone()] {
            let group = step.group.ok_or_else(|| {
                LearnerError::Config(
                    "learner.advantage is \"group\", but actors send no group returns".to_owned(),
                )
            })?;
            raw.push((span.condition, group.own - group.others));
            spreads.push(group.spread);
        }
    }
    match scale {
        GroupScale::Condition => {
            scales.group_advantages.update(&raw);
            let scaled = |(condition, value): &(_, f32)| value / scales.group_advantages.value(*condition);
            Ok(raw.iter().map(scaled).collect())
        }
        GroupScale::Group => {
            scales.group_spread.update(spreads.iter().copied());
            let typical = scales.group_spread.value();
            Ok(raw.iter().zip(&spreads).map(|((_, value), spread)| value / spread.max(typical)).collect())
        }
    }
}
