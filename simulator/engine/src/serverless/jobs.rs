//! Invocations in the system. They lie in places that are used again, so memory follows how many there are at once, not
//! how many ever came.

use common::SimTime;
use common::ids::InvocationId;

use super::function::Work;
use super::ledger::Weights;
use super::places::{id_at, invocation_place};

/// An invocation in the system.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub id: InvocationId,
    pub arrived: SimTime,
    pub function: u32,
    /// Place of its workflow run and its stage, where it is part of one.
    pub stage: Option<(u32, u32)>,
    pub work: Work,
    /// Reference duration, data from earlier stages included, seconds.
    pub reference: f64,
    pub cold_draw: f32,
    pub weights: Weights,
    /// Waited for a cold start.
    pub cold: bool,
    /// Starts so far.
    pub attempts: u32,
    present: bool,
}

/// What a new job is made of.
pub(super) struct NewJob {
    pub arrived: SimTime,
    pub function: u32,
    pub stage: Option<(u32, u32)>,
    pub work: Work,
    pub reference: f64,
    pub cold_draw: f32,
    pub weights: Weights,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    places: Vec<Job>,
    free: Vec<u32>,
    arrived: u64,
}

impl Jobs {
    /// Takes one in and tells its place.
    pub fn insert(&mut self, new: NewJob) -> u32 {
        let place = self.free.pop().unwrap_or(self.places.len() as u32);
        let job = Job {
            id: InvocationId(id_at(self.arrived, place)),
            arrived: new.arrived,
            function: new.function,
            stage: new.stage,
            work: new.work,
            reference: new.reference,
            cold_draw: new.cold_draw,
            weights: new.weights,
            cold: false,
            attempts: 0,
            present: true,
        };
        self.arrived += 1;
        match self.places.get_mut(place as usize) {
            Some(free) => *free = job,
            None => self.places.push(job),
        }
        place
    }

    #[inline]
    pub fn get(&self, place: u32) -> &Job {
        &self.places[place as usize]
    }

    pub fn get_mut(&mut self, place: u32) -> &mut Job {
        &mut self.places[place as usize]
    }

    /// Where an id lies, while it is in the system.
    #[inline]
    pub fn find(&self, id: InvocationId) -> Option<u32> {
        let place = invocation_place(id);
        let job = self.places.get(place)?;
        (job.present && job.id == id).then_some(place as u32)
    }

    /// Takes one out.
    pub fn remove(&mut self, place: u32) -> Job {
        let job = &mut self.places[place as usize];
        job.present = false;
        self.free.push(place);
        *job
    }

    /// Jobs that came so far.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Jobs in the system.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Places of all in the system, in the order in which they came.
    pub fn in_order(&self) -> Vec<u32> {
        let mut present: Vec<u32> =
            (0..self.places.len() as u32).filter(|&place| self.get(place).present).collect();
        present.sort_by_key(|&place| self.get(place).id);
        present
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(function: u32) -> NewJob {
        NewJob {
            arrived: SimTime::ZERO,
            function,
            stage: None,
            work: Work::default(),
            reference: 1.0,
            cold_draw: 0.0,
            weights: Weights::default(),
        }
    }

    #[test]
    fn places_are_used_again_and_ids_are_not() {
        let mut jobs = Jobs::default();
        let first = jobs.insert(job(1));
        let id = jobs.get(first).id;
        jobs.remove(first);
        assert_eq!(jobs.find(id), None);
        let second = jobs.insert(job(2));
        assert_eq!(first, second);
        assert!(jobs.get(second).id > id);
        assert_eq!(jobs.find(jobs.get(second).id), Some(second));
        assert_eq!((jobs.len(), jobs.arrived()), (1, 2));
    }
}
