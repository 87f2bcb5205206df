//! A shard's core under whatever peers may say, in any number and order: it goes on, and what it remembers is bounded.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use common::ids::{
    ActorId, Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber, ShardId,
};
use common::seed::{RunSeed, Stream};
use common::trajectory::TrajectoryHeader;
use configuration::FRESH_TABLE;
use rand::Rng as _;
use replay::{Core, Effect, Outgoing, Remembered, Reply};
use transport::{
    Block, Frame, Hello, Incoming, Insert, Message, PeerId, Pick, Prioritise, Pull, Refusal, Role, Sample,
};

const SCHEMA: Digest = Digest([5; 32]);
const RUN: RunId = RunId([1; 16]);
const LEARNER: u32 = 0;

struct Flooded {
    core: Core,
    now: Duration,
}

impl Flooded {
    fn new() -> Self {
        let config = configuration::parse(
            "schema = 1\nname = \"test\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n",
            "test",
            &[],
        )
        .unwrap();
        let tables = config.replay.tables_for(&config.learner);
        let remembered = Some(Remembered::default());
        let core = Core::new(ShardId(0), &config.replay, &tables, config.seed, remembered);
        let mut flooded = Flooded { core, now: Duration::ZERO };
        let claimed = flooded.hear(LEARNER, learner_hello(1));
        assert!(matches!(claimed[..], [Message::Welcome(_)]), "{claimed:?}");
        flooded
    }

    /// What the core answers to `message` on a connection at once.
    fn hear(&mut self, connection: u32, message: Message) -> Vec<Message> {
        self.now += Duration::from_millis(1);
        let peer = peer(connection);
        self.core.handle(incoming(connection, message), self.now);
        self.core.settle(self.now);
        let effects = self.core.take_effects().into_iter();
        let answers = effects.filter_map(|effect| match effect {
            Effect::Send(outgoing) | Effect::SendAfter(outgoing) if outgoing.peer == peer => Some(outgoing),
            _ => None,
        });
        answers.filter_map(message_of).collect()
    }
}

fn incoming(connection: u32, message: Message) -> Incoming {
    let bulk = match &message {
        Message::Insert(insert) => [insert.body, insert.states]
            .map(|block| Frame::from(vec![4; block.stored.length as usize]))
            .into(),
        _ => Vec::new(),
    };
    let envelope = transport::wire::encode(&message).unwrap().into();
    Incoming { peer: peer(connection), role: None, message, bulk, envelope }
}

fn message_of(outgoing: Outgoing) -> Option<Message> {
    assert!(outgoing.pack().is_ok(), "{outgoing:?}");
    match outgoing.reply {
        Reply::Message(message) => Some(message),
        Reply::Batch { .. } | Reply::Bulk(..) => None,
    }
}

fn peer(connection: u32) -> PeerId {
    PeerId::from(connection.to_le_bytes().to_vec())
}

fn learner_hello(token: u32) -> Message {
    Message::Hello(Hello {
        run: Some(RUN),
        token: Some(FencingToken(token)),
        ..Hello::new(Role::Learner, SCHEMA)
    })
}

fn actor_hello(actor: u64, life: u64, first: u64) -> Message {
    Message::Hello(Hello {
        run: Some(RUN),
        actor: Some(ActorId(actor)),
        incarnation: Some(Incarnation(life)),
        first_sequence: SequenceNumber(first),
        ..Hello::new(Role::Actor, SCHEMA)
    })
}

fn insert(actor: u64, life: u64, sequence: u64) -> Message {
    Message::Insert(trajectory(actor, life, sequence))
}

/// With one step in a body of 64 bytes, and states of 1000.
fn trajectory(actor: u64, life: u64, sequence: u64) -> Insert {
    let version = PolicyVersion { token: FencingToken(1), number: 1 };
    let header = TrajectoryHeader {
        actor: ActorId(actor),
        incarnation: Incarnation(life),
        sequence: SequenceNumber(sequence),
        ordinal: sequence,
        first_version: version,
        last_version: version,
        priority: f32::NAN,
        steps: 1,
    };
    Insert { header, body: Block::plain(vec![4; 64]).digest, states: Block::plain(vec![4; 1000]).digest }
}

