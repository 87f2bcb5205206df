//! Learns from trajectories: V-trace, losses, target networks, optimiser, checkpoints, weights out.

mod adam;
mod batch;
mod error;
mod scale;
mod update;
mod vtrace;

pub use adam::{Adam, clip_gradients};
pub use batch::{Batch, Decoded, Piece};
pub use error::LearnerError;
pub use scale::{Condition, RmsByCondition, RunningRms};
pub use update::{Scales, Statistics, Updater};
pub use vtrace::{Vtrace, VtraceInput, VtraceParameters, vtrace};
