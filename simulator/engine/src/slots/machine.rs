//! The machine: slots, backlog, what runs, and the clock.

use std::collections::VecDeque;

use common::ids::InvocationId;
use common::reward::Reward;
use common::slots::{ARRIVAL_MEMORY, RESOURCES};
use common::{Action, Arrived, Patience, SimTime};
use configuration::SlotsConfig;

use super::jobs::{Job, JobSequence};
use crate::error::ActionError;
use crate::progress::Progress;

/// Steps without a running job or an arrival after which *wait* is refused.
const LONGEST_IDLE_WAIT: u32 = 10_000;

/// A job that runs, as the machine keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub job: u32,
    pub ends: u32,
}

/// What an episode came to so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SlotsOutcome {
    /// Start step of each job by its number; `None` for one that waits, was dropped or has not arrived.
    pub starts: Vec<Option<u32>>,
    /// Dropped jobs, in the order of their arrival.
    pub dropped: Vec<InvocationId>,
    /// Number of jobs that finished.
    pub finished: u64,
    /// Sum over these jobs of the slowdown (finish − arrival) / length.
    pub slowdown_sum: f64,
}

/// One episode of `slots`.
#[derive(Clone)]
pub struct SlotsSimulation {
    pub(super) sequence: JobSequence,
    pub(super) capacity: u32,
    backlog_places: usize,
    drop_penalty: f64,
    load: f64,
    pub(super) now: u32,
    /// Place in the sequence of the next job to arrive.
    next: usize,
    /// Jobs in the visible slots, as places in the sequence.
    pub(super) slots: Vec<Option<u32>>,
    pub(super) backlog: VecDeque<u32>,
    /// Jobs that are held back, as places in the sequence, and the step at which that ends.
    pub(super) held: Vec<(u32, u32)>,
    /// By start. What runs was started at some past `now`, so use never rises with time: a job that fits now fits for
    /// its whole length.
    pub(super) running: Vec<Running>,
    pub(super) free: [u32; RESOURCES],
    /// Σ 1/length over the jobs in the system.
    inverse_lengths: f64,
    in_system: usize,
    pub(super) last_arrival: u32,
    arrived: Arrived,
    reward: f64,
    outcome: SlotsOutcome,
}

impl SlotsSimulation {
    /// An episode over `sequence` at step 0; `load` is what it was drawn for, for statistics.
    #[must_use]
    pub fn new(config: &SlotsConfig, sequence: JobSequence, load: f64) -> Self {
        let jobs = sequence.jobs().len();
        SlotsSimulation {
            capacity: config.capacity,
            backlog_places: config.backlog as usize,
            drop_penalty: config.drop_penalty,
            load,
            now: 0,
            next: 0,
            slots: vec![None; config.visible as usize],
            backlog: VecDeque::with_capacity(config.backlog as usize),
            held: Vec::new(),
            running: Vec::with_capacity(RESOURCES * config.capacity as usize),
            free: [config.capacity; RESOURCES],
            inverse_lengths: 0.0,
            in_system: 0,
            last_arrival: 0,
            arrived: Arrived::default(),
            reward: 0.0,
            outcome: SlotsOutcome { starts: vec![None; jobs], ..SlotsOutcome::default() },
            sequence,
        }
    }

    /// See [`crate::Simulation::tick`].
    pub fn tick(&mut self) -> Option<Progress> {
        if self.any_fits() {
            return Some(Progress::Decision);
        }
        if self.is_over() {
            return Some(Progress::Finished);
        }
        self.step();
        None
    }

    /// See [`crate::Simulation::apply`].
    ///
    /// # Errors
    /// When the job is not visible, does not fit or is held for no time, or when waiting would never end.
    pub fn apply(&mut self, action: Action) -> Result<(), ActionError> {
        match action {
            Action::Wait if self.is_over() => Err(ActionError::NoDecisionDue),
            Action::Wait | Action::Hold { .. } if self.waits_for_ever() => Err(ActionError::MayNotWait),
            Action::Wait => {
                self.step();
                Ok(())
            }
            Action::Start { invocation, .. } => self.start(invocation),
            Action::Hold { invocation, patience: Patience::For(time) } => self.hold(invocation, time),
            _ => Err(ActionError::NotAsked),
        }
    }

    /// See [`crate::Simulation::take_reward`].
    pub fn take_reward(&mut self) -> Reward {
        let latency = std::mem::take(&mut self.reward) as f32;
        Reward { latency, ..Reward::default() }
    }

    /// See [`crate::Simulation::urgency`].
    #[must_use]
    pub fn urgency(&self) -> f64 {
        self.inverse_lengths
    }

    /// See [`crate::Simulation::arrived`].
    #[must_use]
    pub fn arrived(&self) -> Arrived {
        self.arrived
    }

    /// Simulated time; a step is a second.
    #[must_use]
    pub fn now(&self) -> SimTime {
        SimTime(u64::from(self.now) * SimTime::SECOND.0)
    }

