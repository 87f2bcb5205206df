//! Scenario `slots`: one machine with two resources, time in steps, a few visible slots and a backlog (that of `DeepRM`,
//! Mao et al., `HotNets` 2016).
//!
//! A decision starts one visible job that fits now, with time frozen, or waits one step. The reward of a step is
//! −Σ 1/length over the jobs in the system after it, so that the undiscounted sum over an episode is −Σ slowdown; a
//! dropped job charges `drop_penalty` at once, so that no policy gains by dropping.

mod jobs;
mod machine;
mod view;

pub use jobs::{Job, JobSequence};
pub use machine::{SlotsOutcome, SlotsSimulation};
pub use view::{SlotsView, WaitingJob};
