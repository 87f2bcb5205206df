//! The gradient of one minibatch's loss: each rank differentiates its part of the sum, and the gradients are added up.

use common::trajectory::Choice;
use policy::{EpisodeFacts, PolicyNetwork, ValueNetwork};
use tch::{Device, Kind, Tensor};
use torch_extension::process_group::{PendingSum, ProcessGroup};

use crate::LearnerError;
use crate::batch::Batch;
use crate::networks::Networks;
use crate::rank_states::RankStates;
use crate::targets::Targets;

/// Where the acting policy gave an action much less weight than the target policy does, the ratio is taken to the
/// acting one instead (IMPACT, Luo et al. 2020, with its ρ = 2).
const ACTING_RATIO_BAR: f64 = 2.0;

/// What one update works on.
pub(crate) struct Minibatch<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) targets: &'a Targets,
    /// Its steps, as places in the batch; the loss is a mean over all of them.
    pub(crate) places: &'a [usize],
}

/// What the policy network learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyLoss {
    /// The clipped objective and the entropy bonus.
    Objective,
    /// Cross-entropy of the decisions.
    Imitation,
    /// Huber loss of the decisions' Q-values against their targets.
    QValues,
}

/// Which loss is differentiated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    /// What the policy network learns.
    pub(crate) policy: PolicyLoss,
    /// The ratio of probabilities is clipped to 1 ± this.
    pub(crate) ratio_clip: f64,
    /// Weight of the entropy bonus.
    pub(crate) entropy_cost: f64,
    /// Weight of the value network's loss.
    pub(crate) value_cost: f64,
    /// Fraction of the policy's hidden units that are left out.
    pub(crate) dropout: f64,
    /// Whether the value network learns, too.
    pub(crate) learn_value: bool,
}

/// Sums over the steps of a minibatch, of all ranks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// Clipped policy objective.
    pub(crate) objective: f64,
    /// Normalised entropy of the policy.
    pub(crate) entropy: f64,
    /// Half the squared difference of value and target.
    pub(crate) value: f64,
    /// Decisions whose ratio was clipped.
    pub(crate) clipped: f64,
    /// log μ − log π.
    pub(crate) moved: f64,
}

impl Sums {
    /// Whether every term of the loss is finite.
    pub(crate) fn are_finite(&self) -> bool {
        [self.objective, self.entropy, self.value].iter().all(|number| number.is_finite())
    }

    fn over(self, ranks: Option<&ProcessGroup>) -> Result<Self, LearnerError> {
        let Some(ranks) = ranks else { return Ok(self) };
        let table = Tensor::from_slice(&[self.objective, self.entropy, self.value, self.clipped, self.moved]);
        ranks.all_reduce(&table)?;
        let of = |place| table.double_value(&[place]);
        Ok(Sums { objective: of(0), entropy: of(1), value: of(2), clipped: of(3), moved: of(4) })
    }
}

/// Adds the gradient of the minibatch's loss to those of both networks; afterwards all ranks have the same bits there.
/// The sum of the value network's gradients is under way while the policy is differentiated.
pub(crate) fn differentiate(
    networks: &Networks,
    loss: &Loss,
    minibatch: &Minibatch<'_>,
    states: &RankStates,
    ranks: Option<&ProcessGroup>,
) -> Result<Sums, LearnerError> {
    let part = Part { minibatch, states, ranks, device: networks.device() };
    let mut sums = Sums::default();
    let mut pending = Vec::new();
    if loss.learn_value {
        sums.value = part.differentiate_value(&networks.value, loss)?;
        pending.extend(start_sum(networks.value.parameters().gradients(), ranks)?);
    }
    match loss.policy {
        PolicyLoss::QValues => part.differentiate_q_values(&networks.policy, loss, &mut sums)?,
        PolicyLoss::Objective | PolicyLoss::Imitation => {
            part.differentiate_policy(&networks.policy, loss, &mut sums)?;
        }
    }
    pending.extend(start_sum(networks.policy.parameters().gradients(), ranks)?);
    let sums = sums.over(ranks)?;
    pending.into_iter().try_for_each(PendingSum::wait)?;
    Ok(sums)
}

