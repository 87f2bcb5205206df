//! The cluster as a discrete-event simulation, in two scenarios (`slots` and `serverless`), with its workloads, its
//! reward, the [`Scheduler`] trait and the heuristics that implement it.
//!
//! A simulation is a pure function of configuration, seed and decisions: it reads no clock, opens no socket and knows
//! no tensor.

mod episodes;
mod error;
pub mod heuristics;
mod scheduler;
pub mod serverless;
mod simulation;
pub mod slots;

pub use episodes::Episodes;
pub use error::{ActionError, SchedulerError, SimulatorError};
pub use heuristics::{UnknownScheduler, canonical_name, heuristic};
pub use scheduler::{ClusterView, DecisionRequest, Interests, Scheduler};
pub use simulation::{Progress, Simulation};
