//! The envelope of every message: magic, protocol version, kind, length and CRC32C, then the payload.
//!
//! No other file names the payload's encoding (bincode). Golden files in `tests/golden` pin it, so that a compatible
//! encoder can replace it.

use common::checksum::crc32c;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The protocol of this program, and the only one that it reads.
pub const PROTOCOL: u16 = 6;

const MAGIC: [u8; 4] = *b"LSHR";
pub(crate) const HEADER_BYTES: usize = 16;
/// Most bytes of a payload, so that a hostile length allocates no more; bulk data does not count.
const MAX_PAYLOAD_BYTES: usize = 64 << 20;
/// Why bytes are not a valid message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The envelope does not have the length that it promises, or is shorter than any envelope.
    #[error("an envelope of {expected} bytes has {found}")]
    Length {
        /// Bytes that the envelope promises.
        expected: usize,
        /// Bytes that were received.
        found: usize,
    },
    /// It does not begin with `LSHR`.
    #[error("not a Longshore message (it begins with {found:02x?})")]
    Magic {
        /// The first bytes.
        found: [u8; 4],
    },
    /// The peer speaks another protocol.
    #[error(
        "the peer speaks protocol {found}, and this program {PROTOCOL}: all services must be of one version"
    )]
    Protocol {
        /// The envelope's protocol.
        found: u16,
    },
    /// A checksum is wrong.
    #[error("the checksum of {part} is wrong")]
    Checksum {
        /// Which part of the message.
        part: &'static str,
    },
    /// A kind of message that this program does not know.
    #[error("message kind {kind} is unknown")]
    UnknownKind {
        /// The kind's number.
        kind: u16,
    },
    /// Another kind was expected here.
    #[error("a message of kind {found}, where kind {expected} was expected")]
    Kind {
        /// The expected kind.
        expected: u16,
        /// The received kind.
        found: u16,
    },
    /// The payload is malformed.
    #[error("malformed payload: {message}")]
    Payload {
        /// The decoder's error.
        message: String,
    },
    /// A frame is larger than its receiver accepts.
    #[error("a frame of {found} bytes is larger than transport.max_frame_mib allows ({limit} bytes)")]
    TooLarge {
        /// Length of the frame in bytes.
        found: u64,
        /// Largest accepted length in bytes.
        limit: u64,
    },
    /// Fewer or more bulk frames than the payload promises.
    #[error("{found} bulk frames, where {expected} were promised")]
    Frames {
        /// Frames that the payload promises.
        expected: usize,
        /// Frames that were received.
        found: usize,
    },
}

/// A value that is no message, in an envelope of `kind` (256 or more: messages have smaller kinds).
///
/// # Errors
/// [`WireError::Payload`] when it is too large.
pub fn seal(kind: u16, value: &impl Serialize) -> Result<Vec<u8>, WireError> {
    envelope(kind, &encode_value(value)?)
}

/// The value that [`seal`] has encoded.
///
/// # Errors
/// See [`WireError`].
pub fn unseal<T: DeserializeOwned>(kind: u16, bytes: &[u8]) -> Result<T, WireError> {
    let (found, payload) = open(bytes)?;
    if found != kind {
        return Err(WireError::Kind { expected: kind, found });
    }
    decode_value(payload)
}

pub(crate) fn envelope(kind: u16, payload: &[u8]) -> Result<Vec<u8>, WireError> {
    let too_large = || WireError::Payload { message: format!("{} bytes are too many", payload.len()) };
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(too_large());
    }
    let length = u32::try_from(payload.len()).map_err(|_| too_large())?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&PROTOCOL.to_le_bytes());
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&crc32c(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

pub(crate) fn open(bytes: &[u8]) -> Result<(u16, &[u8]), WireError> {
    let (header, payload) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(WireError::Length { expected: HEADER_BYTES, found: bytes.len() })?;
    let [m0, m1, m2, m3, p0, p1, k0, k1, l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    if [m0, m1, m2, m3] != MAGIC {
        return Err(WireError::Magic { found: [m0, m1, m2, m3] });
    }
    let protocol = u16::from_le_bytes([p0, p1]);
    if protocol != PROTOCOL {
        return Err(WireError::Protocol { found: protocol });
    }
    let expected = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if payload.len() != expected {
        return Err(WireError::Length { expected: HEADER_BYTES + expected, found: bytes.len() });
    }
    if crc32c(payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(WireError::Checksum { part: "an envelope" });
    }
    Ok((u16::from_le_bytes([k0, k1]), payload))
}

pub(crate) fn encode_value(value: &impl Serialize) -> Result<Vec<u8>, WireError> {
    bincode::serde::encode_to_vec(value, configuration())
        .map_err(|error| WireError::Payload { message: error.to_string() })
}

pub(crate) fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, used) = bincode::serde::decode_from_slice(bytes, configuration())
        .map_err(|error| WireError::Payload { message: error.to_string() })?;
    if used != bytes.len() {
        return Err(WireError::Payload { message: format!("{} bytes are left over", bytes.len() - used) });
    }
    Ok(value)
}

fn configuration() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_PAYLOAD_BYTES>()
}
