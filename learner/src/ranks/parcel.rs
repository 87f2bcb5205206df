//! Messages between ranks, as bytes. All ranks are of one build, so nothing here has a version.

use common::trajectory::TrajectoryHeader;
use transport::{TransportError, wire};

use crate::LearnerError;

/// Kind of the envelope around a header.
pub(crate) const KIND_HEADER: u16 = 258;

/// A trajectory as its actor encoded it, and the importance weight of its losses.
pub(crate) fn encode(
    weight: f32,
    header: &TrajectoryHeader,
    body: &[u8],
    states: &[u8],
) -> Result<Vec<u8>, LearnerError> {
    let header = wire::seal(KIND_HEADER, header).map_err(TransportError::from)?;
    Ok(pack([&weight.to_le_bytes(), header.as_slice(), body, states]))
}

/// Several byte strings as one, each behind its length as `u64` little-endian.
pub(super) fn pack<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The byte strings that were packed.
pub(super) fn unpack(mut bytes: &[u8]) -> Result<Vec<&[u8]>, LearnerError> {
    let short = || LearnerError::RankMessage("rank 0 sent bytes that end too early".to_owned());
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short())?;
        let (part, rest) = rest.split_at_checked(length).ok_or_else(short)?;
        parts.push(part);
        bytes = rest;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_and_what_is_cut_does_not() {
        let parts: [&[u8]; 3] = [b"one", b"", &[7; 300]];
        let bytes = pack(parts);
        assert_eq!(unpack(&bytes).unwrap(), parts);
        assert_eq!(unpack(&[]).unwrap().len(), 0);
        let whole_parts = [0, 11, 19];
        for length in (0..bytes.len()).filter(|length| !whole_parts.contains(length)) {
            assert!(unpack(&bytes[..length]).is_err(), "{length}");
        }
    }
}
