//! What is known of every step before the passes over a batch begin: V-trace targets and advantages.

use std::ops::Range;

use common::config::{Advantage, GroupScale};
use common::trajectory::Choice;
use state_graph::Frame;
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
}

impl Updater {
    /// Updates the scales, too.
    pub(crate) fn targets(&mut self, batch: &Batch, cuts: &Cuts) -> Result<Targets, LearnerError> {
        let behaviour: Vec<f32> = batch.steps.iter().map(|step| step.log_probability.iter().sum()).collect();
        let target = self.target_log_probabilities(batch, cuts)?;
        let scale = self.scales.returns.value();
        let values = self.target_values(batch, cuts)?;
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
        Ok(Targets { behaviour, target, advantages, values: value_targets })
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

    fn target_log_probabilities(&self, batch: &Batch, cuts: &Cuts) -> Result<Vec<f32>, LearnerError> {
        self.of_every_state(&batch.frames[..batch.steps.len()], cuts, |share, first| {
            let choice = |&place: &usize| batch.steps[first + place].choice;
            let choices: Vec<Choice> = share.places.iter().map(choice).collect();
            let Some(graph) = &share.graph else { return Ok(Vec::new()) };
            let evaluate = || self.target_policy.evaluate(graph, &choices, 0.0, self.group.as_ref());
            Ok(Vec::try_from(&tch::no_grad(evaluate)?.log_probability)?)
        })
    }

    fn target_values(&self, batch: &Batch, cuts: &Cuts) -> Result<Vec<f32>, LearnerError> {
        self.of_every_state(&batch.frames, cuts, |share, _| {
            let Some(graph) = &share.graph else { return Ok(Vec::new()) };
            let forward = || self.target_value.forward(graph, self.group.as_ref());
            Ok(Vec::try_from(&tch::no_grad(forward)?)?)
        })
    }

    /// A number of every state, computed by the rank that speaks for it and then told to all. `compute` is given a share and
    /// the place of the first state that its places count from.
    fn of_every_state(
        &self,
        frames: &[Frame],
        cuts: &Cuts,
        compute: impl Fn(&Share, usize) -> Result<Vec<f32>, LearnerError>,
    ) -> Result<Vec<f32>, LearnerError> {
        let mut all = vec![0.0; frames.len()];
        let collator = self.collator();
        let collate =
            |range: &Range<usize>| collator.share_of(frames, cuts, &range.clone().collect::<Vec<_>>());
        one_ahead(&chunks(frames), collate, |range, share| {
            let share = share?;
            for (place, value) in share.places.iter().zip(compute(&share, range.start)?) {
                all[range.start + place] = value;
            }
            Ok::<_, LearnerError>(())
        })?;
        let Some(group) = &self.group else { return Ok(all) };
        // Everybody else's entry is zero, so the sum is exact.
        let sum = Tensor::from_slice(&all);
        group.all_reduce(&sum)?;
        Ok(Vec::try_from(&sum)?)
    }
}
