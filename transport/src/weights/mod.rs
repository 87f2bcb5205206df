//! Weights from the learner to the actors: versions are announced to all; an actor pulls the newest when it is ready.

mod core;
mod endpoints;
mod publisher;

pub use core::WeightsCore;
pub use endpoints::{VersionedWeights, WeightsEndpoints};
pub use publisher::WeightsPublisher;
