//! Scenario `serverless`: a cluster of worker nodes running functions, in continuous time.
//!
//! Invocations arrive (some as stages of workflows) and wait until a scheduler starts them on a node, in a warm container
//! where one is idle, else in a new one after a cold start. Memory is never over-allocated; CPU and bandwidth are shared
//! fairly where they are. The reward is −∫ Σ 1/T_ref over the jobs in the system.
//!
//! Where to look: `simulation` moves time, `lifecycle` and `pools` are what happens, `engine` and `phase` how work gets
//! done, `decisions` what a scheduler says, `containers` who holds memory, `arrivals` and `workloads` who comes, `ledger` what it came to. Memory follows what
//! is in the system, not how much has passed through it.

mod arrivals;
mod containers;
mod decisions;
mod distribution;
mod due_tree;
mod engine;
mod estimates;
mod events;
mod expiries;
mod failures;
mod function;
mod jobs;
mod ledger;
mod lifecycle;
mod log_hash;
mod max_tree;
mod meters;
mod outcome;
mod pending;
mod phase;
mod pools;
pub mod references;
mod rules;
mod seen;
mod simulation;
mod specs;
pub mod trace;
mod view;
mod waiting;
mod warm;
mod workflows;
mod workload;
mod workloads;

pub use arrivals::{ArrivalProcess, NextArrival};
pub use distribution::Distribution;
pub(crate) use failures::Failures;
pub use function::{InputScaled, MemoryShares, PercentileCurve, Work, WorkLaw};
pub use outcome::{
    FunctionOutcome, RESOURCES, Resource, SLO_FACTORS, ServerlessOutcome, Usage, WorkflowOutcome,
};
pub use rules::{EpisodeRules, Question};
pub use seen::{IdleContainer, InputData, NodeState, PendingGroup, PendingInvocation, Placement};
pub use simulation::ServerlessSimulation;
pub use view::ServerlessView;
pub(crate) use workload::EpisodeSource;
pub use workload::Workload;
pub use workloads::{FunctionDescription, Part, Span, WorkloadSource};
