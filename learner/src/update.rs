//! One round of learning: V-trace targets from the target networks, then several clipped passes over the batch.

use common::config::{Advantage, Config, GroupScale, LearnerConfig};
use common::trajectory::Choice;
use common::{RunSeed, Stream};
use policy::{Evaluation, GraphBatch, PolicyNetwork, ValueNetwork};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use state_graph::{Frame, Schema};
use tch::{Kind, Reduction, Tensor};

use crate::LearnerError;
use crate::adam::{Adam, clip_gradients, zero_gradients};
use crate::batch::Batch;
use crate::scale::{RmsByCondition, RunningRms, RunningTypical};
use crate::vtrace::{VtraceInput, VtraceParameters, vtrace};

/// Where the acting policy gave an action much less weight than the target policy does, the ratio is taken to the
/// acting one instead (IMPACT, Luo et al. 2020, with its ρ = 2).
const ACTING_RATIO_BAR: f64 = 2.0;
/// States in one forward pass where no gradient is needed.
const CHUNK: usize = 2048;

/// The scales that learning keeps beside its networks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    /// Magnitude of V-trace targets; values are learnt in its units.
    pub returns: RunningRms,
    /// Magnitude of V-trace advantages.
    pub advantages: RunningRms,
    /// Magnitude of group advantages.
    pub group_advantages: RmsByCondition,
    /// Typical magnitude within one group.
    #[serde(default)]
    pub group_spread: RunningTypical,
}

/// What one round did, for the logs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// Mean policy loss without the entropy bonus.
    pub policy_loss: f64,
    /// Mean value loss, in units of the return scale.
    pub value_loss: f64,
    /// Mean normalised entropy.
    pub entropy: f64,
    /// Mean norm of the policy's gradient before clipping.
    pub gradient_norm: f64,
    /// Mean over decisions of log μ − log π after learning: how far the policy moved from the one that acted.
    pub divergence: f64,
    /// Share of decisions whose ratio was clipped.
    pub clipped: f64,
    /// Updates done.
    pub updates: u64,
    /// Updates skipped because something was not finite.
    pub skipped: u64,
}

/// The networks, their targets and their optimisers.
#[derive(Debug)]
pub struct Updater {
    schema: Schema,
    config: LearnerConfig,
    dropout: f64,
    seed: RunSeed,
    /// What is learnt.
    pub policy: PolicyNetwork,
    /// Its baseline.
    pub value: ValueNetwork,
    /// Slow copy of the policy.
    pub target_policy: PolicyNetwork,
    /// Slow copy of the value network.
    pub target_value: ValueNetwork,
    /// Optimiser of the policy.
    pub policy_optimizer: Adam,
    /// Optimiser of the value network.
    pub value_optimizer: Adam,
    /// Running magnitudes.
    pub scales: Scales,
    /// Rounds done.
    pub rounds: u64,
    skipped_in_a_row: u32,
}

/// What is known of every step before the passes begin.
struct Targets {
    behaviour: Vec<f32>,
    target: Vec<f32>,
    advantages: Vec<f32>,
    values: Vec<f32>,
}

impl Updater {
    /// Fresh networks drawn from the run's seed.
    #[must_use]
    pub fn new(schema: &Schema, config: &Config) -> Self {
        let policy = |seed| PolicyNetwork::new(schema, &config.policy, seed);
        let value = |seed| ValueNetwork::new(schema, &config.policy, seed);
        let (network, baseline) = (policy(config.seed), value(config.seed));
        Updater {
            schema: schema.clone(),
            config: config.learner.clone(),
            dropout: config.policy.dropout,
            seed: config.seed,
            policy_optimizer: Adam::new(network.parameters()),
            value_optimizer: Adam::new(baseline.parameters()),
            target_policy: policy(config.seed),
            target_value: value(config.seed),
            policy: network,
            value: baseline,
            scales: Scales::default(),
            rounds: 0,
            skipped_in_a_row: 0,
        }
    }

