//! Weights from the learner to the actors: versions are announced to all, and pulled by who is ready for the newest.

mod core;
mod endpoints;
mod publisher;

pub use core::WeightsCore;
pub use endpoints::{VersionedWeights, WeightsEndpoints};
pub use publisher::WeightsPublisher;
