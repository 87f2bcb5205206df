//! Studies beside their peers: how well samplers search, and what a coordinator costs as its study grows.

mod coordinator;
mod functions;
mod samplers;

pub use coordinator::{Growth, growth};
pub use functions::Function;
pub use samplers::{Search, peer_searches, searches};
