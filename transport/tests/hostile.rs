//! The learner's two sockets under rubbish and floods, over raw ZeroMQ: actors get their weights all the same. What comes at a
//! shard's socket is in `system-tests/tests/hostile.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use transport::{
    Ack, Endpoint, Hello, Keys, LearnerIdentity, LinkOptions, Message, Pull, Role, Security, Transport,
    WeightsEndpoints, WeightsFollower, WeightsPublisher, make_keys, wire,
};

const SCHEMA: Digest = Digest([5; 32]);
const PATIENCE: Duration = Duration::from_secs(30);
const MESSAGES: usize = 10_000;

struct Field {
    publisher: WeightsPublisher,
    follower: WeightsFollower,
    published: u64,
}

impl Field {
    fn new(of_learner: &Transport, of_actor: &Transport) -> Self {
        let any = || "tcp://127.0.0.1:*".parse::<Endpoint>().unwrap();
        let identity = LearnerIdentity {
            run: RunId([1; 16]),
            token: FencingToken(1),
            incarnation: Incarnation(0),
            schema: SCHEMA,
        };
        let endpoints = WeightsEndpoints { announce: any(), pull: any() };
        let publisher = WeightsPublisher::bind(of_learner, &endpoints, identity).unwrap();
        publish(&publisher, 1);
        let options = LinkOptions {
            heartbeat: Duration::from_millis(100),
            peer_timeout: Duration::from_secs(1),
            ..LinkOptions::default()
        };
        let (follower, _) = WeightsFollower::connect(
            of_actor,
            publisher.endpoints(),
            Role::Actor,
            SCHEMA,
            options,
            &Shutdown::new(),
        )
        .unwrap();
        let mut field = Field { publisher, follower, published: 1 };
        field.check();
        field
    }

    /// The next version arrives.
    fn check(&mut self) {
        self.published += 1;
        publish(&self.publisher, self.published);
        let than = version(self.published - 1);
        let (newest, weights) = self.follower.wait_newer(Some(than), PATIENCE).unwrap().unwrap();
        assert_eq!((newest, weights[0]), (version(self.published), self.published as u8));
    }
}

fn version(number: u64) -> PolicyVersion {
    PolicyVersion { token: FencingToken(1), number }
}

fn publish(publisher: &WeightsPublisher, number: u64) {
    publisher.publish(version(number), Arc::new(vec![number as u8; 10_000]));
}

/// The keys that somebody connects with, where he has any.
struct Pass {
    public: Vec<u8>,
    secret: Vec<u8>,
    server: Vec<u8>,
}

impl Pass {
    /// An actor's of this key folder, to the learner of that one.
    fn read(own: &Path, server: &Path) -> Self {
        let key = |path: PathBuf| zmq::z85_decode(std::fs::read_to_string(path).unwrap().trim()).unwrap();
        Pass {
            public: key(own.join("actor.public")),
            secret: key(own.join("actor.secret")),
            server: key(server.join("learner.public")),
        }
    }
}

fn connect(
    context: &zmq::Context,
    kind: zmq::SocketType,
    endpoint: &Endpoint,
    pass: Option<&Pass>,
) -> zmq::Socket {
    let socket = context.socket(kind).unwrap();
    socket.set_linger(0).unwrap();
    if let Some(Pass { public, secret, server }) = pass {
        socket.set_curve_serverkey(server).unwrap();
        socket.set_curve_publickey(public).unwrap();
        socket.set_curve_secretkey(secret).unwrap();
    }
    socket.connect(endpoint.as_str()).unwrap();
    socket
}

/// Sends, though it may have to wait for the queue; takes what comes back.
fn send(socket: &zmq::Socket, frames: &[Vec<u8>]) {
    let end = Instant::now() + Duration::from_millis(100);
    while socket.send_multipart(frames, zmq::DONTWAIT).is_err() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    while socket.recv_multipart(zmq::DONTWAIT).is_ok() {}
}

