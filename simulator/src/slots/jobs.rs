//! The jobs of an episode: drawn from a distribution or given.

use std::sync::Arc;

use common::ids::InvocationId;
use common::slots::RESOURCES;
use rand::Rng;

use crate::error::SimulatorError;

/// Share of short jobs.
const SHORT_SHARE: f64 = 0.8;
/// Mean length of a job in steps: 0.8 · 2 + 0.2 · 12.5.
const MEAN_LENGTH: f64 = 4.1;
/// Mean demand of a job for one resource in units: (7.5 + 1.5) / 2.
const MEAN_DEMAND: f64 = 4.5;

/// A job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number by arrival.
    pub id: InvocationId,
    /// Step of its arrival.
    pub arrival: u32,
    /// Steps that it runs.
    pub length: u32,
    /// Units of each resource.
    pub demand: [u32; RESOURCES],
}

/// The jobs of an episode by arrival, and the number of steps in which jobs may arrive.
#[derive(Clone, Debug)]
pub struct JobSequence {
    jobs: Arc<[Job]>,
    steps: u32,
}

/// Mean arrivals a step at offered load `load` (1.0 is 100%) on a machine of `capacity` units of each resource.
#[must_use]
pub fn arrival_rate(load: f64, capacity: u32) -> f64 {
    load * f64::from(capacity) / (MEAN_LENGTH * MEAN_DEMAND)
}

impl JobSequence {
    /// Draws jobs for steps 1 to `steps` − 1: `rate` of them a step (at most 2), the whole part of it for certain.
    #[must_use]
    pub fn draw(rng: &mut impl Rng, rate: f64, steps: u32) -> Self {
        let certain = rate.floor();
        let mut jobs = Vec::with_capacity((rate * f64::from(steps) * 1.2) as usize + 4);
        for arrival in 1..steps {
            let extra = u32::from(rng.random::<f64>() < rate - certain);
            for _ in 0..certain as u32 + extra {
                let id = InvocationId(jobs.len() as u64);
                jobs.push(draw_job(rng, id, arrival));
            }
        }
        JobSequence { jobs: jobs.into(), steps }
    }

    /// Jobs that are given, for a machine of `capacity` units; arrivals end with step `steps` − 1.
    ///
    /// # Errors
    /// When jobs are not in the order of their arrival, arrive too late, or can never run.
    pub fn given(jobs: Vec<Job>, steps: u32, capacity: u32) -> Result<Self, SimulatorError> {
        let mut latest = 1;
        for job in &jobs {
            let fail = |message: String| SimulatorError::Job { job: job.id, message };
            if job.arrival < latest || job.arrival >= steps {
                return Err(fail(format!(
                    "arrives at step {}; jobs are listed by arrival, from step 1 to {}",
                    job.arrival,
                    steps.saturating_sub(1)
                )));
            }
            if job.length == 0 || job.demand.iter().any(|&units| units > capacity) {
                return Err(fail(format!(
                    "length {} and demand {:?}: a length is at least 1, a demand at most {capacity}",
                    job.length, job.demand
                )));
            }
            latest = job.arrival;
        }
        Ok(JobSequence { jobs: jobs.into(), steps })
    }

    /// The jobs by arrival.
    #[must_use]
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Steps of the episode's arrivals: the last job may come at step `steps` − 1.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.steps
    }
}

fn draw_job(rng: &mut impl Rng, id: InvocationId, arrival: u32) -> Job {
    let length =
        if rng.random::<f64>() < SHORT_SHARE { rng.random_range(1..=3) } else { rng.random_range(10..=15) };
    let dominant = usize::from(rng.random::<bool>());
    let mut demand = [0; RESOURCES];
    demand[dominant] = rng.random_range(5..=10);
    demand[1 - dominant] = rng.random_range(1..=2);
    Job { id, arrival, length, demand }
}

#[cfg(test)]
mod tests {
    use common::{RunSeed, Stream};

    use super::*;

    #[test]
    fn the_drawn_work_is_the_offered_load() {
        for load in [0.3, 1.3, 1.845, 2.5] {
            let steps = 200_000;
            let mut rng = RunSeed(3).rng(Stream::Arrivals, 0);
            let sequence = JobSequence::draw(&mut rng, arrival_rate(load, 10), steps);
            let work: u32 = sequence.jobs().iter().map(|job| job.length * job.demand[0]).sum();
            let measured = f64::from(work) / (10.0 * f64::from(steps));
            assert!((measured / load - 1.0).abs() < 0.02, "{measured} for {load}");
        }
    }

    #[test]
    fn impossible_jobs_are_refused() {
        let job = Job { id: InvocationId(4), arrival: 3, length: 2, demand: [11, 1] };
        let error = JobSequence::given(vec![job], 10, 10).unwrap_err();
        assert!(error.to_string().starts_with("job 4: "), "{error}");
        let late = Job { arrival: 10, demand: [1, 1], ..job };
        assert!(JobSequence::given(vec![late], 10, 10).is_err());
    }
}
