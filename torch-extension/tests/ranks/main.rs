//! Several processes that compute together, against one that computes alone. Every test starts this program again for
//! each rank.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod gpus;
mod gradients;
mod operations;
mod together;
