//! Shards with real links: what an actor inserts is what a learner samples, whatever happens on the way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::ExitStatus as _;
use common::Shutdown;
use common::ids::{ActorId, FencingToken, PolicyVersion, RunId};
use configuration::{FRESH_TABLE, REPLAYED_TABLE};
use support::{
    PATIENCE, RUN, RunningShard, curve, directory, fresh, insert, learner, link, pairs, plain, sampler,
    try_writer, wait_until, writer,
};
use transport::{
    Endpoint, KeyPair, Refusal, Role, Selector, TrajectorySampler, Transport, TransportError,
    WeightsEndpoints, WeightsFollower, WeightsPublisher,
};

const FRESH: Selector<'_> = Selector::Table(FRESH_TABLE);
const ANY_PORT: &str = "tcp://127.0.0.1:*";

fn endpoints(shards: &[&RunningShard]) -> Vec<Endpoint> {
    shards.iter().map(|shard| shard.endpoint.clone()).collect()
}

/// Two actors write, one learner samples: each item comes once, whole, and both shards had their share.
fn everything_arrives_once(
    of_shard: &Transport,
    of_learner: &Transport,
    of_actor: &Transport,
    addresses: [&str; 2],
) {
    let settings = [
        "replay.credits=4",
        "learner.replayed_share=0.5",
        &fresh(200),
        "replay.tables.replayed={sampler=\"uniform\"}",
    ];
    let shards = [0, 1].map(|id| RunningShard::start(of_shard, id, addresses[id as usize], &settings));
    let addresses = endpoints(&[&shards[0], &shards[1]]);
    let mut sampler = sampler(of_learner, &addresses);
    let actors: Vec<_> = [1, 2]
        .map(|actor| {
            let mut writer = writer(of_actor, &addresses, actor, RUN);
            std::thread::spawn(move || {
                (0..100).for_each(|ordinal| insert(&mut writer, actor, ordinal, 1).unwrap());
                writer.flush(PATIENCE).unwrap();
            })
        })
        .into();
    let mut seen = BTreeSet::new();
    while seen.len() < 200 {
        let items = sampler.sample(FRESH, 500, Duration::from_millis(500)).unwrap();
        for item in items {
            let ordinal = item.header.ordinal;
            assert_eq!(*item.body.open().unwrap(), support::body(ordinal));
            assert_eq!(*item.states.open().unwrap(), [ordinal as u8; 1000]);
            assert!(seen.insert((item.header.actor, ordinal)), "an item came twice");
        }
    }
    actors.into_iter().for_each(|actor| actor.join().unwrap());
    let replayed = sampler.sample(Selector::Table(REPLAYED_TABLE), 100, PATIENCE).unwrap();
    assert!(
        replayed.len() >= 10 && replayed.iter().all(|item| (item.probability - 1.0 / 200.0).abs() < 1e-9)
    );
    assert!(replayed.iter().all(|item| item.population == 200));
    let summaries = shards.map(RunningShard::stop);
    assert!(summaries.iter().all(|shard| !shard.run_finished));
    let inserted = summaries.map(|shard| shard.stats.inserted);
    assert!(inserted.iter().sum::<u64>() == 200 && inserted.iter().all(|count| *count >= 50), "{inserted:?}");
}

#[test]
fn everything_arrives_once_within_a_process() {
    let transport = Transport::inproc();
    everything_arrives_once(&transport, &transport, &transport, ["inproc://shard-0", "inproc://shard-1"]);
}

#[test]
fn everything_arrives_once_over_encrypted_tcp() {
    let pairs = pairs();
    let [learner, shard, actor] = Role::ALL.map(|role| curve(role, &pairs));
    everything_arrives_once(&shard, &learner, &actor, [ANY_PORT, ANY_PORT]);
}

