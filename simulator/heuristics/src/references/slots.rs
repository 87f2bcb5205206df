//! Clairvoyant insertion: a reference that knows every job in advance. It is no lower bound and no scheduler.

use common::slots::RESOURCES;

use engine::slots::JobSequence;

/// Start step of each job (by its number) when all jobs are known: taken by (length, arrival), each is booked at the
/// earliest step from its arrival on at which it fits for its whole length; without slots and backlog.
#[must_use]
pub fn slots_insertion(sequence: &JobSequence, capacity: u32) -> Vec<u32> {
    let jobs = sequence.jobs();
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&place| (jobs[place].length, jobs[place].arrival, place));
    let horizon = sequence.steps() as usize + jobs.iter().map(|job| job.length as usize).sum::<usize>();
    let mut used = vec![[0_u32; RESOURCES]; horizon + 1];
    let mut starts = vec![0; jobs.len()];
    for place in order {
        let job = &jobs[place];
        let length = job.length as usize;
        let mut start = job.arrival as usize;
        // The last step of the window that is too full sends the search behind it.
        while let Some(full) = (start..start + length).rev().find(|&step| {
            (0..RESOURCES).any(|resource| used[step][resource] + job.demand[resource] > capacity)
        }) {
            start = full + 1;
        }
        for step in &mut used[start..start + length] {
            for (units, need) in step.iter_mut().zip(job.demand) {
                *units += need;
            }
        }
        starts[place] = start as u32;
    }
    starts
}
