//! Weights from a learner to actors over real links.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::ExitStatus as _;
use common::Shutdown;
use common::ids::{Digest, FencingToken, Incarnation, PolicyVersion, RunId};
use transport::{
    Hello, Keys, LearnerIdentity, LinkOptions, Message, Refusal, Role, Security, Transport, TransportError,
    WeightsEndpoints, WeightsFollower, WeightsPublisher, make_keys, wire,
};

const SCHEMA: Digest = Digest([5; 32]);
const PATIENCE: Duration = Duration::from_secs(20);

fn learner(run: u8, token: u32) -> LearnerIdentity {
    let (run, token) = (RunId([run; 16]), FencingToken(token));
    LearnerIdentity { run, token, incarnation: Incarnation(0), schema: SCHEMA }
}

fn version(token: u32, number: u64) -> PolicyVersion {
    PolicyVersion { token: FencingToken(token), number }
}

fn any_port() -> WeightsEndpoints {
    let endpoint = || "tcp://127.0.0.1:*".parse().unwrap();
    WeightsEndpoints { announce: endpoint(), pull: endpoint() }
}

fn link(reach_deadline: Duration) -> LinkOptions {
    LinkOptions {
        heartbeat: Duration::from_millis(100),
        peer_timeout: Duration::from_secs(1),
        reach_deadline,
        ..LinkOptions::default()
    }
}

fn follow(
    transport: &Transport,
    endpoints: &WeightsEndpoints,
    schema: Digest,
) -> Result<WeightsFollower, TransportError> {
    let options = link(Duration::from_secs(2));
    let (follower, run) =
        WeightsFollower::connect(transport, endpoints, Role::Actor, schema, options, &Shutdown::new())?;
    assert_eq!(run, RunId([1; 16]));
    Ok(follower)
}

fn publish(publisher: &WeightsPublisher, version: PolicyVersion) {
    publisher.publish(version, Arc::new(vec![version.number as u8; 100_000]));
}

fn plain() -> Transport {
    Transport::tcp(Security::Plain { insecure: false }).unwrap()
}

fn newest_is_followed(of_learner: &Transport, of_actor: &Transport, endpoints: &WeightsEndpoints) {
    let publisher = WeightsPublisher::bind(of_learner, endpoints, learner(1, 1)).unwrap();
    publish(&publisher, version(1, 1));
    let mut follower = follow(of_actor, publisher.endpoints(), SCHEMA).unwrap();
    let (first, weights) = follower.wait_newer(None, PATIENCE).unwrap().unwrap();
    assert_eq!((first, weights.len(), weights[0]), (version(1, 1), 100_000, 1));
    assert_eq!(follower.newest().unwrap(), None);
    (2..=9).for_each(|number| publish(&publisher, version(1, number)));
    let (newest, _) = follower.wait_newer(Some(version(1, 8)), PATIENCE).unwrap().unwrap();
    assert_eq!(newest, version(1, 9));
    publisher.finish();
    assert_eq!(follower.wait_newer(Some(newest), PATIENCE).unwrap(), None);
    assert!(follower.run_finished());
}

#[test]
fn the_newest_version_is_followed_within_a_process() {
    let transport = Transport::inproc();
    newest_is_followed(&transport, &transport, &WeightsEndpoints::inproc());
}

#[test]
fn the_newest_version_is_followed_over_encrypted_tcp() {
    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path(), false).unwrap();
    let [learner, actor] = [Role::Learner, Role::Actor].map(|role| {
        let keys = Keys::load(folder.path(), role).unwrap();
        Transport::tcp(Security::Curve(Arc::new(keys))).unwrap()
    });
    newest_is_followed(&learner, &actor, &any_port());
}