#[test]
fn a_turn_is_complete_ordered_and_of_one_version() {
    let transport = Transport::inproc();
    let shards = [0, 1].map(|id| RunningShard::start(&transport, id, &format!("inproc://turn-{id}"), &[]));
    let addresses = endpoints(&[&shards[0], &shards[1]]);
    let mut sampler = sampler(&transport, &addresses);
    let version = PolicyVersion { token: FencingToken(1), number: 7 };
    let selector = Selector::Turn { version, count: 12 };
    let mut writers = [1, 0].map(|actor| (actor, writer(&transport, &addresses, actor, RUN)));
    for (actor, writer) in &mut writers {
        insert(writer, *actor, 0, 6).unwrap();
        (1..6).for_each(|ordinal| insert(writer, *actor, ordinal, 7).unwrap());
        writer.flush(PATIENCE).unwrap();
    }
    assert_eq!(sampler.sample(selector, 0, Duration::from_millis(100)).unwrap(), []);
    for (actor, writer) in &mut writers {
        insert(writer, *actor, 6, 7).unwrap();
        writer.flush(PATIENCE).unwrap();
    }
    let turn = sampler.sample(selector, 0, PATIENCE).unwrap();
    let order: Vec<_> = turn.iter().map(|item| (item.header.actor, item.header.ordinal)).collect();
    let expected: Vec<_> =
        [0, 1].into_iter().flat_map(|actor| (1..7).map(move |n| (ActorId(actor), n))).collect();
    assert_eq!(order, expected);
    for shard in shards {
        shard.stop();
    }
}

#[test]
fn a_stranger_is_turned_away() {
    let pairs = pairs();
    let shard = RunningShard::start(&curve(Role::Replay, &pairs), 0, ANY_PORT, &[]);
    let addresses = endpoints(&[&shard]);
    let mut sampler = sampler(&curve(Role::Learner, &pairs), &addresses);
    let mut false_pairs = pairs.clone();
    false_pairs[Role::Actor as usize] = KeyPair::generate().unwrap();
    // One with a key that nobody knows, one without a key, and a learner's key where a shard's peer is no learner.
    for transport in [curve(Role::Actor, &false_pairs), plain()] {
        let identity = learner(RUN, 1);
        let options = transport::LinkOptions { reach_deadline: Duration::from_millis(500), ..link() };
        let mut stranger = TrajectorySampler::connect(
            &transport,
            &directory(&addresses),
            identity,
            options,
            &Shutdown::new(),
        )
        .unwrap();
        let error = stranger.sample(FRESH, 1, PATIENCE).unwrap_err();
        assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
        assert_eq!(error.exit_code(), common::ExitCode::Unreachable);
    }
    // An actor's key does not make a learner.
    let mut actor = TrajectorySampler::connect(
        &curve(Role::Actor, &pairs),
        &directory(&addresses),
        learner(RUN, 9),
        link(),
        &Shutdown::new(),
    )
    .unwrap();
    let error = actor.sample(FRESH, 1, PATIENCE).unwrap_err();
    assert!(matches!(error, TransportError::Refused { reason: Refusal::WrongRole, .. }), "{error}");
    sampler.poll().unwrap();
    assert_eq!(sampler.live_shards(), 1);
    shard.stop();
}

