//! References: what a schedule could reach that knows all arrivals of an episode in advance. They show how much room is left.
//!
//! Those of `serverless` know a workload's invocations, not its workflows: when a stage comes depends on what is decided.

mod lp_bound;
mod serverless;
mod slots;

pub use lp_bound::lp_bound;
pub use serverless::serverless_insertion;
pub use slots::slots_insertion;
