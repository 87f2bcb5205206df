//! Plays episodes, records trajectories and follows the weights.

mod environment;
mod error;
mod group;
mod group_baseline;
mod player;
mod preference;
mod rollout;
mod service;
mod to_come;

pub use error::ActorError;
pub use player::{Counters, Identity, Outgoing, Player};
pub use service::{ActorSummary, run};
