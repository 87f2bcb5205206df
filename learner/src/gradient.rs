//! The gradient of one minibatch's loss: each rank differentiates its share of the sum, and the shares are added up.

use common::trajectory::Choice;
use tch::{Kind, Tensor};
use torch_extension::process_group::PendingSum;

use crate::LearnerError;
use crate::batch::Batch;
use crate::share::Share;
use crate::targets::Targets;
use crate::update::Updater;

/// Where the acting policy gave an action much less weight than the target policy does, the ratio is taken to the
/// acting one instead (IMPACT, Luo et al. 2020, with its ρ = 2).
const ACTING_RATIO_BAR: f64 = 2.0;

/// What one update works on.
pub(crate) struct Minibatch<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) targets: &'a Targets,
    /// Its steps, as places in the batch; the loss is a mean over all of them.
    pub(crate) places: &'a [usize],
    pub(crate) entropy_cost: f64,
    pub(crate) learn_value: bool,
}

/// Sums over the steps of a minibatch, of all ranks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// Clipped objective.
    pub(crate) objective: f64,
    /// Normalised entropy.
    pub(crate) entropy: f64,
    /// Half the squared difference of value and target.
    pub(crate) value: f64,
    /// Decisions whose ratio was clipped.
    pub(crate) clipped: f64,
    /// log μ − log π.
    pub(crate) moved: f64,
}

impl Sums {
    /// Whether all of what the loss is made of is.
    pub(crate) fn are_finite(&self) -> bool {
        [self.objective, self.entropy, self.value].iter().all(|number| number.is_finite())
    }
}

impl Updater {
    /// Adds the gradient of the minibatch's loss to those of both networks; afterwards all ranks have the same bits there.
    /// While the policy is differentiated, the value network's gradient is already on its way.
    pub(crate) fn differentiate(
        &self,
        minibatch: &Minibatch<'_>,
        share: &Share,
    ) -> Result<Sums, LearnerError> {
        let mut sums = Sums::default();
        let mut pending = Vec::new();
        if minibatch.learn_value {
            self.differentiate_value(minibatch, share, &mut sums)?;
            pending.extend(self.start_sum(self.value.parameters().gradients())?);
        }
        self.differentiate_policy(minibatch, share, &mut sums)?;
        pending.extend(self.start_sum(self.policy.parameters().gradients())?);
        let sums = self.summed(sums)?;
        pending.into_iter().try_for_each(PendingSum::wait)?;
        Ok(sums)
    }

    fn differentiate_value(
        &self,
        minibatch: &Minibatch<'_>,
        share: &Share,
        sums: &mut Sums,
    ) -> Result<(), LearnerError> {
        let Some(graph) = &share.graph else { return Ok(()) };
        let values = self.value.forward(graph, self.group.as_ref())?;
        let difference = values - self.column(minibatch, share, &minibatch.targets.values);
        let weights = self.column(minibatch, share, &minibatch.targets.weights);
        let sum = (difference.square() * weights).sum(Kind::Float) * 0.5;
        (&sum * (self.config.value_cost / minibatch.places.len() as f64)).f_backward()?;
        sums.value = sum.double_value(&[]);
        Ok(())
    }

    fn differentiate_policy(
        &self,
        minibatch: &Minibatch<'_>,
        share: &Share,
        sums: &mut Sums,
    ) -> Result<(), LearnerError> {
        let Some(graph) = &share.graph else { return Ok(()) };
        let targets = minibatch.targets;
        let choice = |&place: &usize| minibatch.batch.steps[minibatch.places[place]].choice;
        let choices: Vec<Choice> = share.places.iter().map(choice).collect();
        let evaluation = self.policy.evaluate(graph, &choices, self.dropout, self.group.as_ref())?;
        let behaviour = self.column(minibatch, share, &targets.behaviour);
        let objective = clipped_objective(
            &evaluation.log_probability,
            &behaviour,
            &self.column(minibatch, share, &targets.target),
            &self.column(minibatch, share, &targets.advantages),
            self.config.ratio_clip,
        );
        let weights = self.column(minibatch, share, &targets.weights);
        let sum = (objective.value * weights).sum(Kind::Float);
        let entropy = evaluation.entropy.sum(Kind::Float);
        let gain = &sum + &entropy * minibatch.entropy_cost;
        (gain * (-1.0 / minibatch.places.len() as f64)).f_backward()?;
        sums.objective = sum.double_value(&[]);
        sums.entropy = entropy.double_value(&[]);
        sums.clipped = objective.clipped;
        let moved = behaviour - evaluation.log_probability.detach();
        sums.moved = moved.sum(Kind::Double).double_value(&[]);
        Ok(())
    }

    fn start_sum(&self, gradients: &Tensor) -> Result<Option<PendingSum>, LearnerError> {
        Ok(self.group.as_ref().map(|group| group.start_all_reduce(gradients)).transpose()?)
    }

    fn summed(&self, sums: Sums) -> Result<Sums, LearnerError> {
        let Some(group) = &self.group else { return Ok(sums) };
        let table = Tensor::from_slice(&[sums.objective, sums.entropy, sums.value, sums.clipped, sums.moved]);
        group.all_reduce(&table)?;
        let of = |place| table.double_value(&[place]);
        Ok(Sums { objective: of(0), entropy: of(1), value: of(2), clipped: of(3), moved: of(4) })
    }

    /// `values`, which has an entry a step of the batch, of the steps that are in `share`.
    fn column(&self, minibatch: &Minibatch<'_>, share: &Share, values: &[f32]) -> Tensor {
        let value = |&place: &usize| values[minibatch.places[place]];
        Tensor::from_slice(&share.places.iter().map(value).collect::<Vec<_>>()).to_device(self.device)
    }
}

struct Objective {
    value: Tensor,
    /// How many were clipped.
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
    let outside = ratio.detach().ne_tensor(&clipped.detach()).sum(Kind::Double);
    Objective {
        value: (&ratio * advantages).minimum(&(clipped * advantages)),
        clipped: outside.double_value(&[]),
    }
}

#[cfg(test)]
#[path = "ranks/gradient_tests.rs"]
mod ranks_tests;

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
