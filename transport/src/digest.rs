//! How payloads describe the frames behind their envelope.

use serde::{Deserialize, Serialize};

/// Length and CRC32C of a frame that follows the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkDigest {
    /// Length in bytes.
    pub length: u64,
    /// CRC32C of the frame.
    pub crc: u32,
}

impl BulkDigest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        BulkDigest { length: bytes.len() as u64, crc: common::checksum::crc32c(bytes) }
    }
}

/// How a message describes a block that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDigest {
    /// Digest of the bytes as they are sent and stored.
    pub stored: BulkDigest,
    /// Length in bytes after decompression (LZ4 block format); none where the block is not compressed.
    pub raw: Option<u64>,
}
