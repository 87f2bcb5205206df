//! The bytes of a trajectory's steps or states: compressed where that pays, and decompressed only by the learner.

use crate::Frame;
use crate::digest::{BlockDigest, BulkDigest};
use crate::envelope::WireError;

/// Bytes at the start that are compressed first: where they hardly shrink, the block stays as it is.
const PROBE_BYTES: usize = 4 << 10;
/// Smaller blocks (in bytes) stay as they are: compressing them costs more than sending them.
const MIN_BYTES: usize = 8 << 10;
/// Most bytes that a block may promise, so that a hostile promise allocates no more.
const MAX_RAW_BYTES: u64 = 512 << 20;
/// LZ4 makes at most so many bytes out of one: a larger promise is false.
const MAX_RATIO: u64 = 255;

/// Opaque bytes of a trajectory's steps or states, as they are sent and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The bytes, compressed where the digest says so.
    pub bytes: Frame,
    /// Their lengths and checksum.
    pub digest: BlockDigest,
}

impl Block {
    /// A block of `bytes` as they are.
    #[must_use]
    pub fn plain(bytes: Vec<u8>) -> Self {
        let digest = BlockDigest { stored: BulkDigest::of(&bytes), raw: None };
        Block { bytes: bytes.into(), digest }
    }

    /// A block of `bytes`, compressed where that saves a quarter.
    #[must_use]
    pub fn compressed(bytes: Vec<u8>) -> Self {
        match compress(&bytes) {
            Some(packed) => {
                let digest = BlockDigest { stored: BulkDigest::of(&packed), raw: Some(bytes.len() as u64) };
                Block { bytes: packed.into(), digest }
            }
            None => Block::plain(bytes),
        }
    }

    /// The bytes that the block was made of.
    ///
    /// # Errors
    /// [`WireError::Payload`] when they are no LZ4 block, or not one of the promised length.
    pub fn open(self) -> Result<Frame, WireError> {
        let Some(raw) = self.digest.raw else { return Ok(self.bytes) };
        let most = (self.bytes.len() as u64).saturating_mul(MAX_RATIO).min(MAX_RAW_BYTES);
        let malformed = |message: String| WireError::Payload { message };
        if raw > most {
            return Err(malformed(format!("{} bytes cannot hold {raw}", self.bytes.len())));
        }
        let bytes = lz4_flex::block::decompress(&self.bytes, raw as usize)
            .map_err(|error| malformed(format!("not an LZ4 block: {error}")))?;
        if bytes.len() as u64 != raw {
            return Err(malformed(format!("{raw} bytes were promised and {} came out", bytes.len())));
        }
        Ok(bytes.into())
    }
}

fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let pays = |raw: usize, packed: usize| packed <= raw / 4 * 3;
    if bytes.len() < MIN_BYTES {
        return None;
    }
    if bytes.len() > 2 * PROBE_BYTES {
        let probe = &bytes[..PROBE_BYTES];
        if !pays(probe.len(), lz4_flex::block::compress(probe).len()) {
            return None;
        }
    }
    let packed = lz4_flex::block::compress(bytes);
    pays(bytes.len(), packed.len()).then_some(packed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_repeats_shrinks_and_noise_stays_as_it_is() {
        let zeros = Block::compressed(vec![0; 100_000]);
        assert!(zeros.bytes.len() < 1000 && zeros.digest.raw == Some(100_000));
        assert_eq!(&*zeros.open().unwrap(), vec![0; 100_000].as_slice());
        let mut noise = vec![0; 100_000];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut noise);
        assert_eq!(Block::compressed(noise.clone()), Block::plain(noise));
    }

    #[test]
    fn a_block_that_lies_about_its_content_is_refused() {
        let honest = Block::compressed(vec![7; 5000]);
        for claim in [0, 1, 4999, 5001, 1 << 20, u64::MAX] {
            let mut lie = honest.clone();
            lie.digest.raw = Some(claim);
            assert!(lie.open().is_err(), "{claim}");
        }
    }

    proptest! {
        #[test]
        fn blocks_give_back_what_was_put_in(unit in prop::collection::vec(any::<u8>(), 1..40), times in 0..3000_usize) {
            let bytes = unit.repeat(times);
            let opened = Block::compressed(bytes.clone()).open().unwrap();
            prop_assert_eq!(&*opened, bytes.as_slice());
        }

        #[test]
        fn noise_is_opened_or_refused(noise in prop::collection::vec(any::<u8>(), 0..300), raw in 0..100_000_u64) {
            let mut block = Block::plain(noise);
            block.digest.raw = Some(raw);
            if let Ok(bytes) = block.open() {
                prop_assert_eq!(bytes.len() as u64, raw);
            }
        }
    }
}
