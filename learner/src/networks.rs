//! The networks that learn, and the slow copies with which targets are computed.

use common::trajectory::Choice;
use configuration::{Algorithm, Config};
use policy::{GraphBatch, PolicyNetwork, ValueNetwork};
use state_graph::{Schema, StateGraph};
use tch::{Device, Kind};

use crate::LearnerError;
use crate::batch::Batch;

/// States for which new weights are tried after each round.
const CHECKED_STATES: usize = 8;

/// Policy and value network, each with its target network (Mnih et al. 2015; IMPACT, Luo et al. 2020).
#[derive(Debug)]
pub struct Networks {
    /// Gives the distribution over decisions; in Q-learning their Q-values.
    pub policy: PolicyNetwork,
    /// Estimates the return, in units of the return scale.
    pub value: ValueNetwork,
    /// Copy of the policy as it was when targets were last refreshed.
    pub target_policy: PolicyNetwork,
    /// Copy of the value network of the same moment.
    pub target_value: ValueNetwork,
    /// Running mean of the policy's weights, where `learner.average_decay` is set.
    average: Option<PolicyNetwork>,
    average_decay: f64,
    /// What the policy network learns to be.
    pub(crate) algorithm: Algorithm,
}

impl Networks {
    /// Fresh networks drawn from the run's seed, on `device`; each target network equals its network.
    #[must_use]
    pub fn new(schema: &Schema, config: &Config, device: Device) -> Self {
        let options = (Kind::Float, device);
        let policy = || PolicyNetwork::with_options(schema, &config.policy, config.seed, options);
        let value = || ValueNetwork::with_options(schema, &config.policy, config.seed, options);
        let average_decay = config.learner.average_decay;
        Networks {
            policy: policy(),
            value: value(),
            target_policy: policy(),
            target_value: value(),
            average: (average_decay > 0.0).then(policy),
            average_decay,
            algorithm: config.learner.algorithm,
        }
    }

    /// What is validated and kept as the run's policy: the running mean of the weights where there is one (Polyak and Juditsky 1992).
    #[must_use]
    pub fn kept_policy(&self) -> &PolicyNetwork {
        self.average.as_ref().unwrap_or(&self.policy)
    }

    /// Whether the policy that is kept is another than the one that learns.
    #[must_use]
    pub fn averages(&self) -> bool {
        self.average.is_some()
    }

    /// Takes the weights of a round into their running mean.
    ///
    /// # Errors
    /// [`LearnerError::Tensor`].
    pub(crate) fn average(&self) -> Result<(), LearnerError> {
        if let Some(average) = &self.average {
            let mut mean = average.parameters().values().shallow_clone();
            let weights = self.policy.parameters().values();
            let _ = tch::no_grad(|| mean.f_lerp_(weights, 1.0 - self.average_decay))?;
        }
        Ok(())
    }

    /// Where the networks lie.
    #[must_use]
    pub fn device(&self) -> Device {
        self.policy.parameters().values().device()
    }

    /// Copies the networks into their target networks.
    ///
    /// # Errors
    /// [`LearnerError::Policy`].
    pub fn refresh_targets(&self) -> Result<(), LearnerError> {
        self.target_policy.parameters().copy_from(self.policy.parameters())?;
        self.target_value.parameters().copy_from(self.value.parameters())?;
        Ok(())
    }

    /// Refuses networks whose outputs for the first states of `batch` are not finite: an actor could not decide with them.
    ///
    /// # Errors
    /// [`LearnerError::NotFinite`], which names `round`.
    pub fn check_outputs(&self, schema: &Schema, batch: &Batch, round: u64) -> Result<(), LearnerError> {
        let count = batch.steps.len().min(CHECKED_STATES);
        if count == 0 {
            return Ok(());
        }
        let states: Vec<&StateGraph> = batch.states[..count].iter().collect();
        let choices: Vec<Choice> = batch.steps[..count].iter().map(|step| step.choice).collect();
        let graph = GraphBatch::collate(schema, &states).to_device(self.device());
        let (evaluation, values) = tch::no_grad(|| {
            Ok::<_, LearnerError>((
                self.policy.evaluate(&graph, &choices, 0.0, None)?,
                self.value.forward(&graph, &batch.facts[..count], None)?,
            ))
        })?;
        for (what, numbers) in [
            ("the policy's entropy is", &evaluation.entropy),
            ("the values that the value network gives are", &values),
        ] {
            if !numbers.sum(Kind::Double).double_value(&[]).is_finite() {
                return Err(LearnerError::NotFinite { what, round });
            }
        }
        Ok(())
    }
}
