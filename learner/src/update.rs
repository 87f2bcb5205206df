//! One round of learning: V-trace targets from the target networks, then several clipped passes over the batch.

use common::trajectory::Choice;
use common::{RunSeed, Stream};
use configuration::{Advantage, Config, LearnerConfig};
use policy::{GraphBatch, PolicyNetwork, ValueNetwork};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use state_graph::{Frame, Schema};
use tch::{Device, Kind};
use torch_extension::process_group::ProcessGroup;

use crate::LearnerError;
use crate::adam::{Adam, clip_gradients, zero_gradients};
use crate::ahead::one_ahead;
use crate::batch::Batch;
use crate::cuts::Cuts;
use crate::gradient::Minibatch;
use crate::scale::{RmsByCondition, RunningRms, RunningTypical};
use crate::share::Share;

/// States for which new networks are tried after each round.
const CHECKED_STATES: usize = 8;

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

/// What came of one round.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// For the logs.
    pub statistics: Statistics,
    /// Of each piece of the batch, how much there was to learn from it: the mean magnitude of its temporal differences
    /// before the round.
    pub priorities: Vec<f32>,
}

/// The networks, their targets and their optimisers.
#[derive(Debug)]
pub struct Updater {
    pub(crate) schema: Schema,
    pub(crate) config: LearnerConfig,
    pub(crate) dropout: f64,
    /// Where the networks are.
    pub(crate) device: Device,
    seed: RunSeed,
    /// The other ranks, where there are any.
    pub(crate) group: Option<ProcessGroup>,
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
    pub(crate) skipped_in_a_row: u32,
}

impl Updater {
    /// Fresh networks drawn from the run's seed, on `device`.
    #[must_use]
    pub fn new(schema: &Schema, config: &Config, device: Device) -> Self {
        let options = (Kind::Float, device);
        let policy = |seed| PolicyNetwork::with_options(schema, &config.policy, seed, options);
        let value = |seed| ValueNetwork::with_options(schema, &config.policy, seed, options);
        let (network, baseline) = (policy(config.seed), value(config.seed));
        Updater {
            schema: schema.clone(),
            config: config.learner.clone(),
            dropout: config.policy.dropout,
            device,
            seed: config.seed,
            group: None,
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
    pub fn learn(&mut self, batch: &Batch, share: f64) -> Result<Learnt, LearnerError> {
        if self.rounds.is_multiple_of(self.config.target_period) {
            self.target_policy.parameters().copy_from(self.policy.parameters())?;
            self.target_value.parameters().copy_from(self.value.parameters())?;
        }
        let cuts = Cuts::of(&batch.frames, self.config.partition_edges, self.group.as_ref())?;
        let targets = self.targets(batch, &cuts)?;
        let mut statistics = Statistics::default();
        let collator = self.collator();
        let collate = |(_, places): &(bool, Vec<usize>)| collator.share_of(&batch.frames, &cuts, places);
        one_ahead(&self.minibatches(batch.steps.len()), collate, |(learn_value, places), graphs| {
            let minibatch = Minibatch {
                batch,
                targets: &targets,
                places,
                entropy_cost: self.config.entropy_cost.at(share),
                learn_value: *learn_value,
            };
            self.update(&minibatch, &graphs?, self.config.learning_rate.at(share), &mut statistics)
        })?;
        self.rounds += 1;
        let updates = statistics.updates.max(1) as f64;
        statistics.policy_loss /= updates;
        statistics.value_loss /= updates;
        statistics.entropy /= updates;
        statistics.gradient_norm /= updates;
        statistics.clipped /= updates;
        statistics.divergence /= updates;
        Ok(Learnt { statistics, priorities: targets.priorities })
    }

    /// Refuses networks that give no numbers for the first states of `batch`: whoever plays with them could not decide.
    ///
    /// # Errors
    /// [`LearnerError::NotFinite`].
    pub fn check_outputs(&self, batch: &Batch) -> Result<(), LearnerError> {
        let count = batch.steps.len().min(CHECKED_STATES);
        if count == 0 {
            return Ok(());
        }
        let frames: Vec<&Frame> = batch.frames[..count].iter().collect();
        let choices: Vec<Choice> = batch.steps[..count].iter().map(|step| step.choice).collect();
        let graph = GraphBatch::collate(&self.schema, &frames).to_device(self.device);
        let (evaluation, values) = tch::no_grad(|| {
            Ok::<_, LearnerError>((
                self.policy.evaluate(&graph, &choices, 0.0, None)?,
                self.value.forward(&graph, None)?,
            ))
        })?;
        for (what, numbers) in [
            ("the policy's entropy is", &evaluation.entropy),
            ("the values that the value network gives are", &values),
        ] {
            if !numbers.sum(Kind::Double).double_value(&[]).is_finite() {
                return Err(LearnerError::NotFinite { what, round: self.rounds });
            }
        }
        Ok(())
    }

    /// The steps of each minibatch of this round, and whether the value network learns from it, too.
    fn minibatches(&self, steps: usize) -> Vec<(bool, Vec<usize>)> {
        let mut order: Vec<usize> = (0..steps).collect();
        let mut rng = self.seed.rng(Stream::Minibatches, self.rounds);
        let size = steps.div_ceil(self.config.minibatches).max(1);
        let mut minibatches = Vec::new();
        for epoch in 0..self.config.epochs {
            order.shuffle(&mut rng);
            let learn_value = epoch == 0 || self.config.advantage == Advantage::Vtrace;
            minibatches.extend(order.chunks(size).map(|places| (learn_value, places.to_vec())));
        }
        minibatches
    }

    fn update(
        &mut self,
        minibatch: &Minibatch<'_>,
        share: &Share,
        learning_rate: f64,
        statistics: &mut Statistics,
    ) -> Result<(), LearnerError> {
        let sums = self.differentiate(minibatch, share)?;
        let norm = clip_gradients(self.policy.parameters(), self.config.max_gradient_norm)?;
        let value_norm = clip_gradients(self.value.parameters(), self.config.max_gradient_norm)?;
        if !(sums.are_finite() && norm.is_finite() && value_norm.is_finite()) {
            return self.skip(statistics);
        }
        self.skipped_in_a_row = 0;
        self.policy_optimizer.step(self.policy.parameters(), learning_rate)?;
        if minibatch.learn_value {
            self.value_optimizer.step(self.value.parameters(), learning_rate)?;
        }
        let count = minibatch.places.len() as f64;
        statistics.policy_loss -= sums.objective / count;
        statistics.value_loss += sums.value / count;
        statistics.entropy += sums.entropy / count;
        statistics.gradient_norm += norm;
        statistics.clipped += sums.clipped / count;
        statistics.divergence += sums.moved / count;
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
