//! A trajectory as a shard holds it: only its header is decoded.

use std::sync::Arc;

use common::trajectory::TrajectoryHeader;
use transport::wire::{self, WireError};
use transport::{BlockDigest, Frame, Insert, Message};

use crate::tables::StoredItem;

/// Rough size in bytes of what an item takes in memory beside its frames: header, keys and places in tables.
const OVERHEAD_BYTES: u64 = 768;

/// The frames of a trajectory, as received.
#[derive(Debug)]
pub struct Content {
    /// The envelope of its [`Insert`] message.
    pub envelope: Frame,
    /// The encoded steps.
    pub body: Frame,
    /// Describes the body.
    pub body_digest: BlockDigest,
    /// The encoded states.
    pub states: Frame,
    /// Describes the states.
    pub states_digest: BlockDigest,
}

/// A trajectory that a shard holds.
pub type Item = Arc<StoredItem<Content>>;

impl Content {
    /// Header and content of an `insert`, received in `envelope` with two bulk frames; none when there are not two.
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

    /// Header and content of what was read from the disk.
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

    /// Bytes of the encoded steps, decompressed as their sender promises: LZ4 makes at most 255 bytes out of one.
    pub(crate) fn body_bytes(&self) -> u64 {
        let stored = self.body.len() as u64;
        self.body_digest.raw.map_or(stored, |raw| raw.min(255 * stored))
    }

    /// Bytes that the item takes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        (self.envelope.len() + self.body.len() + self.states.len()) as u64 + OVERHEAD_BYTES
    }
}
