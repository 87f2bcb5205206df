//! A shard's process under rubbish and floods, from strangers and from somebody who has an actor's key: honest peers
//! are served all the while, memory stays bounded, and what was dropped is counted.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "figures are told to whoever reads the test's output")]

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use common::ids::{ActorId, FencingToken, Incarnation};
use configuration::{FRESH_TABLE, TransportConfig};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use system_tests::{RUN, SCHEMA, Service, ShardProcess, Traffic, impatient};
use transport::{
    Endpoint, Frame, Hello, Message, Pick, Port as _, Prioritise, Role, Sample, SocketPort, Transport, wire,
};

const PATIENCE: Duration = Duration::from_secs(60);
const MESSAGES: usize = 10_000;
/// What the shard may grow by, in bytes. What ZeroMQ holds of one message of many parts is most of it.
const GROWTH: u64 = 128 << 20;

/// Somebody who sends what he likes over a real link.
struct Hostile {
    port: SocketPort,
}

impl Hostile {
    fn new(transport: &Transport, endpoint: &Endpoint) -> Self {
        let mut hostile = Hostile { port: SocketPort::to_shards(transport)(endpoint) };
        hostile.reconnect();
        hostile
    }

    /// On a connection that nobody has greeted.
    fn reconnect(&mut self) {
        self.port.close();
        self.port.open().unwrap();
    }

