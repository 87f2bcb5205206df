//! What is known of every step before the passes over a batch begin: V-trace targets and advantages.

use std::ops::Range;

use common::trajectory::Choice;
use configuration::{Advantage, GroupScale};
use tch::Tensor;

use crate::LearnerError;
use crate::ahead::one_ahead;
use crate::batch::Batch;
use crate::cuts::Cuts;
use crate::share::{Share, chunks};
use crate::update::Updater;
use crate::vtrace::{VtraceInput, VtraceParameters, vtrace};

/// One entry a step each.
pub(crate) struct Targets {
    /// Log-probability of the decision under the policy that acted.
    pub(crate) behaviour: Vec<f32>,
    /// The same under the target policy.
    pub(crate) target: Vec<f32>,
    /// What the policy gradient is weighted with.
    pub(crate) advantages: Vec<f32>,
    /// What the value network is trained towards, in units of the return scale.
    pub(crate) values: Vec<f32>,
    /// Importance weights of the losses.
    pub(crate) weights: Vec<f32>,
    /// Of each piece the mean magnitude of its temporal differences, in units of the return scale.
    pub(crate) priorities: Vec<f32>,
}

impl Updater {
    /// Updates the scales, too.
    pub(crate) fn targets(&mut self, batch: &Batch, cuts: &Cuts) -> Result<Targets, LearnerError> {
        let behaviour: Vec<f32> = batch.steps.iter().map(|step| step.log_probability.iter().sum()).collect();
        let under_targets = self.under_targets(batch, cuts)?;
        let values: Vec<f32> = under_targets.iter().map(|[value, _]| *value).collect();
        let target: Vec<f32> = under_targets[..batch.steps.len()].iter().map(|[_, log]| *log).collect();
        let scale = self.scales.returns.value();
        let log_ratios: Vec<f32> =
            target.iter().zip(&behaviour).map(|(target, acted)| target - acted).collect();
        let rewards: Vec<f32> = batch.steps.iter().map(|step| step.weighted_reward / scale).collect();
        let discounts: Vec<f32> = batch.steps.iter().map(|step| step.discount).collect();
        let config = &self.config;
        let parameters = VtraceParameters {
            rho_bar: config.rho_bar as f32,
            c_bar: config.c_bar as f32,
            lambda: config.lambda as f32,
        };
        let (mut value_targets, mut advantages) = (Vec::new(), Vec::new());
        let (mut weights, mut priorities) = (Vec::new(), Vec::new());
        for piece in &batch.pieces {
            let steps = piece.steps.clone();
            let result = vtrace(
                VtraceInput {
                    log_ratios: &log_ratios[steps.clone()],
                    rewards: &rewards[steps.clone()],
                    discounts: &discounts[steps.clone()],
                    values: &values[steps],
                    bootstrap: piece.bootstrap.map_or(0.0, |frame| values[frame]),
                },
                parameters,
            );
            weights.extend(std::iter::repeat_n(piece.weight, piece.steps.len()));
            let magnitude: f32 = result.advantages.iter().map(|difference| difference.abs()).sum();
            priorities.push(magnitude / piece.steps.len().max(1) as f32);
            value_targets.extend(result.targets);
            advantages.extend(result.advantages);
        }
        let advantages = match self.config.advantage {
            Advantage::Vtrace => self.scaled_advantages(advantages),
            Advantage::Group => self.group_advantages(batch)?,
        };
        let old_scale = scale;
        self.scales.returns.update(value_targets.iter().map(|target| target * old_scale));
        let rescale = old_scale / self.scales.returns.value();
        value_targets.iter_mut().for_each(|target| *target *= rescale);
        Ok(Targets { behaviour, target, advantages, values: value_targets, weights, priorities })
    }

    fn scaled_advantages(&mut self, mut advantages: Vec<f32>) -> Vec<f32> {
        self.scales.advantages.update(advantages.iter().copied());
        let scale = self.scales.advantages.value();
        advantages.iter_mut().for_each(|advantage| *advantage /= scale);
        advantages
    }

    fn group_advantages(&mut self, batch: &Batch) -> Result<Vec<f32>, LearnerError> {
        let mut raw = Vec::with_capacity(batch.steps.len());
        let mut spreads = Vec::with_capacity(batch.steps.len());
        for piece in &batch.pieces {
            for step in &batch.steps[piece.steps.clone()] {
                let group = step.group.ok_or_else(|| {
                    LearnerError::Config(
                        "learner.advantage is \"group\", but actors send no group returns".to_owned(),
                    )
                })?;
                raw.push((piece.condition, group.own - group.others));
                spreads.push(group.spread);
            }
        }
        let scales = &mut self.scales;
        match self.config.group.as_ref().map(|group| group.scale).unwrap_or_default() {
            GroupScale::Condition => {
                scales.group_advantages.update(&raw);
                Ok(raw
                    .iter()
                    .map(|(condition, value)| value / scales.group_advantages.value(*condition))
                    .collect())
            }
            GroupScale::Group => {
                scales.group_spread.update(spreads.iter().copied());
                let typical = scales.group_spread.value();
                Ok(raw.iter().zip(&spreads).map(|((_, value), spread)| value / spread.max(typical)).collect())
            }
        }
    }

    /// Of every state its value and, of those that a step was taken in, that step's log-probability, both under the target
    /// networks. Each number is computed by the rank that speaks for its state and then told to all.
    fn under_targets(&self, batch: &Batch, cuts: &Cuts) -> Result<Vec<[f32; 2]>, LearnerError> {
        let steps = batch.steps.len();
        let (taken, bootstraps) = batch.frames.split_at(steps);
        let mut ranges = chunks(taken);
        ranges.extend(chunks(bootstraps).into_iter().map(|range| range.start + steps..range.end + steps));
        let mut all = vec![[0.0; 2]; batch.frames.len()];
        let collator = self.collator();
        let collate =
            |range: &Range<usize>| collator.share_of(&batch.frames, cuts, &range.clone().collect::<Vec<_>>());
        one_ahead(&ranges, collate, |range, share| {
            let share = share?;
            let places = share.places.iter().map(|place| range.start + place);
            let values = tch::no_grad(|| self.target_values(&share))?;
            places.clone().zip(values).for_each(|(place, value)| all[place][0] = value);
            if range.end <= steps {
                let choices: Vec<Choice> = places.clone().map(|place| batch.steps[place].choice).collect();
                let logs = tch::no_grad(|| self.target_log_probabilities(&share, &choices))?;
                places.zip(logs).for_each(|(place, log)| all[place][1] = log);
            }
            Ok::<_, LearnerError>(())
        })?;
        let Some(group) = &self.group else { return Ok(all) };
        // Everybody else's entries are zero, so the sum is exact.
        let sum = Tensor::from_slice(all.as_flattened());
        group.all_reduce(&sum)?;
        Ok(Vec::<f32>::try_from(&sum)?.as_chunks().0.to_vec())
    }

    fn target_values(&self, share: &Share) -> Result<Vec<f32>, LearnerError> {
        let Some(graph) = &share.graph else { return Ok(Vec::new()) };
        Ok(Vec::try_from(&self.target_value.forward(graph, self.group.as_ref())?)?)
    }

    fn target_log_probabilities(&self, share: &Share, taken: &[Choice]) -> Result<Vec<f32>, LearnerError> {
        let Some(graph) = &share.graph else { return Ok(Vec::new()) };
        let evaluation = self.target_policy.evaluate(graph, taken, 0.0, self.group.as_ref())?;
        Ok(Vec::try_from(&evaluation.log_probability)?)
    }
}
