//! What is kept of an episode that ended.

use engine::Simulation;
use engine::slots::{Job, SlotsSimulation};
use heuristics::references::slots_insertion;

use crate::metrics::{figures, sums};
use crate::record::PARTS;

/// What an episode came to.
pub(crate) struct Summary {
    pub figures: Vec<f64>,
    pub sums: Vec<f64>,
    pub slowdowns: Vec<(f64, u64)>,
}

/// Figures, sums and slowdowns of an episode.
pub(crate) fn summary(simulation: &Simulation) -> Summary {
    match simulation {
        Simulation::Slots(slots) => {
            let outcome = slots.outcome();
            of_slots(outcome.slowdown_sum, outcome.finished, outcome.dropped.len() as u64)
        }
        Simulation::Serverless(serverless) => {
            let outcome = serverless.outcome();
            Summary {
                figures: figures(&outcome).to_vec(),
                sums: sums(&outcome).to_vec(),
                slowdowns: outcome.slowdowns.buckets(PARTS).collect(),
            }
        }
    }
}

fn of_slots(slowdown_sum: f64, finished: u64, dropped: u64) -> Summary {
    let mean = slowdown_sum / finished as f64;
    let share = dropped as f64 / (finished + dropped).max(1) as f64;
    Summary {
        figures: vec![mean, share],
        sums: vec![slowdown_sum, finished as f64, dropped as f64],
        slowdowns: Vec::new(),
    }
}

/// The same for the clairvoyant insertion of its jobs.
pub(crate) fn inserted_slots(slots: &SlotsSimulation) -> Summary {
    let jobs = slots.sequence().jobs();
    let starts = slots_insertion(slots.sequence(), slots.capacity());
    let slowdown =
        |(job, start): (&Job, u32)| f64::from(start + job.length - job.arrival) / f64::from(job.length);
    of_slots(jobs.iter().zip(starts).map(slowdown).sum(), jobs.len() as u64, 0)
}