fn noise(rng: &mut StdRng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(0..most)];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Noise, or a message that was cut off, changed, or is none that a learner expects.
fn rubbish(rng: &mut StdRng) -> Vec<Vec<u8>> {
    let messages = [
        Message::Hello(Hello::new(Role::Actor, SCHEMA)),
        Message::Hello(Hello::new(Role::Replay, Digest([6; 32]))),
        Message::Pull(Pull { have: None }),
        Message::Ack(Ack { next: SequenceNumber(u64::MAX), limit: SequenceNumber(0) }),
        Message::RunFinished(()),
        Message::UnknownPeer(()),
    ];
    let mut envelope = wire::encode(&messages[rng.random_range(0..messages.len())]).unwrap();
    match rng.random_range(0..6) {
        0 => return vec![noise(rng, 300)],
        1 => return (0..rng.random_range(0..20)).map(|_| noise(rng, 20)).chain([vec![]]).collect(),
        2 => envelope.truncate(rng.random_range(0..envelope.len())),
        3 => {
            let place = rng.random_range(0..envelope.len());
            envelope[place] ^= 1 << rng.random_range(0..8);
        }
        4 => envelope[8..12].fill(0xff),
        _ => {}
    }
    vec![envelope]
}

/// Everything that one can do who may connect to the learner's pull socket.
fn assail_pull(field: &mut Field, context: &zmq::Context, pass: Option<&Pass>) {
    let endpoint = field.publisher.endpoints().pull.clone();
    let mut rng = StdRng::seed_from_u64(1);
    let mut socket = connect(context, zmq::DEALER, &endpoint, pass);
    for number in 0..MESSAGES {
        if number % 100 == 0 {
            // Under a new identity.
            socket = connect(context, zmq::DEALER, &endpoint, pass);
        }
        send(&socket, &rubbish(&mut rng));
        if number % 2500 == 0 {
            field.check();
        }
    }
    field.check();
    let hello = wire::encode(&Message::Hello(Hello::new(Role::Actor, SCHEMA))).unwrap();
    let sockets: Vec<_> = (0..200).map(|_| connect(context, zmq::DEALER, &endpoint, pass)).collect();
    sockets.iter().for_each(|socket| send(socket, std::slice::from_ref(&hello)));
    field.check();
    send(&socket, &vec![vec![7]; 100_000]);
    // More than the learner takes for one frame (256 MiB) is refused by its claim, not by its bytes.
    send(&socket, &[vec![0; 1 << 20]]);
    field.check();
}

/// A subscriber can only subscribe; this one does so to everything there is.
fn assail_announcements(field: &mut Field, context: &zmq::Context, pass: Option<&Pass>) {
    let endpoint = field.publisher.endpoints().announce.clone();
    let mut rng = StdRng::seed_from_u64(2);
    let socket = connect(context, zmq::XSUB, &endpoint, pass);
    for number in 0..MESSAGES {
        let mut bytes = noise(&mut rng, 300);
        if number % 2 == 0 {
            bytes.insert(0, 1);
        }
        send(&socket, &[bytes]);
    }
    field.check();
}

fn curve(role: Role, keys: &Path) -> Transport {
    let keys = Keys::load(keys, role).unwrap();
    Transport::tcp(Security::Curve(Arc::new(keys))).unwrap()
}

#[test]
fn a_learner_on_loopback_serves_on_whatever_comes() {
    let transport = Transport::tcp(Security::Plain { insecure: false }).unwrap();
    let mut field = Field::new(&transport, &transport);
    let context = zmq::Context::new();
    assail_pull(&mut field, &context, None);
    assail_announcements(&mut field, &context, None);
}

#[test]
fn a_learner_with_keys_serves_on_whatever_strangers_and_actors_send() {
    let folder = tempfile::tempdir().unwrap();
    let [keys, others] = ["keys", "others"].map(|name| folder.path().join(name));
    make_keys(&keys, false).unwrap();
    make_keys(&others, false).unwrap();
    let mut field = Field::new(&curve(Role::Learner, &keys), &curve(Role::Actor, &keys));
    let context = zmq::Context::new();
    let (insider, outsider) = (Pass::read(&keys, &keys), Pass::read(&others, &keys));
    let mut rng = StdRng::seed_from_u64(3);
    for pass in [None, Some(&outsider)] {
        let endpoints = field.publisher.endpoints().clone();
        let pull = connect(&context, zmq::DEALER, &endpoints.pull, pass);
        let announcements = connect(&context, zmq::XSUB, &endpoints.announce, pass);
        for _ in 0..MESSAGES {
            // The learner takes none: they fill the stranger's own queues, which are gone once the handshake has failed.
            let _ = pull.send_multipart(rubbish(&mut rng), zmq::DONTWAIT);
            let _ = announcements.send(noise(&mut rng, 300), zmq::DONTWAIT);
        }
        field.check();
    }
    assail_pull(&mut field, &context, Some(&insider));
    assail_announcements(&mut field, &context, Some(&insider));
}
