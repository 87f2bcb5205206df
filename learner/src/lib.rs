//! Learns from trajectories: V-trace, losses, target networks, optimiser, checkpoints, weights out.

mod adam;
mod ahead;
mod batch;
mod changes;
mod checkpoints;
mod cuts;
mod device;
mod error;
mod feed;
mod gradient;
mod pace;
mod ranks;
mod run_folder;
mod scale;
mod service;
mod share;
mod targets;
mod update;
mod validation;
mod vtrace;

pub use adam::{Adam, clip_gradients};
pub use batch::{Batch, Decoded, Piece};
pub use checkpoints::{Checkpoints, Progress, check_resumable};
pub use device::device;
pub use error::LearnerError;
pub use feed::{Verdict, Window};
pub use ranks::{Meeting, RankArguments, serve_rank};
pub use run_folder::check_run_folder;
pub use scale::{Condition, RmsByCondition, RunningRms, RunningTypical};
pub use service::{LearnerOptions, LearnerSummary, default_run_folder, run};
pub use update::{Learnt, Scales, Statistics, Updater};
pub use validation::{Score, Validator};
pub use vtrace::{Vtrace, VtraceInput, VtraceParameters, vtrace};
