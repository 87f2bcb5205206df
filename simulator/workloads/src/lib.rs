//! The work that is simulated: recorded traces, synthetic generators of invocations and jobs, and the [`Episodes`] that a configuration
//! makes of them.

mod azure2019;
mod azure2021;
mod bursty;
mod episodes;
mod error;
mod measured;
mod mixed;
mod mixture;
mod periodic;
mod poisson;
mod recorded;
mod slots;
mod steady;
mod synthetic;
pub mod trace;
mod workflow;
mod workload;

pub use episodes::Episodes;
pub use error::WorkloadError;
pub use workload::serverless_workload;
