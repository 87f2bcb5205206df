//! The format on the wire: pinned by golden files, and proof against damage.
//!
//! After a deliberate change of the format (with a new protocol version): `LONGSHORE_BLESS=1 cargo test -p
//! longshore-transport --test wire` writes the files anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;

use common::ids::{
    ActorId, Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber, ShardId,
};
use common::time::SimTime;
use common::trajectory::{Choice, FORESIGHT, GroupReturn, Moment, Step, TrajectoryBody, TrajectoryHeader};
use proptest::prelude::*;
use transport::wire::{self, WireError};
use transport::{
    Ack, Announcement, Batch, BlockDigest, BulkDigest, Hello, Insert, Inserts, Item, Message, NotReady, Pick,
    Prioritise, Pull, Refusal, Refused, Role, Sample, TableSize, Weights, Welcome,
};

const VERSION: PolicyVersion = PolicyVersion { token: FencingToken(2), number: 300 };

fn header() -> TrajectoryHeader {
    TrajectoryHeader {
        actor: ActorId(3),
        incarnation: Incarnation(0x1234_5678_9abc_def0),
        sequence: SequenceNumber(70_000),
        ordinal: 5,
        first_version: VERSION,
        last_version: VERSION,
        priority: 1.5,
        steps: 64,
    }
}

fn body() -> TrajectoryBody {
    let step = Step {
        moment: Moment { time: SimTime(1), urgency: 2.5, to_come: [[3.0, 2.0, 1.5]; FORESIGHT.len()] },
        choice: Choice::Act(17),
        log_probability: -1.75,
        weighted_reward: -1.5,
        discount: 0.99,
        group: Some(GroupReturn { own: -7.0, others: -8.0, spread: 2.0 }),
    };
    TrajectoryBody { steps: vec![step], part: 2, load: 1.3, horizon: SimTime(50_000_000), after: None }
}

fn messages() -> Vec<(&'static str, Message, Vec<Vec<u8>>)> {
    let (bytes, states) = (vec![1, 2, 3], vec![4, 5]);
    let body = BlockDigest { stored: BulkDigest::of(&bytes), raw: None };
    let states_digest = BlockDigest { stored: BulkDigest::of(&states), raw: Some(40) };
    let (next, limit) = (SequenceNumber(7), SequenceNumber(39));
    let item = Item { key: 8, header: header(), probability: 0.25, body, states: states_digest };
    let hello = Hello {
        role: Role::Actor,
        run: Some(RunId([1; 16])),
        schema: Digest([2; 32]),
        token: None,
        actor: Some(ActorId(3)),
        incarnation: Some(Incarnation(4)),
        first_sequence: next,
    };
    let welcome = Welcome { run: RunId([1; 16]), shard: Some(ShardId(1)), next, limit };
    let sample = Sample {
        request: 1,
        table: "fresh".to_owned(),
        pick: Pick::Turn(VERSION),
        steps: 512,
        patience_ms: 200,
    };
    let prioritise = Prioritise { table: "replayed".to_owned(), updates: vec![(8, 0.5), (9, 2.0)] };
    let table = TableSize { items: 12, mass: 7.5 };
    let refused = Refused { reason: Refusal::OtherRun, message: "no".to_owned() };
    let weights = Weights { version: VERSION, weights: body.stored };
    let bulk = vec![bytes.clone(), states];
    vec![
        ("hello", Message::Hello(hello), vec![]),
        ("welcome", Message::Welcome(welcome), vec![]),
        ("refused", Message::Refused(refused), vec![]),
        ("not-ready", Message::NotReady(NotReady { message: "wait".to_owned() }), vec![]),
        ("unknown-peer", Message::UnknownPeer(()), vec![]),
        ("ping", Message::Ping(()), vec![]),
        ("pong", Message::Pong(()), vec![]),
        ("run-finished", Message::RunFinished(()), vec![]),
        ("insert", Message::Insert(Insert { header: header(), body, states: states_digest }), bulk.clone()),
        ("ack", Message::Ack(Ack { next, limit }), vec![]),
        ("sample", Message::Sample(sample), vec![]),
        ("batch", Message::Batch(Batch { request: 1, table, items: vec![item] }), bulk),
        (
            "inserts",
            Message::Inserts(Inserts { lengths: vec![[1, 2, 0], [0, 0, 0]], frame: BulkDigest::of(&bytes) }),
            vec![bytes.clone()],
        ),
        ("prioritise", Message::Prioritise(prioritise), vec![]),
        (
            "announcement",
            Message::Announcement(Announcement { run: RunId([1; 16]), version: VERSION }),
            vec![],
        ),
        ("pull", Message::Pull(Pull { have: Some(VERSION) }), vec![]),
        ("weights", Message::Weights(weights), vec![bytes]),
    ]
}