    /// Learns from `batch`; `share` (0 to 1) of the budget is spent.
    ///
    /// # Errors
    /// [`LearnerError::Diverged`] after too many updates in a row that were not finite.
    pub fn learn(&mut self, batch: &Batch, share: f64) -> Result<Statistics, LearnerError> {
        if self.rounds.is_multiple_of(self.config.target_period) {
            self.target_policy.parameters().copy_from(self.policy.parameters())?;
            self.target_value.parameters().copy_from(self.value.parameters())?;
        }
        let targets = self.targets(batch)?;
        let mut statistics = Statistics::default();
        let mut order: Vec<usize> = (0..batch.steps.len()).collect();
        let mut rng = self.seed.rng(Stream::Minibatches, self.rounds);
        for epoch in 0..self.config.epochs {
            order.shuffle(&mut rng);
            let size = order.len().div_ceil(self.config.minibatches);
            for minibatch in order.chunks(size.max(1)) {
                let learn_value = epoch == 0 || self.config.advantage == Advantage::Vtrace;
                self.update(batch, &targets, minibatch, share, learn_value, &mut statistics)?;
            }
        }
        self.rounds += 1;
        let updates = statistics.updates.max(1) as f64;
        statistics.policy_loss /= updates;
        statistics.value_loss /= updates;
        statistics.entropy /= updates;
        statistics.gradient_norm /= updates;
        statistics.clipped /= updates;
        statistics.divergence /= updates;
        Ok(statistics)
    }