#[test]
fn hellos_without_number_leave_a_bounded_memory_and_honest_peers_go_on() {
    let mut flooded = Flooded::new();
    flooded.hear(1, actor_hello(1, 1, 0));
    assert!(matches!(flooded.hear(1, insert(1, 1, 0))[..], [Message::Ack(_)]));
    for stranger in 10..200_000 {
        let answer = flooded.hear(stranger, actor_hello(u64::from(stranger), 1, 0));
        assert!(matches!(answer[..], [Message::Welcome(_)]), "{answer:?}");
        assert!(flooded.core.peers() <= 65_537, "{} peers", flooded.core.peers());
    }
    // It may have been forgotten, is then told so, and nothing of it is stored twice.
    let answer = flooded.hear(1, insert(1, 1, 1));
    if matches!(answer[..], [Message::UnknownPeer(())]) {
        assert!(matches!(flooded.hear(1, actor_hello(1, 1, 1))[..], [Message::Welcome(_)]));
        assert!(matches!(flooded.hear(1, insert(1, 1, 1))[..], [Message::Ack(_)]));
    }
    assert_eq!(flooded.core.stats().inserted, 2);
    assert!(matches!(flooded.hear(LEARNER, Message::Ping(()))[..], [Message::Pong(())]));
}

#[test]
fn who_comes_back_on_ever_new_connections_is_one_peer() {
    let mut flooded = Flooded::new();
    for connection in 1..10_000 {
        let (actor, learner) = (2 * connection, 2 * connection + 1);
        assert!(matches!(flooded.hear(actor, actor_hello(1, 1, 0))[..], [Message::Welcome(_)]));
        assert!(matches!(flooded.hear(learner, learner_hello(1))[..], [Message::Welcome(_)]));
    }
    assert_eq!(flooded.core.peers(), 2);
    // What its former connection still says is answered with a request to say hello.
    assert!(matches!(flooded.hear(2, insert(1, 1, 0))[..], [Message::UnknownPeer(())]));
}

#[test]
fn nobody_writes_in_the_name_of_another() {
    let mut flooded = Flooded::new();
    flooded.hear(1, actor_hello(1, 1, 0));
    flooded.hear(2, actor_hello(2, 1, 0));
    let answer = flooded.hear(2, insert(1, 1, 7));
    assert!(
        matches!(&answer[..], [Message::Refused(refused)] if refused.reason == Refusal::Incomplete),
        "{answer:?}"
    );
    assert!(matches!(flooded.hear(1, insert(1, 1, 0))[..], [Message::Ack(_)]));
    assert_eq!(flooded.core.stats().inserted, 1);
}

#[test]
fn who_has_no_credit_is_not_stored_and_honest_actors_go_on() {
    let mut flooded = Flooded::new();
    flooded.hear(1, actor_hello(1, 1, 0));
    flooded.hear(2, actor_hello(2, 1, 0));
    let credits = u64::from(configuration::ReplayConfig::default().credits);
    // Nothing of the answers is waited for.
    let mut refused = 0;
    for sequence in 0..100 * credits {
        let before = flooded.core.stats().inserted;
        flooded.core.handle(incoming(1, insert(1, 1, sequence.min(before))), flooded.now);
        refused += u64::from(flooded.core.stats().inserted == before);
    }
    assert_eq!((flooded.core.stats().inserted, flooded.core.stats().unfit), (credits, refused));
    assert!(matches!(flooded.hear(2, insert(2, 1, 0))[..], [Message::Ack(_)]));
    assert_eq!(flooded.core.stats().inserted, credits + 1);
}

#[test]
fn a_header_that_lies_and_an_item_that_is_too_large_are_dropped_and_acknowledged() {
    let mut flooded = Flooded::new();
    flooded.hear(1, actor_hello(1, 1, 0));
    flooded.hear(1, insert(1, 1, 0));
    let mut steps = trajectory(1, 1, 1);
    steps.header.steps = u32::MAX;
    let mut backwards = trajectory(1, 1, 2);
    backwards.header.first_version.number = 2;
    let most = flooded.core.tables().largest_item().unwrap().1;
    let mut large = trajectory(1, 1, 3);
    large.states = Block::plain(vec![4; most as usize]).digest;
    for unfit in [steps, backwards, large] {
        let sequence = unfit.header.sequence.0;
        let answer = flooded.hear(1, Message::Insert(unfit));
        assert!(matches!(&answer[..], [Message::Ack(ack)] if ack.next.0 == sequence + 1), "{answer:?}");
    }
    let stats = flooded.core.stats();
    assert_eq!((stats.inserted, stats.unfit, stats.evicted, stats.items), (1, 3, 0, 1));
}

