//! Any frames, as they are and as the payload of a sound envelope: decoding ends, does not panic, and what it understands is
//! encoded and decoded again to the same message.
//!
//! The input is read as `kind (u16), length of the first frame (u16)`, that frame, and the rest as a second one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transport::wire;

fuzz_target!(|input: &[u8]| {
    let Some(([k0, k1, l0, l1], rest)) = input.split_first_chunk() else { return };
    let length = usize::from(u16::from_le_bytes([*l0, *l1])).min(rest.len());
    let (first, second) = rest.split_at(length);
    let _ = wire::decode(&[first, second]);
    let _ = wire::decode_body(rest);
    let sealed = sealed(u16::from_le_bytes([*k0, *k1]), rest);
    let _ = wire::decode_body(&sealed);
    let Ok(message) = wire::header_of(&sealed) else { return };
    let again = wire::encode(&message).expect("what was decoded can be encoded");
    let read = wire::header_of(&again).expect("what was encoded can be decoded");
    // Compared as text, as NaN is not equal to itself.
    assert_eq!(format!("{read:?}"), format!("{message:?}"));
});

fn sealed(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"LSHR".to_vec();
    bytes.extend(wire::PROTOCOL.to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(common::checksum::crc32c(payload).to_le_bytes());
    bytes.extend(payload);
    bytes
}
