//! The cluster as a discrete-event simulation, in two scenarios (`slots` and `serverless`), and the trait
//! [`Scheduler`], the interface of all that decide. Workloads and rules are crates of their own on top of it.
//!
//! A simulation is a pure function of configuration, seed and decisions: it reads no clock, opens no socket and knows
//! no tensor.

mod error;
mod interests;
mod progress;
mod scheduler;
pub mod serverless;
mod simulation;
pub mod slots;

pub use error::{ActionError, SchedulerError, SetUpError};
pub use interests::Interests;
pub use progress::Progress;
pub use scheduler::{ClusterView, DecisionRequest, Scheduler};
pub use simulation::Simulation;
