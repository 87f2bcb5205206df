//! Plays episodes, records trajectories and follows the weights.

mod error;
mod group;
mod player;
mod rollout;
mod service;
mod to_come;

pub use error::ActorError;
pub use player::{Counters, Identity, Outgoing, Player};
pub use service::{ActorSummary, run};