#[test]
fn what_was_played_for_a_learner_to_come_waits_for_its_claim() {
    let mut flooded = Flooded::new();
    flooded.hear(1, actor_hello(1, 1, 0));
    let mut early = trajectory(1, 1, 0);
    early.header.last_version.token = FencingToken(2);
    let answer = flooded.hear(1, Message::Insert(early.clone()));
    assert!(matches!(&answer[..], [Message::NotReady(why)] if why.message.contains("claimed")), "{answer:?}");
    flooded.hear(LEARNER, learner_hello(2));
    flooded.hear(1, actor_hello(1, 1, 0));
    assert!(matches!(flooded.hear(1, Message::Insert(early))[..], [Message::Ack(_)]));
    assert_eq!((flooded.core.stats().inserted, flooded.core.stats().unfit), (1, 0));
}

#[test]
fn a_disk_that_is_behind_stops_actors_and_nobody_else() {
    let mut flooded = Flooded::new();
    flooded.hear(1, actor_hello(1, 1, 0));
    flooded.core.set_disk_backlog(u64::MAX);
    for message in [insert(1, 1, 0), actor_hello(1, 1, 0)] {
        let answer = flooded.hear(1, message);
        assert!(
            matches!(&answer[..], [Message::NotReady(why)] if why.message.contains("disk")),
            "{answer:?}"
        );
    }
    assert!(matches!(flooded.hear(1, Message::Ping(()))[..], [Message::Pong(())]));
    assert!(matches!(flooded.hear(LEARNER, Message::Ping(()))[..], [Message::Pong(())]));
    assert_eq!(flooded.core.stats().inserted, 0);
    flooded.core.set_disk_backlog(0);
    assert!(matches!(flooded.hear(1, insert(1, 1, 0))[..], [Message::Ack(_)]));
    assert_eq!(flooded.core.stats().inserted, 1);
}

/// Valid messages with absurd contents, in any order, on a few connections.
#[test]
fn no_message_stops_the_core() {
    let mut flooded = Flooded::new();
    let mut rng = RunSeed(1).rng(Stream::Sampling, 0);
    let numbers = [0, 1, 2, 3, u64::MAX - 1, u64::MAX];
    for life in 10..100_000 {
        if life % 10 == 0 {
            // Among them somebody who says what he should.
            flooded.hear(5, actor_hello(5, life, 0));
            flooded.hear(5, insert(5, life, 0));
        }
        let number = |rng: &mut rand_chacha::ChaCha8Rng| numbers[rng.random_range(0..numbers.len())];
        let (a, b, c) = (number(&mut rng), number(&mut rng), number(&mut rng));
        let table = [FRESH_TABLE, "replayed", "", "no such table"][rng.random_range(0..4)].to_owned();
        let version = PolicyVersion { token: FencingToken(a as u32), number: b };
        let message = match rng.random_range(0..12) {
            0 => actor_hello(a, b, c),
            1 => learner_hello(1),
            2 => insert(a, b, c),
            3 => Message::Sample(Sample {
                request: a,
                table,
                pick: Pick::Next,
                steps: b,
                patience_ms: c as u32,
            }),
            4 => Message::Sample(Sample {
                request: a,
                table,
                pick: Pick::Turn(version),
                steps: b,
                patience_ms: c as u32,
            }),
            5 => {
                let priorities = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX];
                Message::Prioritise(Prioritise {
                    table,
                    updates: priorities.map(|priority| (a, priority)).into(),
                })
            }
            6 => Message::Pull(Pull { have: Some(version) }),
            7 => Message::Pong(()),
            8 => Message::Ping(()),
            9 => Message::RunFinished(()),
            10 => Message::UnknownPeer(()),
            _ => Message::Hello(Hello { run: None, ..Hello::new(Role::Replay, SCHEMA) }),
        };
        flooded.hear(rng.random_range(0..4), message);
    }
    assert!(flooded.core.stats().inserted > 9000, "{:?}", flooded.core.stats());
    flooded.hear(LEARNER, learner_hello(1));
    assert!(matches!(flooded.hear(LEARNER, Message::Ping(()))[..], [Message::Pong(())]));
    flooded.hear(1, actor_hello(77, 1, 0));
    assert!(matches!(flooded.hear(1, insert(77, 1, 0))[..], [Message::Ack(_)]));
}
