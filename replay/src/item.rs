//! A trajectory as a shard holds it: unread but for its header.

use std::sync::Arc;

use common::trajectory::TrajectoryHeader;
use transport::wire::{self, WireError};
use transport::{BlockDigest, Frame, Insert, Message};

use crate::tables::StoredItem;

/// What a header, the keys and the tables take in memory beside an item's bytes, roughly.
const OVERHEAD_BYTES: u64 = 768;

/// The bytes of a trajectory, as they came.
#[derive(Debug)]
pub struct Content {
    /// The message that brought it, without its frames.
    pub envelope: Frame,
    /// Steps, opaque.
    pub body: Frame,
    /// What the body is.
    pub body_digest: BlockDigest,
    /// States, opaque.
    pub states: Frame,
    /// What the states are.
    pub states_digest: BlockDigest,
}

/// A trajectory that a shard holds.
pub type Item = Arc<StoredItem<Content>>;

impl Content {
    /// Of an `insert` that came in `envelope` with two frames behind it; none when there are not two.
    pub(crate) fn of(
        insert: Insert,
        envelope: Frame,
        bulk: Vec<Frame>,
    ) -> Option<(TrajectoryHeader, Content)> {
        let [body, states] = <[Frame; 2]>::try_from(bulk).ok()?;
        let content =
            Content { envelope, body, body_digest: insert.body, states, states_digest: insert.states };
        Some((insert.header, content))
    }

    /// Of what was written to the disk.
    ///
    /// # Errors
    /// [`WireError`] when it is no trajectory, or its checksums are wrong.
    pub(crate) fn read(
        meta: Vec<u8>,
        blocks: [Vec<u8>; 2],
    ) -> Result<(TrajectoryHeader, Content), WireError> {
        let [body, states] = blocks;
        let frames = [Frame::from(meta), body.into(), states.into()];
        let message = wire::decode(&frames)?;
        let [envelope, body, states] = frames;
        let kind = message.kind();
        let no_insert = WireError::Payload { message: format!("a message of kind {kind} is no trajectory") };
        let Message::Insert(insert) = message else { return Err(no_insert) };
        Content::of(insert, envelope, vec![body, states]).ok_or(no_insert)
    }

    /// Bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        (self.envelope.len() + self.body.len() + self.states.len()) as u64 + OVERHEAD_BYTES
    }
}
