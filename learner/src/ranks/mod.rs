//! One learner of several ranks. Rank 0 is the service: it alone talks to shards and actors, validates and writes
//! checkpoints. The others ([`serve_rank`]) are told what the updater starts from and then every batch, and take every step of
//! learning with it; all hold the same bits all the time.
//!
//! Rank 0 announces the next action in the store, where the other ranks poll without a deadline. A collective
//! operation, which has a deadline, begins only when all ranks are there. So no deadline passes while rank 0
//! waits or validates.

mod join;
mod local;
mod meeting;
mod member;
mod others;
mod parcel;

pub use local::RankArguments;
pub use meeting::Meeting;
pub use member::serve_rank;
pub(crate) use others::OtherRanks;
pub(crate) use parcel::{KIND_HEADER, encode};

use std::time::Duration;

use tch::Device;
use torch_extension::process_group::{Heartbeat, LostRank, ProcessGroup, Store, leave};

use crate::LearnerError;

/// Under this key of the store, with the round's number behind it, is said what comes.
const ROUND: &str = "round";
/// Announces that a batch follows.
const BATCH: &str = "batch";
/// Announces that no further round follows.
const END: &str = "end";

fn round_key(round: u64) -> String {
    format!("{ROUND}/{round}")
}

/// What a failed operation of all ranks means: the rank that is gone, where one can be found.
fn explain(error: LearnerError, store: &Store, rank: usize, heartbeat: &Heartbeat) -> LearnerError {
    if !error.is_of_ranks() {
        return error;
    }
    // Where the store is gone as well, no rank can be told.
    let _ = leave(store, rank, "");
    if matches!(error, LearnerError::RankLost { .. }) {
        return error;
    }
    heartbeat.lost_ranks().into_iter().next().map_or(error, LearnerError::from)
}

/// Whether rank 0, for whom the others wait as long as it lives, is gone.
fn rank_0_lost(heartbeat: &Heartbeat, deadline: Duration) -> Option<LearnerError> {
    heartbeat.silent(deadline).into_iter().find(|lost| lost.rank == 0).map(LearnerError::from)
}

impl From<LostRank> for LearnerError {
    fn from(lost: LostRank) -> Self {
        LearnerError::RankLost { rank: lost.rank, how: lost.how }
    }
}

/// Has the ranks' GPUs meet, too, where they have some.
fn join_gpus(
    group: &mut ProcessGroup,
    store: &Store,
    device: Device,
    deadline: Duration,
) -> Result<(), LearnerError> {
    if device == Device::Cpu { Ok(()) } else { Ok(group.join_gpu(store, device, deadline)?) }
}

/// Tells all ranks of `group` what rank 0 has in `bytes`.
fn broadcast(group: &ProcessGroup, bytes: &mut Vec<u8>) -> Result<(), LearnerError> {
    let length = tch::Tensor::from_slice(&[bytes.len() as i64]);
    group.broadcast(&length, 0)?;
    let tensor = if group.rank() == 0 {
        tch::Tensor::from_slice(bytes)
    } else {
        tch::Tensor::zeros([length.int64_value(&[0])], (tch::Kind::Uint8, Device::Cpu))
    };
    group.broadcast(&tensor, 0)?;
    if group.rank() != 0 {
        *bytes = Vec::try_from(&tensor)?;
    }
    Ok(())
}
