//! A trajectory as an actor sends it.

use common::trajectory::TrajectoryHeader;

use crate::TransportError;
use crate::block::Block;
use crate::envelope::WireError;

/// A trajectory on its way to a shard.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Header; its sequence number is set when a shard has been chosen.
    pub header: TrajectoryHeader,
    /// The encoded steps.
    pub body: Block,
    /// The encoded states.
    pub states: Block,
}

impl Trajectory {
    /// Bytes of its blocks.
    pub(super) fn bytes(&self) -> u64 {
        (self.body.bytes.len() + self.states.bytes.len()) as u64
    }
}

/// How trajectories are packed for their way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    /// Whether blocks are compressed where that pays.
    pub(crate) compress: bool,
    /// Largest block in bytes that a shard accepts.
    pub(crate) max_block_bytes: u64,
}

impl Packing {
    /// Makes blocks of a trajectory's encoded steps and states.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when a block is too large.
    pub(crate) fn pack(
        self,
        header: TrajectoryHeader,
        body: Vec<u8>,
        states: Vec<u8>,
    ) -> Result<Trajectory, TransportError> {
        let block = |bytes| if self.compress { Block::compressed(bytes) } else { Block::plain(bytes) };
        let (body, states) = (block(body), block(states));
        let (found, limit) = (body.bytes.len().max(states.bytes.len()) as u64, self.max_block_bytes);
        if found > limit {
            // The shard would close the connection, again and again.
            return Err(WireError::TooLarge { found, limit }.into());
        }
        Ok(Trajectory { header, body, states })
    }
}
