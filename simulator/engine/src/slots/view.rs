//! What a scheduler sees of `slots`.

use common::ids::InvocationId;
use common::slots::{ARRIVAL_MEMORY, PROFILE, RESOURCES, RunningJob, SlotsObservation, VisibleJob};

use super::jobs::Job;
use super::machine::SlotsSimulation;

/// A job in a visible slot, as a rule needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaitingJob {
    /// Its number; numbers rise with arrival.
    pub id: InvocationId,
    /// Number of its slot.
    pub slot: u32,
    /// Duration, steps.
    pub length: u32,
    /// Units of each resource that the job holds while it runs.
    pub demand: [u32; RESOURCES],
    /// Number of steps since its arrival.
    pub waited: u32,
    /// Whether it fits now.
    pub fits: bool,
}

/// What a scheduler may read of an episode at a decision.
#[derive(Clone, Copy)]
pub struct SlotsView<'a> {
    simulation: &'a SlotsSimulation,
}

impl SlotsSimulation {
    /// See [`crate::Simulation::view`].
    #[must_use]
    pub fn view(&self) -> SlotsView<'_> {
        SlotsView { simulation: self }
    }
}

impl<'a> SlotsView<'a> {
    /// Jobs in the visible slots, lowest slot first.
    pub fn waiting(&self) -> impl Iterator<Item = WaitingJob> + 'a {
        let simulation = self.simulation;
        simulation.slots.iter().enumerate().filter_map(move |(slot, place)| {
            let job = simulation.job((*place)?);
            Some(WaitingJob {
                id: job.id,
                slot: slot as u32,
                length: job.length,
                demand: job.demand,
                waited: simulation.now - job.arrival,
                fits: simulation.fits(job),
            })
        })
    }

    /// Free units of each resource now.
    #[must_use]
    pub fn free(&self) -> [u32; RESOURCES] {
        self.simulation.free
    }

    /// Units of each resource of the whole machine.
    #[must_use]
    pub fn capacity(&self) -> [u32; RESOURCES] {
        [self.simulation.capacity; RESOURCES]
    }

    /// Jobs that run, by start.
    pub fn running(&self) -> impl Iterator<Item = RunningJob> + 'a {
        let simulation = self.simulation;
        simulation.running.iter().map(|running| {
            let job = simulation.job(running.job);
            let remaining = running.ends - simulation.now;
            RunningJob { id: job.id, length: job.length, demand: job.demand, remaining }
        })
    }

    /// Whether a learnt policy may wait: false when nothing runs and nothing has arrived for [`ARRIVAL_MEMORY`] steps.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        self.simulation.may_wait()
    }

    /// Privileged: whether the last step in which a job may arrive has come. No policy may see it; `tetris_hold` does, to
    /// show what knowing the horizon is worth.
    #[must_use]
    pub fn horizon_reached(&self) -> bool {
        self.simulation.horizon_reached()
    }

    /// Everything that a policy may see.
    #[must_use]
    pub fn observation(&self) -> SlotsObservation {
        let mut observation = SlotsObservation::default();
        self.observe(&mut observation);
        observation
    }

    /// [`SlotsView::observation`] into memory that is used again.
    pub fn observe(&self, out: &mut SlotsObservation) {
        let simulation = self.simulation;
        out.running.clear();
        out.running.extend(self.running());
        out.capacity = self.capacity();
        out.free = profile(simulation.capacity, &out.running);
        out.visible.clear();
        out.visible.extend(simulation.slots.iter().enumerate().filter_map(|(slot, place)| {
            let job = simulation.job((*place)?);
            Some(VisibleJob {
                id: job.id,
                slot: slot as u32,
                length: job.length,
                demand: job.demand,
                waited: simulation.now - job.arrival,
                earliest_fit: earliest_fit(job, simulation.free, &out.running),
                held: simulation.held_steps((*place)?),
            })
        }));
        out.backlog = simulation.backlog.len() as u32;
        out.since_last_arrival = (simulation.now - simulation.last_arrival).min(ARRIVAL_MEMORY);
        out.recent_arrivals = simulation.arrivals_within(ARRIVAL_MEMORY);
        out.may_wait = simulation.may_wait();
    }
}

/// Units free at each of the next steps.
fn profile(capacity: u32, running: &[RunningJob]) -> [[u32; PROFILE]; RESOURCES] {
    let mut free = [[capacity; PROFILE]; RESOURCES];
    for job in running {
        for (row, units) in free.iter_mut().zip(job.demand) {
            for place in row.iter_mut().take(job.remaining as usize) {
                *place -= units;
            }
        }
    }
    free
}

/// Steps until `job` fits, if nothing else is started: use only falls, so one fitting moment is enough.
fn earliest_fit(job: &Job, free: [u32; RESOURCES], running: &[RunningJob]) -> u32 {
    let fits_after = |steps: u32| {
        (0..RESOURCES).all(|resource| {
            let freed: u32 = running
                .iter()
                .filter(|running| running.remaining <= steps)
                .map(|running| running.demand[resource])
                .sum();
            job.demand[resource] <= free[resource] + freed
        })
    };
    if fits_after(0) {
        return 0;
    }
    let ends = running.iter().map(|running| running.remaining);
    ends.filter(|&steps| fits_after(steps)).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use common::{Action, ids::NodeId};
    use configuration::SlotsConfig;

    use super::super::{Job, JobSequence, SlotsSimulation};
    use super::*;

    #[test]
    fn an_observation_shows_profile_and_earliest_fit() {
        let job = |id, length, demand| Job { id: InvocationId(id), arrival: 1, length, demand };
        let jobs = vec![job(0, 3, [6, 1]), job(1, 12, [4, 2]), job(2, 1, [7, 1])];
        let sequence = JobSequence::given(jobs, 50, 10).unwrap();
        let mut simulation = SlotsSimulation::new(&SlotsConfig::default(), sequence, 1.0);
        while simulation.tick().is_none() {}
        for id in 0..2 {
            let invocation = InvocationId(id);
            simulation.apply(Action::Start { invocation, memory_mb: 0, node: NodeId(0) }).unwrap();
        }
        let seen = simulation.view().observation();
        assert_eq!(seen.free[0][..4], [0, 0, 0, 6]);
        assert_eq!(seen.free[1][2..4], [7, 8]);
        assert_eq!(seen.free[0][12], 10);
        assert_eq!(seen.visible.len(), 1);
        assert_eq!(seen.visible[0].earliest_fit, 12);
        assert_eq!((seen.recent_arrivals, seen.since_last_arrival), (3, 0));
    }
}