/// The library frees the address of a socket that was closed in the background.
fn bound_again(
    transport: &Transport,
    endpoints: &WeightsEndpoints,
    identity: LearnerIdentity,
) -> WeightsPublisher {
    let start = Instant::now();
    loop {
        match WeightsPublisher::bind(transport, endpoints, identity) {
            Ok(publisher) => return publisher,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_follower_goes_on_with_a_restarted_learner_and_refuses_another_run() {
    let transport = plain();
    let publisher = WeightsPublisher::bind(&transport, &any_port(), learner(1, 1)).unwrap();
    publish(&publisher, version(1, 5));
    let endpoints = publisher.endpoints().clone();
    let mut follower = follow(&transport, &endpoints, SCHEMA).unwrap();
    assert!(follower.wait_newer(None, PATIENCE).unwrap().is_some());
    drop(publisher);
    let publisher = bound_again(&transport, &endpoints, learner(1, 2));
    publish(&publisher, version(2, 4));
    assert_eq!(follower.wait_newer(None, PATIENCE).unwrap().unwrap().0, version(2, 4));
    drop(publisher);
    let publisher = bound_again(&transport, &endpoints, learner(3, 9));
    publish(&publisher, version(9, 9));
    let error = follower.wait_newer(None, PATIENCE).unwrap_err();
    assert!(matches!(error, TransportError::Refused { reason: Refusal::OtherRun, .. }), "{error}");
}

#[test]
fn a_learner_that_is_not_there_is_an_error_after_the_deadline() {
    let transport = plain();
    let endpoints = {
        let publisher = WeightsPublisher::bind(&transport, &any_port(), learner(1, 1)).unwrap();
        publisher.endpoints().clone()
    };
    let start = Instant::now();
    let error = follow(&transport, &endpoints, SCHEMA).unwrap_err();
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    assert_eq!(error.exit_code(), common::ExitCode::Unreachable);
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert!(error.to_string().contains(endpoints.pull.as_str()), "{error}");
}

/// A learner of another version, as far as an actor sees it: every message has that protocol.
fn answer_in_protocol(found: u16, context: &zmq::Context) -> (WeightsEndpoints, std::thread::JoinHandle<()>) {
    let [router, publisher] = [zmq::ROUTER, zmq::PUB].map(|kind| {
        let socket = context.socket(kind).unwrap();
        socket.bind("tcp://127.0.0.1:*").unwrap();
        socket
    });
    let [pull, announce] =
        [&router, &publisher].map(|socket| socket.get_last_endpoint().unwrap().unwrap().parse().unwrap());
    let answer = std::thread::spawn(move || {
        let _publisher = publisher;
        let mut frames = router.recv_multipart(0).unwrap();
        frames[1] = wire::encode(&Message::UnknownPeer(())).unwrap();
        frames[1][4..6].copy_from_slice(&found.to_le_bytes());
        router.send_multipart(frames, 0).unwrap();
    });
    (WeightsEndpoints { announce, pull }, answer)
}

#[test]
fn services_of_different_versions_refuse_each_other() {
    let context = zmq::Context::new();
    let (endpoints, answer) = answer_in_protocol(9, &context);
    let error = follow(&plain(), &endpoints, SCHEMA).unwrap_err();
    assert!(matches!(error, TransportError::Refused { reason: Refusal::Protocol, .. }), "{error}");
    assert!(error.to_string().contains("protocol 9"), "{error}");
    answer.join().unwrap();
    // The other way round: who says hello in another protocol is shown the learner's.
    let transport = plain();
    let publisher = WeightsPublisher::bind(&transport, &any_port(), learner(1, 1)).unwrap();
    let socket = context.socket(zmq::DEALER).unwrap();
    socket.connect(publisher.endpoints().pull.as_str()).unwrap();
    let mut hello = wire::encode(&Message::Hello(Hello::new(Role::Actor, SCHEMA))).unwrap();
    hello[4..6].copy_from_slice(&2_u16.to_le_bytes());
    socket.send(hello, 0).unwrap();
    assert_eq!(wire::decode(&socket.recv_multipart(0).unwrap()), Ok(Message::UnknownPeer(())));
}

#[test]
fn another_schema_is_refused() {
    let transport = Transport::inproc();
    let publisher = WeightsPublisher::bind(&transport, &WeightsEndpoints::inproc(), learner(1, 1)).unwrap();
    publish(&publisher, version(1, 1));
    let error = follow(&transport, publisher.endpoints(), Digest([6; 32])).unwrap_err();
    assert!(matches!(error, TransportError::Refused { reason: Refusal::OtherSchema, .. }), "{error}");
}
