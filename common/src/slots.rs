//! What a policy may see of the `slots` scenario (DeepRM's setting). The clock, the horizon and the future are not part of it.

use crate::ids::InvocationId;

/// Number of resources of the machine.
pub const RESOURCES: usize = 2;
/// Steps ahead that the occupancy profile shows.
pub const PROFILE: usize = 20;
/// Cap, in steps, of the time since the last arrival.
pub const ARRIVAL_MEMORY: u32 = 20;

/// A job in one of the visible slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VisibleJob {
    /// Id of the job.
    pub id: InvocationId,
    /// Index of the slot, from 0.
    pub slot: u32,
    /// Its duration in steps.
    pub length: u32,
    /// Units of each resource that it needs.
    pub demand: [u32; RESOURCES],
    /// Steps since its arrival.
    pub waited: u32,
    /// Steps from now to the earliest time at which it fits for its whole length, given what runs; 0: it fits now.
    pub earliest_fit: u32,
    /// Steps for which it is held back; 0: it is not.
    pub held: u32,
}

/// A job that runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunningJob {
    /// Id of the job.
    pub id: InvocationId,
    /// Its whole duration in steps.
    pub length: u32,
    /// Units of each resource that it needs.
    pub demand: [u32; RESOURCES],
    /// Steps until it ends.
    pub remaining: u32,
}

/// The state of `slots` at a decision, as far as a policy may see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SlotsObservation {
    /// Jobs in the visible slots, by slot.
    pub visible: Vec<VisibleJob>,
    /// Jobs that run, by start.
    pub running: Vec<RunningJob>,
    /// Units free at each of the next steps; `free[resource][0]` is now.
    pub free: [[u32; PROFILE]; RESOURCES],
    /// Units that the machine has of each resource.
    pub capacity: [u32; RESOURCES],
    /// Jobs in the backlog.
    pub backlog: u32,
    /// Steps since the last arrival, at most [`ARRIVAL_MEMORY`].
    pub since_last_arrival: u32,
    /// Arrivals in the last [`ARRIVAL_MEMORY`] steps.
    pub recent_arrivals: u32,
    /// False only when nothing runs and nothing has arrived for [`ARRIVAL_MEMORY`] steps.
    pub may_wait: bool,
}
