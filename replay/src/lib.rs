//! A replay shard: it stores trajectories, has them sampled, and removes them.
//!
//! What it does is in [`Core`], which knows no socket, clock or disk. One thread owns the socket ([`Shard`]). Where
//! trajectories must survive a crash, another thread writes to the disk. Bodies and states are opaque bytes here: only
//! headers are read, and libtorch is not linked. Shards do not know each other.

mod acceptance;
mod claim;
mod core;
mod effect;
mod error;
mod item;
mod journal;
mod peers;
mod persistence;
mod report;
mod requests;
mod service;
mod sessions;
mod stats;
pub mod storage;
pub mod tables;
mod weights;

pub use claim::Claim;
pub use core::Core;
pub use effect::{Change, Effect, Outgoing, Reply};
pub use error::ReplayError;
pub use item::{Content, Item};
pub use journal::{Journal, Remembered, RememberedItem};
pub use service::{ReplaySummary, Shard};
pub use sessions::SessionKey;
pub use stats::ShardStats;
