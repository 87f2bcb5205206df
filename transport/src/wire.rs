//! Messages as frames: the envelope, and the bulk data behind it.

use std::ops::Deref;

use common::trajectory::TrajectoryBody;

use crate::Frame;
use crate::digest::BulkDigest;
use crate::envelope::{HEADER_BYTES, envelope, open};
pub use crate::envelope::{PROTOCOL, WireError, seal, unseal};
use crate::message::Message;

/// Kind of a trajectory's body, which travels in a frame of its own.
const KIND_BODY: u16 = 256;

/// The envelope of `message`; the frames that it promises are sent behind it.
///
/// # Errors
/// [`WireError::Payload`] when it is too large.
pub fn encode(message: &Message) -> Result<Vec<u8>, WireError> {
    envelope(message.kind(), &message.encode_payload()?)
}

/// All frames of a message: its envelope, then `bulk`.
///
/// # Errors
/// As [`encode`].
pub fn pack(message: &Message, bulk: Vec<Frame>) -> Result<Vec<Frame>, WireError> {
    let mut frames = Vec::with_capacity(bulk.len() + 1);
    frames.push(encode(message)?.into());
    frames.extend(bulk);
    Ok(frames)
}

/// The message in an envelope and the frames behind it, each checked.
///
/// # Errors
/// See [`WireError`].
pub fn decode<B: Deref<Target = [u8]>>(frames: &[B]) -> Result<Message, WireError> {
    let (first, bulk) = frames.split_first().ok_or(WireError::Length { expected: HEADER_BYTES, found: 0 })?;
    let message = header_of(first)?;
    let promised = message.bulk();
    if promised.len() != bulk.len() {
        return Err(WireError::Frames { expected: promised.len(), found: bulk.len() });
    }
    for (digest, bytes) in promised.iter().zip(bulk) {
        if *digest != BulkDigest::of(bytes) {
            return Err(WireError::Checksum { part: "a bulk frame" });
        }
    }
    Ok(message)
}

/// The message in an envelope whose frames lie elsewhere: they are not looked at.
///
/// # Errors
/// See [`WireError`].
pub fn header_of(envelope: &[u8]) -> Result<Message, WireError> {
    let (kind, payload) = open(envelope)?;
    Message::decode_payload(kind, payload)
}

/// The steps of a trajectory as bytes, in an envelope of their own: replay shards pass them on unread.
///
/// # Errors
/// [`WireError::Payload`] when it is too large.
pub fn encode_body(body: &TrajectoryBody) -> Result<Vec<u8>, WireError> {
    seal(KIND_BODY, body)
}

/// The opposite of [`encode_body`].
///
/// # Errors
/// See [`WireError`].
pub fn decode_body(bytes: &[u8]) -> Result<TrajectoryBody, WireError> {
    unseal(KIND_BODY, bytes)
}