    fn targets(&mut self, batch: &Batch) -> Result<Targets, LearnerError> {
        let behaviour: Vec<f32> = batch.steps.iter().map(|step| step.log_probability.iter().sum()).collect();
        let target = self.target_log_probabilities(batch)?;
        let scale = self.scales.returns.value();
        let values = self.target_values(batch)?;
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

    fn target_log_probabilities(&self, batch: &Batch) -> Result<Vec<f32>, LearnerError> {
        let mut result = Vec::with_capacity(batch.steps.len());
        for start in (0..batch.steps.len()).step_by(CHUNK) {
            let range = start..(start + CHUNK).min(batch.steps.len());
            let frames: Vec<&Frame> = batch.frames[range.clone()].iter().collect();
            let choices: Vec<Choice> = batch.steps[range].iter().map(|step| step.choice).collect();
            let graph = GraphBatch::collate(&self.schema, &frames);
            let evaluation = tch::no_grad(|| self.target_policy.evaluate(&graph, &choices, 0.0));
            result.extend(Vec::<f32>::try_from(&evaluation.log_probability)?);
        }
        Ok(result)
    }

    fn target_values(&self, batch: &Batch) -> Result<Vec<f32>, LearnerError> {
        let mut result = Vec::with_capacity(batch.frames.len());
        for frames in batch.frames.chunks(CHUNK) {
            let graph = GraphBatch::collate(&self.schema, &frames.iter().collect::<Vec<_>>());
            let values = tch::no_grad(|| self.target_value.forward(&graph));
            result.extend(Vec::<f32>::try_from(&values)?);
        }
        Ok(result)
    }

    fn update(
        &mut self,
        batch: &Batch,
        targets: &Targets,
        places: &[usize],
        share: f64,
        learn_value: bool,
        statistics: &mut Statistics,
    ) -> Result<(), LearnerError> {
        let frames: Vec<&Frame> = places.iter().map(|&place| &batch.frames[place]).collect();
        let choices: Vec<Choice> = places.iter().map(|&place| batch.steps[place].choice).collect();
        let graph = GraphBatch::collate(&self.schema, &frames);
        let column = |values: &[f32]| {
            Tensor::from_slice(&places.iter().map(|&place| values[place]).collect::<Vec<_>>())
        };
        let behaviour = column(&targets.behaviour);
        let evaluation = self.policy.evaluate(&graph, &choices, self.dropout);
        let objective = clipped_objective(
            &evaluation.log_probability,
            &behaviour,
            &column(&targets.target),
            &column(&targets.advantages),
            self.config.ratio_clip,
        );
        let policy_loss = objective.value.mean(Kind::Float).neg();
        let entropy = evaluation.entropy.mean(Kind::Float);
        let value_loss = match learn_value {
            true => self.value.forward(&graph).mse_loss(&column(&targets.values), Reduction::Mean) * 0.5,
            false => Tensor::from(0.0_f32),
        };
        let entropy_cost = self.config.entropy_cost.at(share);
        let loss = &policy_loss - &entropy * entropy_cost + &value_loss * self.config.value_cost;
        loss.f_backward()?;
        let norm = clip_gradients(self.policy.parameters(), self.config.max_gradient_norm)?;
        let value_norm = clip_gradients(self.value.parameters(), self.config.max_gradient_norm)?;
        let finite = [loss.double_value(&[]), norm, value_norm].iter().all(|number| number.is_finite());
        if !finite {
            return self.skip(statistics);
        }
        self.skipped_in_a_row = 0;
        let learning_rate = self.config.learning_rate.at(share);
        self.policy_optimizer.step(self.policy.parameters(), learning_rate)?;
        if learn_value {
            self.value_optimizer.step(self.value.parameters(), learning_rate)?;
        }
        statistics.policy_loss += policy_loss.double_value(&[]);
        statistics.value_loss += value_loss.double_value(&[]);
        statistics.entropy += entropy.double_value(&[]);
        statistics.gradient_norm += norm;
        statistics.clipped += objective.clipped;
        statistics.divergence += moved(&behaviour, &evaluation);
        statistics.updates += 1;
        Ok(())
    }

    /// The NaN guard: nothing is changed, the gradients are forgotten.
    fn skip(&mut self, statistics: &mut Statistics) -> Result<(), LearnerError> {
        zero_gradients(self.policy.parameters());
        zero_gradients(self.value.parameters());
        statistics.skipped += 1;
        self.skipped_in_a_row += 1;
        if self.skipped_in_a_row >= self.config.max_skipped_updates {
            return Err(LearnerError::Diverged { skipped: self.skipped_in_a_row });
        }
        Ok(())
    }
}

fn moved(behaviour: &Tensor, evaluation: &Evaluation) -> f64 {
    (behaviour - evaluation.log_probability.detach()).mean(Kind::Double).double_value(&[])
}

struct Objective {
    value: Tensor,
    clipped: f64,
}

/// min(R·A, clip(R, 1±ε)·A), R the ratio to the target policy (or, truncated, to the one that acted).
fn clipped_objective(
    log_new: &Tensor,
    acted: &Tensor,
    target: &Tensor,
    advantages: &Tensor,
    clip: f64,
) -> Objective {
    let anchor = target.maximum(&(acted - ACTING_RATIO_BAR.ln()));
    let ratio = (log_new - anchor).exp();
    let clipped = ratio.clamp(1.0 - clip, 1.0 + clip);
    let outside = ratio.detach().ne_tensor(&clipped.detach()).to_kind(Kind::Double).mean(Kind::Double);
    Objective {
        value: (&ratio * advantages).minimum(&(clipped * advantages)),
        clipped: outside.double_value(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objective_is_clipped_only_where_that_makes_it_smaller() {
        let log = |ratio: f32| ratio.ln();
        let new = Tensor::from_slice(&[log(1.5), log(0.5), log(1.5), log(0.5)]);
        let zero = Tensor::zeros([4], (Kind::Float, tch::Device::Cpu));
        let advantages = Tensor::from_slice(&[1.0_f32, 1.0, -1.0, -1.0]);
        let objective = clipped_objective(&new, &zero, &zero, &advantages, 0.2);
        let values: Vec<f32> = Vec::try_from(&objective.value).unwrap();
        for (value, expected) in values.iter().zip([1.2, 0.5, -1.5, -0.8]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
    }

    #[test]
    fn an_action_that_was_likelier_under_the_acting_policy_is_anchored_there() {
        let ratio = |acted: f32, target: f32| {
            let tensor = |value: f32| Tensor::from_slice(&[value]);
            let objective =
                clipped_objective(&tensor(0.0), &tensor(acted), &tensor(target), &tensor(1.0), 1e6);
            objective.value.double_value(&[0])
        };
        assert!((ratio(-1.0, -1.0) - 1.0_f64.exp()).abs() < 1e-5);
        assert!((ratio(0.0, -3.0) - 2.0).abs() < 1e-5);
    }
}
