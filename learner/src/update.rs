//! One round of learning: targets from the target networks, then several clipped passes over the batch.

use common::Stream;
use configuration::{Advantage, Algorithm, Config, EncoderKind};
use policy::ThreadChoice;
use rand::seq::SliceRandom;
use state_graph::Schema;
use tch::Device;
use torch_extension::process_group::ProcessGroup;

use crate::LearnerError;
use crate::ahead::one_ahead;
use crate::batch::Batch;
use crate::cuts::Cuts;
use crate::gradient::{Loss, Minibatch, PolicyLoss, differentiate};
use crate::networks::Networks;
use crate::optimisers::{Optimisers, clip, forget_gradients};
use crate::q_learning::q_targets;
use crate::rank_states::{Collator, RankStates};
use crate::scale::Scales;
use crate::statistics::Statistics;
use crate::target_outputs::target_outputs;
use crate::targets::Targets;
use crate::value_fit::ValueFit;

/// The result of one round.
#[derive(Clone, Debug)]
pub struct Round {
    /// For the logs.
    pub statistics: Statistics,
    /// Of each trajectory of the batch, how much there was to learn from it: the mean magnitude of its temporal
    /// differences before the round.
    pub priorities: Vec<f32>,
    /// How well the target value network predicted the batch.
    pub fit: ValueFit,
}

/// Everything that a round of learning changes, and what it needs to do so.
#[derive(Debug)]
pub struct Updater {
    config: Config,
    collator: Collator,
    /// All ranks, where there are several.
    ranks: Option<ProcessGroup>,
    /// What learns, with its target networks.
    pub networks: Networks,
    /// Optimisers of the networks.
    pub optimisers: Optimisers,
    /// Running magnitudes of targets and advantages.
    pub scales: Scales,
    /// Number of rounds done so far.
    pub rounds: u64,
    skipped_in_a_row: u32,
    /// How many threads compute, where that is open.
    threads: Option<ThreadChoice>,
}

impl Updater {
    /// Fresh networks drawn from the run's seed, on `device`.
    #[must_use]
    pub fn new(schema: &Schema, config: &Config, device: Device) -> Self {
        let networks = Networks::new(schema, config, device);
        Updater {
            config: config.clone(),
            collator: Collator::new(schema.clone(), device, None),
            ranks: None,
            optimisers: Optimisers::new(&networks),
            networks,
            scales: Scales::default(),
            rounds: 0,
            skipped_in_a_row: 0,
            threads: None,
        }
    }

    /// From now on uses one thread where that is faster than `threads` (0: one per core). Only where nothing must repeat bit for bit, and
    /// no other rank is waited for.
    pub fn choose_threads(&mut self, threads: usize) {
        self.threads = Some(ThreadChoice::up_to(threads));
    }

    /// From now on learns as one rank of `ranks`.
    pub(crate) fn join(&mut self, ranks: ProcessGroup) {
        self.collator = Collator::new(self.collator.schema().clone(), self.networks.device(), Some(&ranks));
        self.ranks = Some(ranks);
    }

    /// All ranks, where there are several.
    pub(crate) fn ranks(&self) -> Option<&ProcessGroup> {
        self.ranks.as_ref()
    }

