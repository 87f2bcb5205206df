//! Targets of double Q-learning (van Hasselt, Guez and Silver 2016) over several steps, as Ape-X has them (Horgan et al. 2018): the
//! rewards of the next steps, and then what the target network gives for the option that the learning network likes most.

use configuration::RewardConfig;

use crate::batch::{Batch, TrajectorySpan};
use crate::rewards::{Rewards, returns};
use crate::scale::Scales;
use crate::target_outputs::TargetOutputs;
use crate::targets::{Targets, mean_magnitude, scaled_conditions, with_conditions};
use crate::value_fit::ValueFit;

/// Rewards that are summed up before the target network is asked.
const STEPS: usize = 3;

/// Targets of `batch`; afterwards `scales` know of it, too.
pub(crate) fn q_targets(
    batch: &Batch,
    outputs: TargetOutputs,
    scales: &mut Scales,
    reward: &RewardConfig,
) -> Targets {
    let conditions = scaled_conditions(batch, reward);
    let units = |scales: &Scales| -> Vec<f32> {
        conditions.iter().map(|condition| scales.returns.value(*condition)).collect()
    };
    scales.returns.begin(&with_conditions(&conditions, returns(&Rewards::as_played(batch))));
    let old_units = units(scales);
    let in_rewards = |values: &[f32]| -> Vec<f32> {
        values.iter().zip(&old_units).map(|(value, unit)| value * unit).collect()
    };
    let (best, taken) = (in_rewards(&outputs.values), in_rewards(&outputs.of_decisions));
    let targets: Vec<f32> =
        batch.trajectories.iter().flat_map(|span| n_step_targets(batch, span, STEPS, &best)).collect();
    scales.returns.update(&with_conditions(&conditions, targets.iter().copied()));
    let new_units = units(scales);
    let differences: Vec<f32> = targets
        .iter()
        .zip(&taken)
        .zip(&old_units)
        .map(|((target, value), unit)| (target - value) / unit)
        .collect();
    let priorities = batch.trajectories.iter().map(|span| mean_magnitude(&differences[span.steps.clone()]));
    let nothing = vec![0.0; targets.len()];
    Targets {
        behaviour: nothing.clone(),
        target: nothing.clone(),
        advantages: nothing,
        fit: ValueFit::of(batch, &taken, &targets, &old_units),
        values: targets.iter().zip(&new_units).map(|(target, unit)| target / unit).collect(),
        weights: batch.weights(),
        priorities: priorities.collect(),
    }
}

/// For each step of a trajectory the discounted rewards of the next `steps` steps, and `values` (one a state, in units of the reward) of
/// the state after them; nothing follows the end of an episode.
fn n_step_targets(batch: &Batch, span: &TrajectorySpan, steps: usize, values: &[f32]) -> Vec<f32> {
    let end = span.steps.end;
    let target = |first: usize| {
        let after = first.saturating_add(steps).min(end);
        let (mut sum, mut discount) = (0.0, 1.0);
        for step in &batch.steps[first..after] {
            sum += discount * step.weighted_reward;
            discount *= step.discount;
        }
        let state = if after < end { Some(after) } else { span.bootstrap };
        sum + discount * state.map_or(0.0, |state| values[state])
    };
    span.steps.clone().map(target).collect()
}

#[cfg(test)]
#[path = "q_learning_tests.rs"]
mod tests;
