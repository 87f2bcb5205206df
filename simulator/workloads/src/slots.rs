//! The jobs of `slots`, drawn from a distribution.

use common::ids::InvocationId;
use common::slots::RESOURCES;
use engine::slots::{Job, JobSequence};
use rand::Rng;

/// Share of short jobs.
const SHORT_SHARE: f64 = 0.8;
/// Mean length of a job in steps: 0.8 · 2 + 0.2 · 12.5.
const MEAN_LENGTH: f64 = 4.1;
/// Mean demand of a job for one resource in units: (7.5 + 1.5) / 2.
const MEAN_DEMAND: f64 = 4.5;

/// Mean arrivals a step at offered load `load` (1.0 is 100%) on a machine of `capacity` units of each resource.
#[must_use]
pub fn arrival_rate(load: f64, capacity: u32) -> f64 {
    load * f64::from(capacity) / (MEAN_LENGTH * MEAN_DEMAND)
}

/// Draws jobs for steps 1 to `steps` − 1: `rate` of them a step (at most 2), the whole part of it for certain.
#[must_use]
pub fn draw_jobs(rng: &mut impl Rng, rate: f64, steps: u32) -> JobSequence {
    let certain = rate.floor();
    let mut jobs = Vec::with_capacity((rate * f64::from(steps) * 1.2) as usize + 4);
    for arrival in 1..steps {
        let extra = u32::from(rng.random::<f64>() < rate - certain);
        for _ in 0..certain as u32 + extra {
            let id = InvocationId(jobs.len() as u64);
            jobs.push(draw_job(rng, id, arrival));
        }
    }
    JobSequence::new(jobs, steps)
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
            let sequence = draw_jobs(&mut rng, arrival_rate(load, 10), steps);
            let work: u32 = sequence.jobs().iter().map(|job| job.length * job.demand[0]).sum();
            let measured = f64::from(work) / (10.0 * f64::from(steps));
            assert!((measured / load - 1.0).abs() < 0.02, "{measured} for {load}");
        }
    }
}