    /// Learns from `batch`; `spent` is the fraction of the budget that is spent.
    ///
    /// # Errors
    /// [`LearnerError::Diverged`] after too many updates in a row that were not finite.
    pub fn round(&mut self, batch: &Batch, spent: f64) -> Result<Round, LearnerError> {
        let learner = &self.config.learner;
        if self.rounds.is_multiple_of(learner.target_period) {
            self.networks.refresh_targets()?;
        }
        let cuts = match self.config.policy.encoder {
            EncoderKind::Graph => Cuts::of(&batch.states, learner.partition_edges, self.ranks.as_ref())?,
            // A vector is not cut.
            EncoderKind::Flat => Cuts::default(),
        };
        let outputs = target_outputs(&self.networks, &self.collator, self.ranks.as_ref(), batch, &cuts)?;
        let reward = &self.config.reward;
        let targets = match learner.algorithm {
            Algorithm::PolicyGradient => Targets::new(batch, outputs, &mut self.scales, (learner, reward))?,
            Algorithm::Dqn => q_targets(batch, outputs, &mut self.scales, reward),
        };
        let learning_rate = learner.learning_rate.at(spent);
        let entropy_cost = learner.entropy_cost.at(spent);
        let mut statistics = Statistics::default();
        let collator = self.collator.clone();
        let collate = |(_, places): &(bool, Vec<usize>)| collator.collate(&batch.states, &cuts, places);
        one_ahead(&self.minibatches(batch.steps.len()), collate, |(learn_value, places), states| {
            let minibatch = Minibatch { batch, targets: &targets, places };
            let loss = self.loss(entropy_cost, *learn_value);
            let states = states?;
            let mut threads = self.threads.take();
            let mut work = || self.update(&minibatch, &loss, &states, learning_rate, &mut statistics);
            let updated = match &mut threads {
                Some(choice) => choice.run(places.len(), work),
                None => work(),
            };
            self.threads = threads;
            updated
        })?;
        self.networks.average()?;
        self.rounds += 1;
        let Targets { priorities, fit, .. } = targets;
        Ok(Round { statistics: statistics.averaged(), priorities, fit })
    }

    /// Refuses networks that give no numbers for the first states of `batch`.
    ///
    /// # Errors
    /// [`LearnerError::NotFinite`].
    pub fn check_outputs(&self, batch: &Batch) -> Result<(), LearnerError> {
        self.networks.check_outputs(self.collator.schema(), batch, self.rounds)
    }

    fn loss(&self, entropy_cost: f64, learn_value: bool) -> Loss {
        let Config { learner, policy, .. } = &self.config;
        let loss = match learner.algorithm {
            Algorithm::Dqn => PolicyLoss::QValues,
            Algorithm::PolicyGradient if learner.imitate.is_empty() => PolicyLoss::Objective,
            Algorithm::PolicyGradient => PolicyLoss::Imitation,
        };
        Loss {
            policy: loss,
            ratio_clip: learner.ratio_clip,
            value_cost: learner.value_cost,
            dropout: policy.dropout,
            entropy_cost: if loss == PolicyLoss::Objective { entropy_cost } else { 0.0 },
            learn_value,
        }
    }

    /// The steps of each minibatch of this round, and whether the value network learns from it, too.
    fn minibatches(&self, steps: usize) -> Vec<(bool, Vec<usize>)> {
        let learner = &self.config.learner;
        let mut order: Vec<usize> = (0..steps).collect();
        let mut rng = self.config.seed.rng(Stream::Minibatches, self.rounds);
        let size = steps.div_ceil(learner.minibatches).max(1);
        let mut minibatches = Vec::new();
        for epoch in 0..learner.epochs {
            order.shuffle(&mut rng);
            let first_or_vtrace = epoch == 0 || learner.advantage == Advantage::Vtrace;
            let has_value = learner.value_cost > 0.0 && learner.algorithm == Algorithm::PolicyGradient;
            let learn_value = has_value && first_or_vtrace;
            minibatches.extend(order.chunks(size).map(|places| (learn_value, places.to_vec())));
        }
        minibatches
    }

    /// One update of the networks. Where something is not finite, nothing changes and the gradients are forgotten.
    fn update(
        &mut self,
        minibatch: &Minibatch<'_>,
        loss: &Loss,
        states: &RankStates,
        learning_rate: f64,
        statistics: &mut Statistics,
    ) -> Result<(), LearnerError> {
        let sums = differentiate(&self.networks, loss, minibatch, states, self.ranks.as_ref())?;
        let norms = clip(&self.networks, self.config.learner.max_gradient_norm)?;
        if !(sums.are_finite() && norms.are_finite()) {
            forget_gradients(&self.networks);
            statistics.skipped += 1;
            return self.count_skipped();
        }
        self.skipped_in_a_row = 0;
        self.optimisers.step(&self.networks, learning_rate, loss.learn_value)?;
        statistics.add(&sums, minibatch.places.len(), norms.policy);
        Ok(())
    }

    fn count_skipped(&mut self) -> Result<(), LearnerError> {
        self.skipped_in_a_row += 1;
        if self.skipped_in_a_row >= self.config.learner.max_skipped_updates {
            return Err(LearnerError::Diverged { skipped: self.skipped_in_a_row });
        }
        Ok(())
    }
}
