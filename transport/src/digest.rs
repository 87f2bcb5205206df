//! What payloads say of the frames behind their envelope.

use serde::{Deserialize, Serialize};

/// Length and CRC32C of a frame that follows the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkDigest {
    /// Bytes.
    pub length: u64,
    /// CRC32C.
    pub crc: u32,
}

impl BulkDigest {
    /// Of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        BulkDigest { length: bytes.len() as u64, crc: common::checksum::crc32c(bytes) }
    }
}

/// What a message says of a block that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDigest {
    /// Of the bytes as they travel and as they are stored.
    pub stored: BulkDigest,
    /// Bytes that come out of decompression (LZ4 block format); none where the block is not compressed.
    pub raw: Option<u64>,
}
