//! Actors, shards and a learner in a simulated network: messages are lost, delayed, repeated and overtake each other,
//! links are cut, and everybody crashes, shards with what was not synced. All of it is drawn from one seed.
//!
//! What is promised then: a trajectory that was acknowledged is in its shard, or was evicted there; none is stored twice,
//! none that left comes back; the learner samples none twice out of the queue; actors never follow older weights; and when the
//! faults end, everything arrives.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "long tests tell how far they came")]

mod history;
mod network;
mod nodes;
mod publisher;
mod world;

use world::World;

/// Plays `steps` events of a world and returns how many there were.
fn play(seed: u64, steps: u64) -> u64 {
    let mut world = World::new(seed);
    let played = world.play(steps);
    world.settle();
    played
}

#[test]
fn no_promise_is_broken_whatever_happens_on_the_way() {
    for seed in 0..24 {
        assert_eq!(play(seed, 20_000), 20_000);
    }
}

#[test]
fn one_seed_gives_one_history() {
    let digest = |seed| {
        let mut world = World::new(seed);
        world.play(20_000);
        world.digest()
    };
    assert_eq!(digest(5), digest(5));
    assert_ne!(digest(5), digest(6));
}

/// As long as `LONGSHORE_SOAK_MINUTES` says, and ten million steps at least.
#[test]
#[ignore = "long: ./run soak"]
fn ten_million_steps() {
    let minutes: f64 =
        std::env::var("LONGSHORE_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let start = std::time::Instant::now();
    let (mut steps, mut seed) = (0, 1000);
    while steps < 10_000_000 || start.elapsed().as_secs_f64() < minutes * 60.0 {
        steps += play(seed, 100_000);
        seed += 1;
        if seed % 20 == 0 {
            eprintln!("{steps} steps, {} worlds, {:.0} s", seed - 1000, start.elapsed().as_secs_f64());
        }
    }
    eprintln!("{steps} steps in {} worlds: no promise broken", seed - 1000);
}