    /// Whether the link takes it.
    fn offer(&mut self, frames: &[Vec<u8>]) -> bool {
        while self.port.receive().is_some() {}
        self.port.send(frames.iter().map(|frame| Frame::from(frame.as_slice())).collect())
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        let start = Instant::now();
        while !self.offer(frames) {
            assert!(start.elapsed() < PATIENCE, "the shard takes nothing from one who may connect");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn say(&mut self, message: &Message) {
        self.send(&[wire::encode(message).unwrap()]);
    }
}

/// A message that is hardly one: noise, or a real one that was changed.
fn rubbish(rng: &mut StdRng) -> Vec<Vec<u8>> {
    let mut noise = |most: usize| {
        let mut bytes = vec![0; rng.random_range(0..most)];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let (bytes, second) = (noise(300), noise(50));
    match rng.random_range(0..6) {
        0 => vec![bytes],
        1 => vec![bytes; 1 + second.len()],
        2 => vec![sealed(rng.random_range(0..300), &bytes)],
        3 => {
            let mut envelope = honest(rng);
            envelope.truncate(rng.random_range(0..envelope.len()));
            vec![envelope]
        }
        4 => {
            let mut envelope = honest(rng);
            let place = rng.random_range(0..envelope.len());
            envelope[place] ^= 1 << rng.random_range(0..8);
            vec![envelope, second]
        }
        // A length of 4 GiB.
        _ => {
            let mut envelope = sealed(24, &bytes);
            envelope[8..12].fill(0xff);
            vec![envelope]
        }
    }
}

/// Any payload in a sound envelope.
fn sealed(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"LSHR".to_vec();
    bytes.extend(transport::wire::PROTOCOL.to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(common::checksum::crc32c(payload).to_le_bytes());
    bytes.extend(payload);
    bytes
}

fn honest(rng: &mut StdRng) -> Vec<u8> {
    let message = match rng.random_range(0..3) {
        0 => hello(rng.random()),
        1 => sample(),
        _ => Message::Ping(()),
    };
    wire::encode(&message).unwrap()
}

fn hello(actor: u64) -> Message {
    Message::Hello(Hello {
        run: Some(RUN),
        actor: Some(ActorId(actor)),
        incarnation: Some(Incarnation(actor)),
        ..Hello::new(Role::Actor, SCHEMA)
    })
}

fn sample() -> Message {
    let table = FRESH_TABLE.to_owned();
    Message::Sample(Sample { request: 1, table, pick: Pick::Next, steps: u64::MAX, patience_ms: u32::MAX })
}

struct Field {
    shard: ShardProcess,
    service: Service,
    traffic: Traffic,
}

impl Field {
    fn new(folder: &Path, settings: &str, of_peers: [&Transport; 2]) -> Self {
        let shard = ShardProcess::new(folder, "127.0.0.1", &format!("max_frame_mib = 1\n{settings}"));
        let service = shard.start();
        let shards = [shard.endpoint().clone()];
        let mut traffic = Traffic::new(of_peers, &shards, impatient(), (1000, 3, 1000));
        traffic.until(PATIENCE, "the shard serves", |traffic| traffic.acknowledged() >= 20);
        Field { shard, service, traffic }
    }

    fn malformed(&self) -> f64 {
        self.shard.metric("longshore_malformed_messages_total")
    }

    /// Honest peers are served, and memory is bounded.
    fn check(&mut self, memory: u64) {
        let (acknowledged, sampled) = (self.traffic.acknowledged(), self.traffic.sampled().len());
        self.traffic.until(PATIENCE, "honest peers are served", |traffic| {
            traffic.acknowledged() >= acknowledged + 20 && traffic.sampled().len() > sampled
        });
        assert!(
            !self.service.has_ended() && !self.service.log().contains("panicked"),
            "{}",
            self.service.log()
        );
        let grown = self.service.memory().saturating_sub(memory);
        assert!(grown < GROWTH, "the shard has grown by {grown} bytes");
    }

    /// Everything that one can do who may connect.
    fn suffer(&mut self, transport: &Transport) {
        let mut hostile = Hostile::new(transport, self.shard.endpoint());
        let memory = self.service.memory();
        self.rubbish(&mut hostile, memory);
        wrong_order(&mut hostile);
        self.check(memory);
        self.floods(&mut hostile);
        self.check(memory);
        self.oversize(&mut hostile);
        self.check(memory);
        eprintln!("the shard grew by {} KiB", self.service.memory().saturating_sub(memory) >> 10);
    }

    fn rubbish(&mut self, hostile: &mut Hostile, memory: u64) {
        let mut rng = StdRng::seed_from_u64(1);
        let (before, mut malformed) = (self.malformed(), 0.0);
        for number in 0..MESSAGES {
            let message = rubbish(&mut rng);
            malformed += f64::from(u8::from(wire::decode(&message).is_err()));
            hostile.send(&message);
            if number % 100 == 0 {
                self.traffic.turn();
            }
        }
        self.check(memory);
        let shard = &self.shard;
        let counted = || shard.metric("longshore_malformed_messages_total") - before;
        self.traffic.until(PATIENCE, "all rubbish is counted", |_| counted() >= malformed);
        assert_eq!(counted(), malformed);
        assert!(malformed > 0.9 * MESSAGES as f64);
    }

    fn floods(&mut self, hostile: &mut Hostile) {
        for actor in 1000..(1000 + MESSAGES as u64) {
            if actor % 50 == 0 {
                hostile.reconnect();
                self.traffic.turn();
            }
            hostile.say(&hello(actor));
        }
    }

    /// Messages of 100,000 parts, and frames above `transport.max_frame_mib`.
    fn oversize(&mut self, hostile: &mut Hostile) {
        hostile.reconnect();
        let parts = vec![vec![7]; 100_000];
        let before = self.malformed();
        for _ in 0..5 {
            hostile.send(&parts);
            self.traffic.turn();
        }
        // libzmq 4.3.4 aborts a process that closes a connection while half a message is sent and the connection fails.
        let shard = &self.shard;
        let counted = || shard.metric("longshore_malformed_messages_total") - before;
        self.traffic.until(PATIENCE, "all parts have arrived", |_| counted() >= 5.0);
        for _ in 0..5 {
            hostile.reconnect();
            hostile.send(&[vec![0; (1 << 20) + 1]]);
            self.traffic.turn();
        }
    }
}

/// What is no ZeroMQ at all, and a frame that claims to be of 2^62 bytes.
fn raw_bytes(endpoint: &Endpoint, rng: &mut StdRng) {
    let address = endpoint.as_str().strip_prefix("tcp://").unwrap();
    for number in 0..200 {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut bytes = vec![0; 1000];
        rng.fill_bytes(&mut bytes);
        if number % 2 == 0 {
            bytes = b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
            bytes.resize(64, 0);
            bytes.extend(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
            bytes.extend(b"\x02\x40\0\0\0\0\0\0\0");
            bytes.extend([7; 100]);
        }
        // The shard may hang up at any byte.
        let _ = stream.write_all(&bytes);
    }
}

fn transport(settings: TransportConfig, role: Role) -> Transport {
    Transport::from_config(&settings, role).unwrap()
}

#[test]
fn a_shard_on_loopback_serves_on_whatever_comes() {
    let folder = tempfile::tempdir().unwrap();
    let plain = transport(TransportConfig::default(), Role::Actor);
    let mut field = Field::new(folder.path(), "", [&plain; 2]);
    let memory = field.service.memory();
    field.suffer(&plain);
    // Last: without keys libzmq reads noise as messages of its first protocol, and they are counted as malformed at any time.
    raw_bytes(field.shard.endpoint(), &mut StdRng::seed_from_u64(2));
    field.check(memory);
}

/// More than the limit that a shell begins with.
const CONNECTIONS: usize = 1300;

#[test]
fn connections_that_say_nothing_end_no_shard() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = 2 * CONNECTIONS as u64;
    if limit.maximum.is_some_and(|most| most < wanted) {
        eprintln!("SKIPPED: this machine allows fewer than {wanted} file descriptors");
        return;
    }
    let limited_to = |most: u64| {
        let limit = rustix::process::Rlimit { current: Some(most), maximum: limit.maximum };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    };
    // The shard inherits what a shell begins with; this process needs as many as it opens.
    limited_to(1024);
    let folder = tempfile::tempdir().unwrap();
    let plain = transport(TransportConfig::default(), Role::Actor);
    let mut field = Field::new(folder.path(), "", [&plain; 2]);
    limited_to(wanted);
    let address = field.shard.endpoint().as_str().strip_prefix("tcp://").unwrap().to_owned();
    let memory = field.service.memory();
    let mut open = Vec::new();
    for number in 0..CONNECTIONS {
        open.push(TcpStream::connect(&address).unwrap());
        if number % 100 == 0 {
            field.traffic.turn();
        }
    }
    field.check(memory);
    // Also a shard's log still finds a descriptor, for a new segment for example.
    assert!(!field.service.log().contains("Too many open files"), "{}", field.service.log());
    drop(open);
    field.check(memory);
}

#[test]
fn a_shard_with_keys_hears_no_stranger_and_serves_on_whatever_an_actor_sends() {
    let folder = tempfile::tempdir().unwrap();
    let [keys, others] = ["keys", "others"].map(|name| folder.path().join(name));
    transport::make_keys(&keys, false).unwrap();
    transport::make_keys(&others, false).unwrap();
    let with = |keys: &Path| TransportConfig { keys: Some(keys.to_owned()), ..TransportConfig::default() };
    let [actor, learner] = [Role::Actor, Role::Learner].map(|role| transport(with(&keys), role));
    let settings = format!("keys = \"{}\"", keys.display());
    let mut field = Field::new(folder.path(), &settings, [&actor, &learner]);
    let memory = field.service.memory();
    raw_bytes(field.shard.endpoint(), &mut StdRng::seed_from_u64(2));
    for stranger in [TransportConfig::default(), with(&others)] {
        let stranger = transport(stranger, Role::Actor);
        let mut hostile = Hostile::new(&stranger, field.shard.endpoint());
        let mut rng = StdRng::seed_from_u64(3);
        for _ in 0..MESSAGES {
            // The shard takes none: they fill its own queue, which is gone once the handshake has failed.
            if !hostile.offer(&rubbish(&mut rng)) {
                hostile.reconnect();
            }
        }
        field.check(memory);
    }
    assert_eq!(field.malformed(), 0.0);
    let refused = || field.shard.metric("longshore_peers_refused_total{reason=\"key\"}");
    field.traffic.until(PATIENCE, "strangers are counted", |_| refused() > 0.0);
    field.suffer(&actor);
}

/// Sound messages from somebody who said no hello, or said it as another.
fn wrong_order(hostile: &mut Hostile) {
    let prioritise = |priority| {
        Message::Prioritise(Prioritise { table: "replayed".to_owned(), updates: vec![(u64::MAX, priority)] })
    };
    for _ in 0..2 {
        hostile.say(&sample());
        hostile.say(&Message::RunFinished(()));
        hostile.say(&prioritise(f32::NAN));
        hostile.say(&Message::Ping(()));
        hostile.say(&hello(667));
    }
    hostile.reconnect();
    for token in [Some(FencingToken(0)), None] {
        hostile.say(&Message::Hello(Hello { run: Some(RUN), token, ..Hello::new(Role::Learner, SCHEMA) }));
        hostile.say(&sample());
        hostile.say(&Message::RunFinished(()));
    }
}
