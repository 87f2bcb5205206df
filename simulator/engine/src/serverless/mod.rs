//! Scenario `serverless`: a cluster of worker nodes running functions, in continuous time.
//!
//! Invocations arrive (some as stages of workflows) and wait until a scheduler starts them on a node, in a warm container
//! where one is idle, else in a new one after a cold start. Memory is never over-allocated; CPU and bandwidth are shared
//! fairly where they are. The reward is −∫ Σ `1/T_ref` over the jobs in the system.
//!
//! Where to look: `simulation` moves time, `lifecycle` and `pools` are what happens, `execution` and `phase` how work gets
//! done, `decisions` applies a scheduler's answers, `containers` tracks memory, `workload` and `arrivals` say which invocations
//! come, `ledger` counts the outcome. Memory follows what is in the system, not how much has passed through it.

mod arrivals;
mod commitments;
mod containers;
mod decisions;
mod distribution;
mod due_tree;
mod estimates;
mod events;
mod execution;
mod expiries;
mod failures;
mod function;
mod jobs;
mod late_binding;
mod ledger;
mod lifecycle;
mod log_hash;
mod max_tree;
mod meters;
mod node;
mod offered;
mod outcome;
mod pending;
mod phase;
mod places;
mod pools;
mod question;
mod rules;
mod seen;
mod simulation;
mod source;
mod specs;
mod starting;
mod view;
mod waiting;
mod warm;
mod workflows;
mod workload;

pub use arrivals::{ArrivalProcess, ArrivalStream, Coming, NextArrival};
pub use commitments::Reservation;
pub use distribution::Distribution;
pub use function::{InputScaled, MemoryShares, PercentileCurve, SHORTEST, Work, WorkLaw};
pub use ledger::SLOWDOWN_FLOOR;
pub use offered::{Offered, OfferedJob};
pub use outcome::{
    FunctionOutcome, RESOURCES, Resource, SLO_FACTORS, ServerlessOutcome, Usage, WorkflowOutcome,
};
pub use places::{container_place, invocation_place};
pub use question::Question;
pub use rules::EpisodeRules;
pub use seen::{BusyContainer, IdleContainer, InputData, Line, NodeState, PendingInvocation, Placement};
pub use simulation::{Fallback, ServerlessSimulation};
pub use source::{FunctionDescription, Part, Span, WorkloadSource};
pub use view::ServerlessView;
pub use workload::{Drawn, EpisodeArrivals, EpisodeSource, Workload, tier};