#[test]
fn other_runs_and_older_learners_are_refused_and_newer_ones_take_over() {
    let transport = Transport::inproc();
    let shard = RunningShard::start(&transport, 0, "inproc://claimed", &[]);
    let addresses = endpoints(&[&shard]);
    let mut first = sampler(&transport, &addresses);
    let other = RunId([9; 16]);
    let error = try_writer(&transport, &addresses, 1, other, None)
        .and_then(|mut intruder| insert(&mut intruder, 1, 0, 1))
        .unwrap_err();
    assert!(matches!(error, TransportError::Refused { reason: Refusal::OtherRun, .. }), "{error}");
    assert_eq!(error.exit_code(), common::ExitCode::Refused);

    let connect = |run, token| {
        TrajectorySampler::connect(
            &transport,
            &directory(&addresses),
            learner(run, token),
            link(),
            &Shutdown::new(),
        )
    };
    // The refusal may come while it connects or later.
    let refused = |run, token| {
        let sampled = connect(run, token).and_then(|mut sampler| sampler.sample(FRESH, 1, PATIENCE));
        match sampled {
            Err(TransportError::Refused { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(other, 5), Refusal::OtherRun);
    assert_eq!(refused(RUN, 0), Refusal::OldToken);

    let mut writer = writer(&transport, &addresses, 2, RUN);
    insert(&mut writer, 2, 0, 1).unwrap();
    writer.flush(PATIENCE).unwrap();
    let mut second = connect(RUN, 2).unwrap();
    assert_eq!(second.sample(FRESH, 1, PATIENCE).unwrap().len(), 1);
    let error = first.sample(FRESH, 1, PATIENCE).unwrap_err();
    assert!(matches!(error, TransportError::Refused { reason: Refusal::OldToken, .. }), "{error}");
    insert(&mut writer, 2, 1, 1).unwrap();
    writer.flush(PATIENCE).unwrap();
    assert_eq!(second.sample(FRESH, 1, PATIENCE).unwrap().len(), 1);
    shard.stop();
}

#[test]
fn a_shard_that_dies_costs_its_share_and_is_found_again() {
    let transport = plain();
    let first = RunningShard::start(&transport, 0, ANY_PORT, &[]);
    let second = RunningShard::start(&transport, 1, ANY_PORT, &[]);
    let addresses = endpoints(&[&first, &second]);
    let mut sampler = sampler(&transport, &addresses);
    let mut writer = writer(&transport, &addresses, 1, RUN);
    (0..10).for_each(|ordinal| insert(&mut writer, 1, ordinal, 1).unwrap());
    writer.flush(PATIENCE).unwrap();
    // It keeps what it has acknowledged in memory, and takes it along.
    let lost = second.stop().stats.items as usize;
    // Some of these go to the dead shard's spool before its loss is noticed, the rest to the other.
    (10..40).for_each(|ordinal| insert(&mut writer, 1, ordinal, 1).unwrap());
    let second = RunningShard::start(&transport, 1, addresses[1].as_str(), &[]);
    wait_until(|| {
        sampler.poll().unwrap();
        writer.poll();
        writer.flush(Duration::ZERO).is_ok() && sampler.live_shards() == 2
    });
    let mut seen = BTreeSet::new();
    wait_until(|| {
        let items = sampler.sample(FRESH, 10, Duration::from_millis(200)).unwrap();
        items.iter().for_each(|item| assert!(seen.insert(item.header.ordinal)));
        seen.len() == 40 - lost
    });
    first.stop();
    second.stop();
}

#[test]
fn actors_do_not_run_ahead_of_a_learner_that_does_not_ask() {
    let transport = Transport::inproc();
    let settings = ["replay.credits=2", "actor.unroll=10", &fresh(50)];
    let shard = RunningShard::start(&transport, 0, "inproc://limited", &settings);
    let addresses = endpoints(&[&shard]);
    let mut sampler = sampler(&transport, &addresses);
    let mut writer = writer(&transport, &addresses, 1, RUN);
    let inserted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&inserted);
    let actor = std::thread::spawn(move || {
        for ordinal in 0..100 {
            insert(&mut writer, 1, ordinal, 1).unwrap();
            counter.store(ordinal + 1, Ordering::SeqCst);
        }
        writer.flush(PATIENCE)
    });
    wait_until(|| inserted.load(Ordering::SeqCst) >= 5);
    std::thread::sleep(Duration::from_millis(100));
    // Of ten steps each.
    let ahead = inserted.load(Ordering::SeqCst);
    assert!((5..=7).contains(&ahead), "{ahead} trajectories: at most two credits more than the limit");
    // More than the limit is served all the same when the learner asks for it.
    let batch = sampler.sample(FRESH, 900, PATIENCE).unwrap();
    assert!(batch.len() >= 90);
    wait_until(|| sampler.sample(FRESH, 1000, Duration::from_millis(100)).unwrap().is_empty());
    actor.join().unwrap().unwrap();
    shard.stop();
}

#[test]
fn the_end_of_the_run_ends_shards_and_releases_actors() {
    let transport = Transport::inproc();
    let shard = RunningShard::start(
        &transport,
        0,
        "inproc://ending",
        &["replay.credits=1", "actor.unroll=1", &fresh(1)],
    );
    let addresses = endpoints(&[&shard]);
    let mut sampler = sampler(&transport, &addresses);
    let mut writer = writer(&transport, &addresses, 1, RUN);
    insert(&mut writer, 1, 0, 1).unwrap();
    let actor = std::thread::spawn(move || {
        (1..).map(|ordinal| insert(&mut writer, 1, ordinal, 1)).find_map(Result::err).unwrap()
    });
    sampler.finish().unwrap();
    let summary = shard.join();
    assert!(summary.run_finished && summary.run == Some(RUN));
    let error = actor.join().unwrap();
    assert!(matches!(error, TransportError::RunFinished), "{error}");
}

#[test]
fn a_trajectory_that_no_peer_would_accept_is_refused_at_once() {
    let config = support::config(&["transport.max_frame_mib=1"]);
    let transport = Transport::from_config(&config.transport, Role::Actor).unwrap();
    let mut writer = writer(&transport, &["tcp://127.0.0.1:9".parse().unwrap()], 1, RUN);
    // Bytes that no compression makes fit.
    let mut noise = vec![0; (1 << 20) + 1];
    rand::RngCore::fill_bytes(&mut common::RunSeed(1).rng(common::seed::Stream::Sampling, 0), &mut noise);
    let error = writer.insert(support::header(1, 0, 1), Vec::new(), noise).unwrap_err();
    assert!(error.to_string().contains("max_frame_mib"), "{error}");
}

/// A shard fetches weights once and gives them to actors, who ask the learner themselves only where there is no shard.
#[test]
fn shards_relay_weights() {
    let transport = plain();
    let any = || "tcp://127.0.0.1:*".parse().unwrap();
    let learner_addresses = WeightsEndpoints { announce: any(), pull: any() };
    let publisher = WeightsPublisher::bind(&transport, &learner_addresses, learner(RUN, 1)).unwrap();
    let version = |number| PolicyVersion { token: FencingToken(1), number };
    publisher.publish(version(1), vec![1; 1000].into());
    let shard = RunningShard::start_relaying(&transport, 0, ANY_PORT, &[], publisher.endpoints().clone());
    let addresses = endpoints(&[&shard]);
    let _sampler = sampler(&transport, &addresses);
    let follow = || {
        let endpoints = publisher.endpoints();
        let (schema, shutdown) = (support::SCHEMA, Shutdown::new());
        let follower =
            WeightsFollower::connect(&transport, endpoints, Role::Actor, schema, link(), &shutdown);
        let (mut follower, _) = follower.unwrap();
        follower.ask_shards_first();
        follower
    };
    let mut actor = support::try_writer(&transport, &addresses, 1, RUN, Some(follow())).unwrap();
    let mut newer = |than: Option<u64>| {
        let (newest, weights) = actor.wait_newer_weights(than.map(version), PATIENCE).unwrap().unwrap();
        assert_eq!(**weights, [newest.number as u8; 1000]);
        newest
    };
    assert_eq!(newer(None), version(1));
    publisher.publish(version(2), vec![2; 1000].into());
    assert_eq!(newer(Some(1)), version(2));
    shard.stop();
    // Without a shard the learner is asked.
    publisher.publish(version(3), vec![3; 1000].into());
    assert_eq!(newer(Some(2)), version(3));
}

fn on_disk(folder: &std::path::Path) -> [String; 2] {
    ["replay.durability=\"disk\"".to_owned(), format!("replay.folder=\"{}\"", folder.display())]
}

/// What was acknowledged is there after a restart, once; the claim is, too; and after the end of the run the next one may
/// have the folder.
#[test]
fn a_shard_on_a_disk_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let settings = on_disk(folder.path());
    let settings = settings.each_ref().map(String::as_str);
    let transport = plain();
    let shard = RunningShard::start(&transport, 0, ANY_PORT, &settings);
    let addresses = endpoints(&[&shard]);
    let first = sampler(&transport, &addresses);
    let mut writer = writer(&transport, &addresses, 1, RUN);
    (0..20).for_each(|ordinal| insert(&mut writer, 1, ordinal, 1).unwrap());
    writer.flush(PATIENCE).unwrap();
    drop(first);
    shard.stop();
    // Of the same run, before any learner has come; and it knows which number comes next.
    let shard = RunningShard::start(&transport, 0, addresses[0].as_str(), &settings);
    (20..25).for_each(|ordinal| insert(&mut writer, 1, ordinal, 1).unwrap());
    writer.flush(PATIENCE).unwrap();
    let mut second = sampler(&transport, &addresses);
    let sampled = second.sample(FRESH, 250, PATIENCE).unwrap();
    let ordinals: Vec<_> = sampled.iter().map(|item| item.header.ordinal).collect();
    assert_eq!(ordinals, (0..25).collect::<Vec<_>>());
    shard.stop();
    // What was sampled is gone after the restart.
    let shard = RunningShard::start(&transport, 0, addresses[0].as_str(), &settings);
    wait_until(|| {
        second.sample(FRESH, 10, Duration::from_millis(50)).unwrap().is_empty() && second.live_shards() == 1
    });
    insert(&mut writer, 1, 25, 1).unwrap();
    writer.flush(PATIENCE).unwrap();
    second.finish().unwrap();
    assert!(shard.join().run_finished);
    let shard = RunningShard::start(&transport, 0, addresses[0].as_str(), &settings);
    let other = learner(RunId([9; 16]), 1);
    let mut next =
        TrajectorySampler::connect(&transport, &directory(&addresses), other, link(), &Shutdown::new())
            .unwrap();
    wait_until(|| {
        next.poll().unwrap();
        next.live_shards() == 1
    });
    assert_eq!(shard.stop().stats.items, 0);
}

/// A shard that comes up for another run, say with another's folder, costs its share and no more.
#[test]
fn a_shard_that_comes_back_for_another_run_ends_nobody() {
    let transport = plain();
    let first = RunningShard::start(&transport, 0, ANY_PORT, &[]);
    let second = RunningShard::start(&transport, 1, ANY_PORT, &[]);
    let addresses = endpoints(&[&first, &second]);
    let mut ours = sampler(&transport, &addresses);
    let mut writer = writer(&transport, &addresses, 1, RUN);
    insert(&mut writer, 1, 0, 1).unwrap();
    second.stop();
    let second = RunningShard::start(&transport, 1, addresses[1].as_str(), &[]);
    // Whoever says hello first has it; both are tried until the other run does.
    let other = learner(RunId([9; 16]), 1);
    let mut theirs =
        TrajectorySampler::connect(&transport, &directory(&addresses[1..]), other, link(), &Shutdown::new())
            .unwrap();
    wait_until(|| theirs.poll().is_err() || theirs.live_shards() == 1);
    if theirs.live_shards() == 1 {
        wait_until(|| {
            ours.poll().unwrap();
            writer.poll();
            ours.live_shards() == 1
        });
    }
    let mut ordinals = 1..;
    let mut seen = 0;
    wait_until(|| {
        insert(&mut writer, 1, ordinals.next().unwrap(), 1).unwrap();
        seen += ours.sample(FRESH, 10, Duration::from_millis(50)).unwrap().len();
        seen >= 20
    });
    first.stop();
    second.stop();
}
