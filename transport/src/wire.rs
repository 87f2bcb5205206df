//! Messages as frames: the envelope, and the bulk data behind it.

use std::ops::Deref;

use common::trajectory::TrajectoryBody;

use crate::Frame;
use crate::digest::BulkDigest;
use crate::envelope::{HEADER_BYTES, envelope, open};
pub use crate::envelope::{PROTOCOL, WireError, seal, unseal};
use crate::message::Message;

/// Kind of a trajectory's body, which is a bulk frame of a message.
const KIND_BODY: u16 = 256;

/// The envelope of `message`; its bulk frames are sent behind it.
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

/// Decodes a message from its envelope and bulk frames, and checks all of them.
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

/// Decodes a message from its envelope alone; its bulk frames are not checked.
///
/// # Errors
/// See [`WireError`].
pub fn header_of(envelope: &[u8]) -> Result<Message, WireError> {
    let (kind, payload) = open(envelope)?;
    Message::decode_payload(kind, payload)
}

/// Encodes the body of a trajectory in an envelope of its own: replay shards pass it on unread.
///
/// # Errors
/// [`WireError::Payload`] when it is too large.
pub fn encode_body(body: &TrajectoryBody) -> Result<Vec<u8>, WireError> {
    seal(KIND_BODY, body)
}

/// The body that [`encode_body`] has encoded.
///
/// # Errors
/// See [`WireError`].
pub fn decode_body(bytes: &[u8]) -> Result<TrajectoryBody, WireError> {
    unseal(KIND_BODY, bytes)
}