fn start_sum(gradients: &Tensor, ranks: Option<&ProcessGroup>) -> Result<Option<PendingSum>, LearnerError> {
    Ok(ranks.map(|ranks| ranks.start_all_reduce(gradients)).transpose()?)
}

/// This rank's part of a minibatch.
struct Part<'a> {
    minibatch: &'a Minibatch<'a>,
    states: &'a RankStates,
    ranks: Option<&'a ProcessGroup>,
    device: Device,
}

impl Part<'_> {
    /// Half the squared difference of value and target, summed over this rank's steps.
    fn differentiate_value(&self, network: &ValueNetwork, loss: &Loss) -> Result<f64, LearnerError> {
        let Some(graph) = &self.states.graph else { return Ok(0.0) };
        let targets = self.minibatch.targets;
        let facts: Vec<EpisodeFacts> = self
            .states
            .places
            .iter()
            .map(|&place| self.minibatch.batch.facts[self.minibatch.places[place]])
            .collect();
        let difference = network.forward(graph, &facts, self.ranks)? - self.column(&targets.values);
        let sum = (difference.square() * self.column(&targets.weights)).sum(Kind::Float) * 0.5;
        (&sum * (loss.value_cost / self.minibatch.places.len() as f64)).f_backward()?;
        Ok(sum.double_value(&[]))
    }

    /// Huber loss of Q-values: half the squared difference up to 1, and the difference less a half beyond.
    fn differentiate_q_values(
        &self,
        network: &PolicyNetwork,
        loss: &Loss,
        sums: &mut Sums,
    ) -> Result<(), LearnerError> {
        let Some(graph) = &self.states.graph else { return Ok(()) };
        let Minibatch { targets, places, .. } = self.minibatch;
        let values = network.q_values(graph, &self.choices(), loss.dropout, self.ranks)?;
        let losses = values.f_huber_loss(&self.column(&targets.values), tch::Reduction::None, 1.0)?;
        let sum = (losses * self.column(&targets.weights)).sum(Kind::Float);
        (&sum * (1.0 / places.len() as f64)).f_backward()?;
        sums.objective = -sum.double_value(&[]);
        Ok(())
    }

    fn differentiate_policy(
        &self,
        network: &PolicyNetwork,
        loss: &Loss,
        sums: &mut Sums,
    ) -> Result<(), LearnerError> {
        let Some(graph) = &self.states.graph else { return Ok(()) };
        let Minibatch { targets, places, .. } = self.minibatch;
        let evaluation = network.evaluate(graph, &self.choices(), loss.dropout, self.ranks)?;
        let behaviour = self.column(&targets.behaviour);
        let objective = if loss.policy == PolicyLoss::Imitation {
            Objective { value: evaluation.log_probability.shallow_clone(), clipped: 0.0 }
        } else {
            clipped_objective(
                &evaluation.log_probability,
                &behaviour,
                &self.column(&targets.target),
                &self.column(&targets.advantages),
                loss.ratio_clip,
            )
        };
        let sum = (objective.value * self.column(&targets.weights)).sum(Kind::Float);
        let entropy = evaluation.entropy.sum(Kind::Float);
        let gain = &sum + &entropy * loss.entropy_cost;
        (gain * (-1.0 / places.len() as f64)).f_backward()?;
        sums.objective = sum.double_value(&[]);
        sums.entropy = entropy.double_value(&[]);
        sums.clipped = objective.clipped;
        let moved = behaviour - evaluation.log_probability.detach();
        sums.moved = moved.sum(Kind::Double).double_value(&[]);
        Ok(())
    }

    /// The decisions of this rank's steps.
    fn choices(&self) -> Vec<Choice> {
        let Minibatch { batch, places, .. } = self.minibatch;
        self.states.places.iter().map(|&place| batch.steps[places[place]].choice).collect()
    }

    /// The entries of `values` (one a step of the batch) of this rank's steps.
    fn column(&self, values: &[f32]) -> Tensor {
        let value = |&place: &usize| values[self.minibatch.places[place]];
        Tensor::from_slice(&self.states.places.iter().map(value).collect::<Vec<_>>()).to_device(self.device)
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
