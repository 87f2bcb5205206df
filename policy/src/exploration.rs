//! How environments pick their actions, with a random stream each.

use common::{RunSeed, Stream};
use configuration::{ActorConfig, Algorithm, LearnerConfig};
use rand_chacha::ChaCha8Rng;

use crate::sampling::Pick;

/// The greatest fraction of decisions that an environment draws from all options, with Q-values (Horgan et al. 2018).
const MOST_EXPLORATION: f64 = 0.4;
/// The fraction of the last of n environments is that of the first to the power of one plus this.
const EXPLORATION_SPREAD: f64 = 7.0;

/// How a scheduler decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// For evaluation: *wait* where it is more probable than all options together; else the most probable option, the first of
    /// equals.
    Greedy,
    /// A draw from the probabilities, with a random stream for each environment: for learning.
    Sample,
    /// For evaluation, where scores are Q-values: the option with the highest one.
    Best,
    /// The same for learning: each of so many environments takes any option with a probability of its own, from 0.4 down to 0.0007.
    EpsilonGreedy {
        /// Number of environments.
        environments: usize,
    },
}

impl Behaviour {
    /// How evaluations play a policy that learnt so.
    #[must_use]
    pub fn for_evaluation(learner: &LearnerConfig) -> Self {
        match learner.algorithm {
            Algorithm::PolicyGradient => Behaviour::Greedy,
            Algorithm::Dqn => Behaviour::Best,
        }
    }

    /// How actors play.
    #[must_use]
    pub fn for_actors(learner: &LearnerConfig, actor: &ActorConfig) -> Self {
        match learner.algorithm {
            Algorithm::PolicyGradient => Behaviour::Sample,
            Algorithm::Dqn => Behaviour::EpsilonGreedy { environments: actor.environments },
        }
    }
}

/// The behaviour of all environments.
pub(crate) struct Exploration {
    behaviour: Behaviour,
    /// Of each environment the stream that its actions are drawn from, and whether the next one is drawn.
    streams: Vec<(ChaCha8Rng, bool)>,
}

impl Exploration {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        Exploration { behaviour, streams: Vec::new() }
    }

    /// Gives `environment` a stream of its own.
    pub(crate) fn seed(&mut self, environment: usize, seed: RunSeed) {
        while self.streams.len() <= environment {
            self.streams.push((RunSeed::default().rng(Stream::Actions, 0), true));
        }
        self.streams[environment] = (seed.rng(Stream::Actions, 0), true);
    }

    /// Whether `environment`, which was seeded, draws its next decisions.
    pub(crate) fn set_draws(&mut self, environment: usize, draws: bool) {
        if let Some(stream) = self.streams.get_mut(environment) {
            stream.1 = draws;
        }
    }

    /// How `environment` picks now.
    pub(crate) fn how(&mut self, environment: usize) -> Pick<'_, ChaCha8Rng> {
        let best = match self.behaviour {
            Behaviour::Greedy => return Pick::Greedy,
            Behaviour::Best => return Pick::Best,
            Behaviour::Sample => Pick::Greedy,
            Behaviour::EpsilonGreedy { .. } => Pick::Best,
        };
        if self.streams.len() <= environment {
            self.seed(environment, RunSeed(environment as u64));
        }
        let (stream, draws) = &mut self.streams[environment];
        match self.behaviour {
            _ if !*draws => best,
            Behaviour::EpsilonGreedy { environments } => {
                Pick::EpsilonGreedy(stream, exploration(environment, environments))
            }
            _ => Pick::Sample(stream),
        }
    }
}

/// The fraction of decisions that an environment of `environments` draws from all options.
fn exploration(environment: usize, environments: usize) -> f64 {
    let place = environment as f64 / (environments.max(2) - 1) as f64;
    MOST_EXPLORATION.powf(1.0 + EXPLORATION_SPREAD * place.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_explore_from_much_to_hardly() {
        assert_eq!(exploration(0, 64), 0.4);
        assert!((exploration(63, 64) - 0.4_f64.powi(8)).abs() < 1e-12);
        assert!((1..64).all(|place| exploration(place, 64) < exploration(place - 1, 64)));
        assert_eq!(exploration(0, 1), 0.4);
    }
}
