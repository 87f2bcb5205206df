//! Points of the `slots` figure: mean slowdown with its standard error, and the share of dropped jobs.

use common::{RunSeed, Stream};
use simulator::{Episodes, Scheduler, Simulation};

use crate::play::{PlayError, play};

/// What one episode adds to a point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Contribution {
    slowdowns: f64,
    jobs: f64,
    dropped: f64,
}

/// One scheduler at one load and length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlotsPoint {
    /// Load, percent.
    pub load: f64,
    /// Episode length in steps.
    pub steps: u32,
    /// Episodes.
    pub episodes: u32,
    /// Jobs that finished.
    pub jobs: u64,
    /// Jobs that were dropped.
    pub dropped: u64,
    /// Mean slowdown m over all finished jobs of all episodes.
    pub slowdown: f64,
    /// √Σ_e(S_e−m·n_e)² / Σ n_e, where S_e is the sum of slowdowns and n_e the number of jobs of episode e.
    pub slowdown_stderr: f64,
}

impl SlotsPoint {
    /// Dropped jobs as a share of all that arrived.
    #[must_use]
    pub fn dropped_share(&self) -> f64 {
        self.dropped as f64 / ((self.jobs + self.dropped) as f64).max(1.0)
    }
}

/// Which episodes a point is played on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlotsEpisodes {
    /// The run's seed.
    pub seed: RunSeed,
    /// Validation or test.
    pub stream: Stream,
    /// Load, percent.
    pub load: f64,
    /// Length in steps.
    pub steps: u32,
    /// How many.
    pub count: u32,
}

/// Plays one point with up to `together` episodes at a time. Schedulers that are given the same `which` play the same
/// jobs.
///
/// # Errors
/// [`PlayError`].
pub fn slots_point(
    episodes: &Episodes,
    which: &SlotsEpisodes,
    scheduler: &mut dyn Scheduler,
    together: usize,
) -> Result<SlotsPoint, PlayError> {
    let mut contributions = vec![Contribution::default(); which.count as usize];
    let mut number = 0;
    play(
        scheduler,
        together,
        || {
            number += 1;
            let seed = which.seed.episode(which.stream, number - 1);
            (number <= u64::from(which.count)).then(|| episodes.slots(seed, which.load, which.steps))
        },
        |episode, simulation| contributions[episode] = contribution(simulation),
    )?;
    Ok(point(which, &contributions))
}

fn contribution(simulation: &Simulation) -> Contribution {
    simulation.as_slots().map_or(Contribution::default(), |slots| {
        let outcome = slots.outcome();
        Contribution {
            slowdowns: outcome.slowdown_sum,
            jobs: outcome.finished as f64,
            dropped: outcome.dropped.len() as f64,
        }
    })
}

fn point(which: &SlotsEpisodes, contributions: &[Contribution]) -> SlotsPoint {
    let total = |pick: fn(&Contribution) -> f64| contributions.iter().map(pick).sum::<f64>();
    let jobs = total(|episode| episode.jobs);
    let mean = total(|episode| episode.slowdowns) / jobs.max(1.0);
    let squares: f64 = contributions.iter().map(|e| (e.slowdowns - mean * e.jobs).powi(2)).sum();
    SlotsPoint {
        load: which.load,
        steps: which.steps,
        episodes: which.count,
        jobs: jobs as u64,
        dropped: total(|episode| episode.dropped) as u64,
        slowdown: mean,
        slowdown_stderr: squares.sqrt() / jobs.max(1.0),
    }
}
