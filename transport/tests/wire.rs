//! The format on the wire: pinned by golden files, and proof against damage.
//!
//! After a deliberate change of the format (with a new protocol version): `LONGSHORE_BLESS=1 cargo test -p
//! longshore-transport --test wire` writes the files anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;

use common::action::Action;
use common::ids::{
    ActorId, Digest, GroupId, Incarnation, InvocationId, LearnerEpoch, NodeId, PolicyVersion, RunId,
    SequenceNumber, ShardId,
};
use common::seed::RunSeed;
use common::time::SimTime;
use common::trajectory::{Choice, GroupReturn, Reward, Scenario, Step, TrajectoryBody, TrajectoryHeader};
use proptest::prelude::*;
use transport::wire::{self, WireError};
use transport::{
    Ack, Announcement, Batch, Block, BlockDigest, BulkDigest, Frame, Hello, Insert, Inserts, Item, Message,
    NotReady, Pick, Prioritise, Pull, Refusal, Refused, Role, Sample, ShardStats, TableShare, Weights,
    Welcome,
};

const VERSION: PolicyVersion = PolicyVersion { epoch: LearnerEpoch(2), number: 300 };

fn header() -> TrajectoryHeader {
    TrajectoryHeader {
        run: RunId([1; 16]),
        actor: ActorId(3),
        incarnation: Incarnation(0x1234_5678_9abc_def0),
        sequence: SequenceNumber(70_000),
        ordinal: 5,
        scenario: Scenario::Serverless,
        episode: RunSeed(u64::MAX),
        group: Some(GroupId(9)),
        first_version: VERSION,
        last_version: VERSION,
        priority: 1.5,
        schema: Digest([2; 32]),
        steps: 64,
    }
}

fn body() -> TrajectoryBody {
    let step = Step {
        time: SimTime(1),
        elapsed: SimTime(250),
        action: Action::Start { invocation: InvocationId(4), memory_mb: 512, node: NodeId(1) },
        choice: Choice::Start(17),
        log_probability: [-0.5, 0.0, -1.25],
        reward: Reward { latency: -1.0, fairness: -2.0, utilisation: 0.5, slo: 0.0, cost: -0.25 },
        weighted_reward: -1.5,
        discount: 0.99,
        value: 3.0,
        group: Some(GroupReturn { own: -7.0, others: -8.0, spread: 2.0 }),
    };
    TrajectoryBody { steps: vec![step], load: 1.3, horizon: SimTime(50_000_000), ended: true }
}

fn messages() -> Vec<(&'static str, Message, Vec<Vec<u8>>)> {
    let (bytes, states) = (vec![1, 2, 3], vec![4, 5]);
    let body = BlockDigest { stored: BulkDigest::of(&bytes), raw: None };
    let states_digest = BlockDigest { stored: BulkDigest::of(&states), raw: Some(40) };
    let (next, limit) = (SequenceNumber(7), SequenceNumber(39));
    let item =
        Item { key: 8, header: header(), times_sampled: 2, probability: 0.25, body, states: states_digest };
    let hello = Hello {
        protocol: 1,
        protocol_oldest: 1,
        role: Role::Actor,
        run: Some(RunId([1; 16])),
        schema: Digest([2; 32]),
        config: None,
        epoch: None,
        actor: Some(ActorId(3)),
        incarnation: Some(Incarnation(4)),
        first_sequence: next,
    };
    let welcome = Welcome {
        protocol: 1,
        run: RunId([1; 16]),
        epoch: LearnerEpoch(2),
        shard: Some(ShardId(1)),
        next,
        limit,
    };
    let stats =
        ShardStats { shard: ShardId(1), items: 2, bytes: 3000, waiting_steps: 4, ..ShardStats::default() };
    let sample = Sample {
        request: 1,
        table: "fresh".to_owned(),
        pick: Pick::Turn(VERSION),
        steps: 512,
        patience_ms: 200,
    };
    let prioritise = Prioritise { table: "replayed".to_owned(), updates: vec![(8, 0.5), (9, 2.0)] };
    let share = TableShare { items: 12, mass: 7.5 };
    let refused = Refused { reason: Refusal::OtherRun, message: "no".to_owned() };
    let weights = Weights { version: VERSION, budget_share: 0.5, weights: body.stored };
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
        ("batch", Message::Batch(Batch { request: 1, share, items: vec![item] }), bulk),
        (
            "inserts",
            Message::Inserts(Inserts { lengths: vec![[1, 2, 0], [0, 0, 0]], frame: BulkDigest::of(&bytes) }),
            vec![bytes.clone()],
        ),
        ("prioritise", Message::Prioritise(prioritise), vec![]),
        ("stats-request", Message::StatsRequest(()), vec![]),
        ("stats", Message::Stats(stats), vec![]),
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

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap()
}

/// What programs of protocol 1 write is read, and what they are sent is what they would have written themselves.
#[test]
fn protocol_one_is_read_and_written() {
    let (bytes, states) = (vec![1, 2, 3], vec![4, 5]);
    for (name, bulk) in
        [("insert", vec![bytes.clone(), states.clone()]), ("sample", vec![]), ("batch", vec![bytes, states])]
    {
        let envelope = golden(&format!("protocol-1/{name}.bin"));
        let frames: Vec<_> = std::iter::once(envelope.clone()).chain(bulk.clone()).collect();
        let message = wire::decode(&frames).unwrap();
        let bulk = bulk.into_iter().map(Frame::from).collect();
        let packed = wire::pack(&message, bulk, 1).unwrap();
        assert_eq!(packed.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>(), frames, "{name}");
    }
}

#[test]
fn protocol_one_gets_trajectories_uncompressed_and_no_new_messages() {
    let body = Block::compressed(vec![7; 10_000]);
    let insert = Insert { header: header(), body: body.digest, states: body.digest };
    let packed =
        wire::pack(&Message::Insert(insert), vec![body.bytes.clone(), body.bytes.clone()], 1).unwrap();
    assert_eq!((packed.len(), &*packed[1]), (3, &[7; 10_000][..]));
    let table = "another".to_owned();
    let sample = Sample { request: 0, table: table.clone(), pick: Pick::Next, steps: 1, patience_ms: 0 };
    for message in [Message::Sample(sample), Message::Prioritise(Prioritise { table, updates: vec![] })] {
        let kind = message.kind();
        assert_eq!(wire::pack(&message, vec![], 1), Err(WireError::NotSpoken { kind, protocol: 1 }));
    }
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

proptest! {
    #[test]
    fn no_damage_goes_unnoticed(which in 0..19_usize, place in any::<prop::sample::Index>(), change in 1..=255_u8) {
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