    /// Offered load; 1.0 is 100%.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.load
    }

    /// What the episode came to so far.
    #[must_use]
    pub fn outcome(&self) -> &SlotsOutcome {
        &self.outcome
    }

    /// The jobs of the episode.
    #[must_use]
    pub fn sequence(&self) -> &JobSequence {
        &self.sequence
    }

    /// Units of each resource that the machine has.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Number of steps since the start of the episode.
    #[must_use]
    pub fn step_number(&self) -> u32 {
        self.now
    }

    /// The mask that learnt policies obey: waiting is senseless when nothing runs and nothing has come for long.
    /// A rule that holds a job for a stated time may wait beyond it.
    pub(super) fn may_wait(&self) -> bool {
        !self.running.is_empty() || self.now - self.last_arrival < ARRIVAL_MEMORY
    }

    /// Whether nothing has run and nothing has come for [`LONGEST_IDLE_WAIT`] steps: such an episode would never end.
    fn waits_for_ever(&self) -> bool {
        self.running.is_empty() && self.now - self.last_arrival >= LONGEST_IDLE_WAIT
    }

    /// Whether the last step in which a job may arrive has come. A truth that no policy may see.
    pub(super) fn horizon_reached(&self) -> bool {
        self.now + 1 >= self.sequence.steps()
    }

    pub(super) fn job(&self, place: u32) -> &Job {
        &self.sequence.jobs()[place as usize]
    }

    pub(super) fn fits(&self, job: &Job) -> bool {
        job.demand.iter().zip(&self.free).all(|(need, free)| need <= free)
    }

    /// Jobs that arrived in the last `steps` steps, this one included.
    pub(super) fn arrivals_within(&self, steps: u32) -> u32 {
        let arrived = &self.sequence.jobs()[..self.next];
        arrived.iter().rev().take_while(|job| self.now - job.arrival < steps).count() as u32
    }

    fn any_fits(&self) -> bool {
        self.slots.iter().flatten().any(|&place| self.fits(self.job(place)) && self.held_steps(place) == 0)
    }

    fn is_over(&self) -> bool {
        self.in_system == 0 && self.next == self.sequence.jobs().len()
    }

    /// The slot of a visible job, and the job's place in the sequence.
    fn visible(&self, id: InvocationId) -> Result<(usize, u32), ActionError> {
        let mut slots = self.slots.iter().enumerate().filter_map(|(slot, place)| Some((slot, (*place)?)));
        slots.find(|&(_, place)| self.job(place).id == id).ok_or(ActionError::NotPending(id))
    }

    /// Leaves a visible job out for `time`, rounded up to whole steps.
    fn hold(&mut self, id: InvocationId, time: SimTime) -> Result<(), ActionError> {
        let (_, place) = self.visible(id)?;
        let steps = time.0.div_ceil(SimTime::SECOND.0).min(u64::from(LONGEST_IDLE_WAIT)) as u32;
        if steps == 0 {
            return Err(ActionError::NothingToAwait(id));
        }
        self.held.retain(|(held, _)| *held != place);
        self.held.push((place, self.now + steps));
        Ok(())
    }

    /// Steps for which a job is still held back; 0: it is not.
    pub(super) fn held_steps(&self, place: u32) -> u32 {
        let held = self.held.iter().find(|(held, _)| *held == place);
        held.map_or(0, |(_, until)| until - self.now)
    }

    fn start(&mut self, id: InvocationId) -> Result<(), ActionError> {
        let (slot, place) = self.visible(id)?;
        let job = *self.job(place);
        if !self.fits(&job) {
            return Err(ActionError::DoesNotFit(id));
        }
        for (free, need) in self.free.iter_mut().zip(job.demand) {
            *free -= need;
        }
        self.held.retain(|(held, _)| *held != place);
        self.running.push(Running { job: place, ends: self.now + job.length });
        self.outcome.starts[place as usize] = Some(self.now);
        self.slots[slot] = self.backlog.pop_front();
        Ok(())
    }

    /// One step of time: finished jobs leave, new ones enter, then the reward is charged.
    fn step(&mut self) {
        self.now += 1;
        self.held.retain(|(_, until)| *until > self.now);
        self.release_finished();
        while self.next < self.sequence.jobs().len() && self.job(self.next as u32).arrival <= self.now {
            self.admit(self.next as u32);
            self.next += 1;
        }
        if self.in_system == 0 {
            // Rounding errors of the running sum end here.
            self.inverse_lengths = 0.0;
        }
        self.reward -= self.inverse_lengths;
    }

    fn release_finished(&mut self) {
        let mut kept = 0;
        for place in 0..self.running.len() {
            let running = self.running[place];
            if running.ends > self.now {
                self.running[kept] = running;
                kept += 1;
                continue;
            }
            let job = *self.job(running.job);
            for (free, used) in self.free.iter_mut().zip(job.demand) {
                *free += used;
            }
            let length = f64::from(job.length);
            self.in_system -= 1;
            self.inverse_lengths -= 1.0 / length;
            self.outcome.finished += 1;
            self.outcome.slowdown_sum += f64::from(self.now - job.arrival) / length;
        }
        self.running.truncate(kept);
    }

    fn admit(&mut self, place: u32) {
        let job = *self.job(place);
        self.last_arrival = self.now;
        let largest = job.demand.into_iter().max().unwrap_or(0);
        self.arrived.add(f64::from(job.length), f64::from(largest) / f64::from(self.capacity));
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(place);
        } else if self.backlog.len() < self.backlog_places {
            self.backlog.push_back(place);
        } else {
            self.reward -= self.drop_penalty;
            self.outcome.dropped.push(job.id);
            return;
        }
        self.in_system += 1;
        self.inverse_lengths += 1.0 / f64::from(job.length);
    }
}
