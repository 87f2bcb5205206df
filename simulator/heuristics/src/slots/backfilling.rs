//! Backfilling: the first jobs by score that do not fit have their place on the machine reserved, and what is started may not
//! delay them. With one reservation this is EASY backfilling (Lifka 1995), with one for every job conservative backfilling
//! (Mu'alem and Feitelson 2001). Lengths are known here, so reservations are exact.

use common::slots::RESOURCES;
use engine::slots::{SlotsView, WaitingJob};

/// Free units of each resource in each of the next steps; after the last of them everything is free.
struct Profile {
    capacity: [u32; RESOURCES],
    free: Vec<[u32; RESOURCES]>,
}

impl Profile {
    /// What the running jobs leave free.
    fn of(view: &SlotsView<'_>) -> Self {
        let mut profile = Profile { capacity: view.capacity(), free: Vec::new() };
        view.running().for_each(|job| profile.take(0, job.remaining, job.demand));
        profile
    }

    fn at(&self, step: u32) -> [u32; RESOURCES] {
        self.free.get(step as usize).copied().unwrap_or(self.capacity)
    }

    fn take(&mut self, start: u32, length: u32, demand: [u32; RESOURCES]) {
        let end = (start + length) as usize;
        if self.free.len() < end {
            self.free.resize(end, self.capacity);
        }
        for free in &mut self.free[start as usize..end] {
            free.iter_mut().zip(demand).for_each(|(free, units)| *free -= units);
        }
    }

    fn fits(&self, start: u32, job: &WaitingJob) -> bool {
        let fits_at = |step: u32| self.at(step).iter().zip(job.demand).all(|(free, units)| units <= *free);
        (start..start + job.length).all(fits_at)
    }

    /// The first step from which the job fits for its whole length.
    fn earliest(&self, job: &WaitingJob) -> u32 {
        let last = self.free.len() as u32;
        (0..last).find(|&start| self.fits(start, job)).unwrap_or(last)
    }
}

/// The first job by rank that fits now beside the reservations of at most `most` jobs before it; `jobs` are in the order of
/// their ranks.
pub(super) fn first_beside_reservations(
    view: &SlotsView<'_>,
    jobs: &[WaitingJob],
    most: usize,
) -> Option<WaitingJob> {
    let mut profile = Profile::of(view);
    let mut reserved = 0;
    for job in jobs {
        if profile.fits(0, job) {
            return Some(*job);
        }
        if reserved < most {
            profile.take(profile.earliest(job), job.length, job.demand);
            reserved += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use common::ids::InvocationId;
    use common::trajectory::Scenario;
    use configuration::SlotsConfig;
    use engine::slots::{Job, JobSequence, SlotsSimulation};
    use engine::{DecisionRequest, Progress, Simulation};

    use crate::heuristic;

    /// Start steps of jobs (length, demand) that all arrive at step 1 on a machine of 10 and 10 units.
    fn starts(rule: &str, jobs: &[(u32, u32)]) -> Vec<u32> {
        let job = |(id, &(length, units)): (usize, &(u32, u32))| Job {
            id: InvocationId(id as u64),
            arrival: 1,
            length,
            demand: [units, 1],
        };
        let sequence = JobSequence::given(jobs.iter().enumerate().map(job).collect(), 100, 10).unwrap();
        let mut simulation =
            Simulation::Slots(Box::new(SlotsSimulation::new(&SlotsConfig::default(), sequence, 1.0)));
        let mut scheduler = heuristic(rule, Scenario::Slots).unwrap();
        let mut actions = Vec::new();
        while simulation.advance() == Progress::Decision {
            actions.clear();
            let request = DecisionRequest { environment: 0, view: simulation.view() };
            scheduler.decide(&[request], &mut actions).unwrap();
            simulation.apply(actions[0]).unwrap();
        }
        simulation.as_slots().unwrap().outcome().starts.iter().map(|start| start.unwrap()).collect()
    }

    #[test]
    fn what_would_delay_a_reserved_job_waits() {
        // The first takes 6 units for 5 steps; the second needs 8 and so waits for it.
        let with = |length, units| [(5, 6), (4, 8), (length, units)];
        assert_eq!(starts("fcfs_skip", &with(20, 4)), [1, 21, 1], "without a reservation it starves");
        assert_eq!(starts("fcfs_skip+reserve", &with(20, 4)), [1, 6, 10]);
        assert_eq!(starts("fcfs_skip+reserve", &with(5, 4)), [1, 6, 1], "it ends in time");
        assert_eq!(starts("fcfs_skip+reserve", &with(20, 2)), [1, 6, 1], "it fits beside both");
        // A rule that ranks the short one higher lets it go first.
        assert_eq!(starts("sjf+reserve", &[(5, 6), (8, 8), (7, 4)]), [1, 8, 1]);
    }

    #[test]
    fn several_reservations_hold_in_turn() {
        // The third needs 9, after the second; the fourth would end after the second starts and before the third may.
        let jobs = [(5, 6), (4, 8), (3, 9), (12, 2)];
        assert_eq!(starts("fcfs_skip+reserve", &jobs), [1, 6, 13, 1], "the second reservation is missing");
        assert_eq!(starts("fcfs_skip+reserve_2", &jobs), [1, 6, 10, 13]);
    }
}
