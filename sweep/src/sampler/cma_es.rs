//! CMA-ES (Hansen and Ostermeier 2001), by crate `cmaes`. A generation begins when all trials of the one before have ended; until
//! then there may be nothing to suggest.
//!
//! The crate evaluates a whole generation at once, so it is asked by replaying: an objective that answers with the ranks that are
//! known, and that notes the points of the generation after.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use cmaes::{CMAESOptions, DVector};
use common::RunSeed;

use crate::space::Space;
use crate::suggestion::{Known, Suggestion};

/// Width of the first generation, of a cube with edges of 1: the border is three widths from the middle (as in Optuna).
const FIRST_WIDTH: f64 = 1.0 / 6.0;

/// The sampler with the points of the current generation.
#[derive(Debug)]
pub struct CmaEs {
    seed: RunSeed,
    /// Number of the generation and its points.
    current: Option<(usize, Vec<Vec<f64>>)>,
}

impl CmaEs {
    pub(super) fn new(seed: RunSeed) -> Self {
        CmaEs { seed, current: None }
    }

    pub(super) fn suggest(&mut self, space: &Space, population: u32, known: &[Known<'_>]) -> Suggestion {
        let own: Vec<Option<u32>> =
            known.iter().filter(|trial| trial.is_suggested).map(|trial| trial.rank).collect();
        let size = population_of(space, population);
        let (generation, place) = (own.len() / size, own.len() % size);
        let ended = &own[..generation * size];
        if ended.iter().any(Option::is_none) {
            return Suggestion::Wait;
        }
        if self.current.as_ref().is_none_or(|(number, _)| *number != generation) {
            let ranks: Vec<u32> = ended.iter().copied().flatten().collect();
            self.current = Some((generation, self.points(space, size, &ranks)));
        }
        let (_, points) = self.current.as_ref().expect("just set");
        Suggestion::Setting(space.at(&points[place]))
    }

    /// The points of the generation after those with `ranks`.
    fn points(&self, space: &Space, size: usize, ranks: &[u32]) -> Vec<Vec<f64>> {
        // Ranks among all trials order a generation as its own ranks do.
        let answers: Rc<RefCell<VecDeque<f64>>> =
            Rc::new(RefCell::new(ranks.iter().map(|rank| f64::from(*rank)).collect()));
        let asked: Rc<RefCell<Vec<Vec<f64>>>> = Rc::default();
        let objective = {
            let (answers, asked) = (answers.clone(), asked.clone());
            move |point: &DVector<f64>| match answers.borrow_mut().pop_front() {
                Some(answer) => answer,
                None => {
                    asked.borrow_mut().push(point.iter().map(|place| folded(*place)).collect());
                    0.0
                }
            }
        };
        let options = CMAESOptions::new(vec![0.5; space.dimensions()], FIRST_WIDTH)
            .population_size(size)
            .seed(self.seed.0)
            // A study ends by its own budget.
            .tol_fun(0.0)
            .tol_fun_rel(0.0)
            .tol_fun_hist(0.0)
            .tol_x(0.0)
            .tol_x_up(f64::INFINITY)
            .tol_condition_cov(f64::INFINITY)
            .tol_stagnation(usize::MAX);
        let mut search = options.build(objective).expect("the options are in their ranges");
        for _ in 0..=ranks.len() / size {
            let _ended = search.next();
        }
        drop(search);
        let mut points = Rc::try_unwrap(asked).map(RefCell::into_inner).unwrap_or_default();
        // The search has ended by itself, which a long plateau can bring about: the last point again.
        points.resize_with(size, || vec![0.5; space.dimensions()]);
        points
    }
}

/// Trials of a generation.
fn population_of(space: &Space, population: u32) -> usize {
    match population {
        0 => 4 + (3.0 * libm::log(space.dimensions() as f64)).max(0.0) as usize,
        given => given.max(4) as usize,
    }
}

/// A coordinate outside 0 to 1 is reflected at the border, as in a hall of mirrors.
fn folded(place: f64) -> f64 {
    let within = place.rem_euclid(2.0);
    if within > 1.0 { 2.0 - within } else { within }
}
