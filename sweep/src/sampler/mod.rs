//! How the next setting is chosen. A sampler works in the unit cube, and what it suggests is a function of the seed, the number of the
//! suggestion, and what earlier trials came to: a coordinator that was killed suggests the same again.

mod cma_es;
mod grid;
mod parzen;
mod tpe;

use common::{RunSeed, Stream};
use rand::Rng;

pub use cma_es::CmaEs;

use crate::SweepError;
use crate::optuna::Optuna;
use crate::space::{Setting, Space};
use crate::state::State;
use crate::study_file::{SamplerFile, SamplerKind};
use crate::suggestion::{Known, Suggestion};

/// A suggestion that equals an earlier trial is drawn anew this often.
const REDRAWS: u64 = 100;

/// A sampler of one study.
#[derive(Debug)]
pub struct Sampler {
    config: SamplerFile,
    seed: RunSeed,
    cma_es: CmaEs,
    optuna: Option<Optuna>,
}

impl Sampler {
    /// The sampler of a study with this seed.
    #[must_use]
    pub fn new(config: &SamplerFile, seed: RunSeed) -> Self {
        Sampler { config: config.clone(), seed, cma_es: CmaEs::new(seed), optuna: None }
    }

    /// Suggests from now on what this study of Optuna does.
    pub(crate) fn ask_optuna(&mut self, optuna: Optuna) {
        self.optuna = Some(optuna);
    }

    /// Tells Optuna, where it suggests, what trials came to.
    ///
    /// # Errors
    /// [`SweepError::Tool`].
    pub(crate) fn follow(&mut self, state: &State) -> Result<(), SweepError> {
        self.optuna.as_mut().map_or(Ok(()), |optuna| optuna.follow(state))
    }

    /// A setting that no trial has; `known`: all trials so far, in their order. `budget`: trials that the study may have.
    ///
    /// # Errors
    /// [`SweepError::Tool`] where Optuna suggests, and cannot.
    pub fn suggest(
        &mut self,
        space: &Space,
        known: &[Known<'_>],
        budget: Option<u64>,
    ) -> Result<Suggestion, SweepError> {
        let number = known.iter().filter(|trial| trial.is_suggested).count() as u64;
        match &mut self.optuna {
            Some(optuna) => optuna.suggest(number, budget),
            None => Ok(self.own_suggestion(space, known, number)),
        }
    }

    fn own_suggestion(&mut self, space: &Space, known: &[Known<'_>], number: u64) -> Suggestion {
        let is_new = |setting: &Setting| known.iter().all(|trial| trial.setting != setting);
        match self.config.kind {
            // Who only looks at a study does not ask.
            SamplerKind::Optuna => Suggestion::Exhausted,
            SamplerKind::Grid => grid::next(space, self.config.grid_points, is_new),
            SamplerKind::CmaEs => self.cma_es.suggest(space, self.config.population, known),
            SamplerKind::Random | SamplerKind::Sobol | SamplerKind::Tpe => {
                for draw in 0..REDRAWS {
                    let setting = self.draw(space, number, draw, known);
                    if is_new(&setting) {
                        return Suggestion::Setting(setting);
                    }
                }
                first_left(space, is_new)
            }
        }
    }

    /// A point for what a person's setting leaves out.
    #[must_use]
    pub fn filler(&self, space: &Space, trial: u64) -> Vec<f64> {
        // Counted from the end, so that the draws of suggestions are not used.
        let mut rng = self.seed.rng(Stream::Sweep, u64::MAX - trial);
        (0..space.dimensions()).map(|_| rng.random()).collect()
    }

    fn draw(&self, space: &Space, number: u64, draw: u64, known: &[Known<'_>]) -> Setting {
        let mut rng = self.seed.rng(Stream::Sweep, number * REDRAWS + draw);
        let settled = known.iter().filter(|trial| trial.rank.is_some()).count() as u64;
        let point = match self.config.kind {
            SamplerKind::Tpe if settled >= self.config.random_trials => tpe::point(space, known, &mut rng),
            SamplerKind::Sobol => sobol(space, self.seed, number + draw * 7919),
            _ => (0..space.dimensions()).map(|_| rng.random()).collect(),
        };
        space.at(&point)
    }
}

/// A point of a Sobol sequence with Owen's scrambling (Burley 2020), by the seed.
fn sobol(space: &Space, seed: RunSeed, index: u64) -> Vec<f64> {
    let mut rng = seed.rng(Stream::Sweep, u64::MAX);
    let scramble: Vec<u32> =
        (0..=space.dimensions() / sobol_burley::NUM_DIMENSIONS as usize).map(|_| rng.random()).collect();
    let coordinate = |dimension: usize| {
        let (set, within) = (
            dimension / sobol_burley::NUM_DIMENSIONS as usize,
            dimension % sobol_burley::NUM_DIMENSIONS as usize,
        );
        let index = (index % (1 << 16)) as u32;
        f64::from(sobol_burley::sample(index, within as u32, scramble[set]))
    };
    (0..space.dimensions()).map(coordinate).collect()
}

/// In a small space of words and whole numbers a setting that is left is found by counting.
fn first_left(space: &Space, is_new: impl Fn(&Setting) -> bool) -> Suggestion {
    const LARGEST: u64 = 100_000;
    let mut counts = space.parameters.iter().map(|parameter| parameter.range.count());
    let total = counts.try_fold(1_u64, |total, count| total.checked_mul(count?));
    match total {
        Some(total) if total <= LARGEST => grid::next(space, u32::MAX, is_new),
        // Numbers without steps, or a large space: a hundred draws that all were there are a space that is used up in practice.
        _ => Suggestion::Exhausted,
    }
}

#[cfg(test)]
#[path = "../sampler_tests.rs"]
mod tests;
