//! A trajectory's message that was changed on its way: it is told from the real one, and never taken for another.
//!
//! The input is read as changes of the bytes of all three frames: `offset (u16), byte` each.
#![no_main]

use common::ids::{ActorId, Incarnation, FencingToken, PolicyVersion, SequenceNumber};
use common::trajectory::TrajectoryHeader;
use libfuzzer_sys::fuzz_target;
use transport::{Block, Insert, Message, wire};

fuzz_target!(|input: &[u8]| {
    let whole = frames();
    let mut changed = whole.clone();
    let bytes: usize = whole.iter().map(Vec::len).sum();
    for change in input.as_chunks::<3>().0 {
        let mut offset = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes;
        for frame in &mut changed {
            if let Some(byte) = frame.get_mut(offset) {
                *byte = change[2];
                break;
            }
            offset -= frame.len();
        }
    }
    match wire::decode(&changed) {
        Ok(message) => assert_eq!(Ok(message), wire::decode(&whole), "changed, and not noticed: {changed:?}"),
        Err(_) => assert_ne!(changed, whole, "a sound message is refused"),
    }
});

fn frames() -> Vec<Vec<u8>> {
    let version = PolicyVersion { token: FencingToken(1), number: 300 };
    let header = TrajectoryHeader {
        actor: ActorId(3),
        incarnation: Incarnation(7),
        sequence: SequenceNumber(70_000),
        ordinal: 5,
        first_version: version,
        last_version: version,
        priority: 1.5,
        steps: 20,
    };
    let (body, states) = (vec![3; 40], vec![4; 100]);
    let digests = [&body, &states].map(|bytes| Block::plain(bytes.clone()).digest);
    let message = Message::Insert(Insert { header, body: digests[0], states: digests[1] });
    vec![wire::encode(&message).expect("it can be encoded"), body, states]
}
