//! Scenario `serverless`: a cluster of worker nodes running functions, in continuous time.
//!
//! Invocations arrive and wait until a scheduler starts them on a node, in a warm container where one is idle, else in a
//! new one after a cold start. Memory is never over-allocated; CPU and bandwidth are shared fairly where they are. The
//! reward is −∫ Σ 1/T_ref over the jobs in the system. Not here: workflows, pre-warming, node failures.

mod arrivals;
mod containers;
mod distribution;
mod engine;
mod estimates;
mod events;
mod function;
mod ledger;
mod lifecycle;
mod meters;
mod outcome;
mod pending;
mod phase;
mod simulation;
mod specs;
mod steady;
mod trace;
mod view;
mod workload;

pub use arrivals::{Arrival, Window};
pub use distribution::Distribution;
pub use function::{MemoryShares, Work};
pub use outcome::{FunctionOutcome, RESOURCES, Resource, SLO_FACTORS, ServerlessOutcome, Usage};
pub use simulation::{EpisodeRules, ServerlessSimulation};
pub use trace::TraceError;
pub use view::{NodeState, PendingGroup, PendingInvocation, Placement, ServerlessView};
pub use workload::{Part, Workload};