fn check_golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.bin"));
    if std::env::var_os("LONGSHORE_BLESS").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(bytes, golden, "{name} is no longer written as it was");
}

#[test]
fn every_message_is_written_as_ever_and_read_back() {
    for (name, message, bulk) in messages() {
        let envelope = wire::encode(&message).unwrap();
        check_golden(name, &envelope);
        let frames: Vec<_> = std::iter::once(envelope).chain(bulk).collect();
        assert_eq!(wire::decode(&frames).unwrap(), message, "{name}");
    }
}

#[test]
fn a_trajectory_body_is_written_as_ever_and_read_back() {
    let bytes = wire::encode_body(&body()).unwrap();
    check_golden("trajectory-body", &bytes);
    assert_eq!(wire::decode_body(&bytes).unwrap(), body());
    let ping = wire::encode(&Message::Ping(())).unwrap();
    assert_eq!(wire::decode_body(&ping), Err(WireError::Kind { expected: 256, found: 6 }));
}

#[test]
fn several_inserts_are_told_apart_by_their_lengths() {
    let inserts =
        |lengths: &[[u32; 3]]| Inserts { lengths: lengths.to_vec(), frame: BulkDigest::of(b"abcdef") };
    let split = inserts(&[[1, 2, 0], [0, 1, 2]]).split(b"abcdef").unwrap();
    assert_eq!(split, [[&b"a"[..], b"bc", b""], [b"", b"d", b"ef"]]);
    for lengths in [[1, 2, 2], [1, 2, 4], [u32::MAX; 3]] {
        assert_eq!(inserts(&[lengths]).split(b"abcdef"), None);
    }
}

#[test]
fn bulk_frames_are_counted_and_checked() {
    let (_, insert, bulk) = messages().swap_remove(8);
    let envelope = wire::encode(&insert).unwrap();
    let with = |bulk: &[Vec<u8>]| wire::decode(&[std::slice::from_ref(&envelope), bulk].concat());
    assert_eq!(with(&bulk[..1]), Err(WireError::Frames { expected: 2, found: 1 }));
    let swapped = [bulk[1].clone(), bulk[0].clone()];
    assert_eq!(with(&swapped), Err(WireError::Checksum { part: "a bulk frame" }));
}

#[test]
fn other_protocols_and_other_bytes_are_told_apart() {
    let mut envelope = wire::encode(&Message::Ping(())).unwrap();
    envelope[4] = 9;
    assert_eq!(wire::decode(&[envelope]), Err(WireError::Protocol { found: 9 }));
    assert_eq!(wire::decode(&[b"GET / HTTP/1.1\r\n".to_vec()]), Err(WireError::Magic { found: *b"GET " }));
    assert_eq!(wire::decode::<Vec<u8>>(&[]), Err(WireError::Length { expected: 16, found: 0 }));
}

/// Each kind has a row of its own in the table of messages.
#[test]
fn every_message_is_drawn_in_the_documentation() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/formats.md");
    let formats = std::fs::read_to_string(path).unwrap();
    for (_, message, _) in messages() {
        let row = format!("| {} | {} |", message.kind(), message.name());
        assert!(formats.contains(&row), "docs/formats.md has no row that begins with `{row}`");
    }
    assert!(formats.contains(&format!("## The envelope (protocol {})", wire::PROTOCOL)));
}

#[test]
fn the_tests_know_every_kind() {
    let mut tested: Vec<u16> = messages().iter().map(|(_, message, _)| message.kind()).collect();
    tested.sort_unstable();
    assert_eq!(tested, Message::KINDS);
}

proptest! {
    #[test]
    fn no_damage_goes_unnoticed(which in 0..17_usize, place in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let (_, message, bulk) = messages().swap_remove(which);
        let mut frames: Vec<_> = std::iter::once(wire::encode(&message).unwrap()).chain(bulk).collect();
        let frame = place.index(frames.len());
        let byte = place.index(frames[frame].len());
        frames[frame][byte] ^= change;
        // A changed kind can turn one empty message into another; everything else is under a checksum.
        prop_assert!(byte == 6 || byte == 7 || wire::decode(&frames).is_err());
        frames[0].pop();
        prop_assert!(wire::decode(&frames).is_err());
    }

    #[test]
    fn noise_is_no_message(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(wire::decode(&[noise]).is_err());
    }
}
