//! What training episodes are drawn from: workloads with weights and loads.

use std::sync::{Arc, Mutex, PoisonError};

use common::{RunSeed, Stream};
use configuration::{ServerlessConfig, TrainingPart, WorkloadKind};
use engine::serverless::Workload;
use rand::Rng;

use crate::error::WorkloadError;
use crate::workload::serverless_workload;

/// Stream number of what a mixture draws; others draw the place of an episode's window.
const MIXTURE: u64 = 1;

/// The parts of a mixture.
pub(crate) struct Mixture {
    parts: Vec<(TrainingPart, Arc<Workload>)>,
    /// Whether the configuration lists parts.
    listed: bool,
    /// Functions that were drawn last; the rollouts of a group ask for the same one after the other.
    fresh: Mutex<Option<(RunSeed, Arc<Workload>)>>,
}

/// What an episode's seed draws.
pub(crate) struct Drawn {
    pub(crate) workload: Arc<Workload>,
    pub(crate) load_percent: f64,
    /// Number of the part, from 1; 0 where the configuration lists none.
    pub(crate) part: u32,
}

impl Mixture {
    /// Makes the workload of each part. `test` is what tests are played with: a trace is the same in both.
    pub(crate) fn open(config: &ServerlessConfig, test: &Arc<Workload>) -> Result<Self, WorkloadError> {
        let mut parts = Vec::new();
        for part in config.training_parts() {
            let is_trace = part.config.workload == WorkloadKind::Trace;
            let workload = if is_trace && config.training.is_empty() {
                Arc::clone(test)
            } else {
                serverless_workload(&with_functions(&part.config, part.config.training_functions_seed))?
            };
            parts.push((part, workload));
        }
        Ok(Mixture { parts, listed: !config.training.is_empty(), fresh: Mutex::new(None) })
    }

    /// Of one workload.
    pub(crate) fn of(config: &ServerlessConfig, workload: Arc<Workload>) -> Self {
        let alone = ServerlessConfig { training: Vec::new(), ..config.clone() };
        let parts = alone.training_parts().into_iter().map(|part| (part, Arc::clone(&workload))).collect();
        Mixture { parts, listed: false, fresh: Mutex::new(None) }
    }

    /// The workload of the first part.
    pub(crate) fn first(&self) -> &Arc<Workload> {
        &self.parts[0].1
    }

    /// Part, functions and load of an episode.
    pub(crate) fn draw(&self, episode: RunSeed) -> Drawn {
        let mut rng = episode.rng(Stream::Scenario, MIXTURE);
        let place = draw_weighted(self.parts.iter().map(|(part, _)| part.weight), &mut rng);
        let (part, workload) = &self.parts[place];
        let load_percent = draw_load(part.loads, &mut rng);
        let workload =
            if part.fresh_functions { self.fresh(episode, part, workload) } else { Arc::clone(workload) };
        Drawn { workload, load_percent, part: if self.listed { place as u32 + 1 } else { 0 } }
    }

    /// Functions of the episode's own. Where one of them fits on no node, those of the part stand in.
    fn fresh(&self, episode: RunSeed, part: &TrainingPart, otherwise: &Arc<Workload>) -> Arc<Workload> {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seed, workload)) = &*fresh
            && *seed == episode
        {
            return Arc::clone(workload);
        }
        let drawn = serverless_workload(&with_functions(&part.config, episode.episode(Stream::Functions, 0)));
        let workload = drawn.unwrap_or_else(|_| Arc::clone(otherwise));
        *fresh = Some((episode, Arc::clone(&workload)));
        workload
    }
}

fn with_functions(config: &ServerlessConfig, functions_seed: RunSeed) -> ServerlessConfig {
    ServerlessConfig { functions_seed, ..config.clone() }
}

/// A place, with probability in proportion to its weight.
pub(crate) fn draw_weighted(weights: impl Iterator<Item = f64> + Clone, rng: &mut impl Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.clone().sum::<f64>();
    let mut last = 0;
    for (place, weight) in weights.enumerate() {
        left -= weight;
        last = place;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// A load, percent, uniform in a range.
pub(crate) fn draw_load([low, high]: [f64; 2], rng: &mut impl Rng) -> f64 {
    low + (high - low).max(0.0) * rng.random::<f64>()
}
