//! A shard that is killed with -9 again and again, at every operation of its disk and at random times: what it has
//! acknowledged is there, nothing is there twice, nothing is sampled twice, and its peers go on when it is back.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "figures are told to whoever reads the test's output")]

mod history;

use std::time::{Duration, Instant};

use common::seed::{RunSeed, Stream};
use history::History;
use rand::Rng as _;
use system_tests::{Fault, ShardProcess, Traffic, impatient};
use tempfile::TempDir;
use transport::{LinkOptions, Security, Transport};

const PATIENCE: Duration = Duration::from_secs(60);
/// Ten trajectories fill a segment.
const STATE_BYTES: usize = 100_000;
/// Trajectories that the learner asks for at once.
const BATCH: u64 = 3;
/// Operations of a shard that starts, fills two segments and removes one.
const OPERATIONS: u64 = 70;

struct Field {
    shard: ShardProcess,
    traffic: Traffic,
    history: History,
    _folder: TempDir,
}

impl Field {
    fn new(options: LinkOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shard = ShardProcess::new(folder.path(), "127.0.0.1", "");
        let transport = Transport::tcp(Security::Plain { insecure: false }).unwrap();
        let traffic =
            Traffic::new([&transport; 2], &[shard.endpoint().clone()], options, (STATE_BYTES, BATCH, 1000));
        Field { shard, traffic, history: History::default(), _folder: folder }
    }

    /// A life that ends at one operation of the disk.
    fn die_at(&mut self, fault: Fault, at: u64) {
        let mut service = self.shard.start_faulty(fault, at);
        self.traffic.until(PATIENCE, "the shard dies", |_| service.has_ended());
        assert!(!service.log().contains("panicked"), "{}", service.log());
        self.history.examine(&self.shard.segments(), &self.traffic, BATCH);
    }

    /// A life of that length.
    fn kill_after(&mut self, time: Duration) {
        let mut service = self.shard.start();
        let end = Instant::now() + time;
        self.traffic.until(PATIENCE, "its time comes", |_| Instant::now() >= end);
        service.kill().unwrap();
        self.history.examine(&self.shard.segments(), &self.traffic, BATCH);
    }

    /// A last life: everything arrives.
    fn settle(mut self) -> u64 {
        let _service = self.shard.start();
        let offered = self.traffic.offered();
        self.traffic.until(PATIENCE, "it goes on", |traffic| traffic.acknowledged() >= offered + 20);
        let start = Instant::now();
        let lost = |traffic: &Traffic| traffic.offered() - traffic.sampled().len() as u64;
        let most = self.history.kills() * BATCH;
        while self.traffic.acknowledged() < self.traffic.offered() || lost(&self.traffic) > most {
            assert!(start.elapsed() < PATIENCE, "not everything arrives: {:?}", self.traffic);
            self.traffic.acknowledge();
            self.traffic.sample();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.history.end(&self.traffic, BATCH);
        self.history.kills()
    }
}

#[test]
fn a_kill_at_an_operation_of_the_disk_loses_nothing() {
    let mut field = Field::new(impatient());
    let mut rng = RunSeed(2).rng(Stream::Sampling, 0);
    for fault in [Fault::DieBefore, Fault::DieHalfway, Fault::DieAfter] {
        for quarter in 0..4 {
            let width = OPERATIONS / 4;
            field.die_at(fault, quarter * width + rng.random_range(0..width));
        }
    }
    assert_eq!(field.settle(), 12);
}

#[test]
fn a_kill_at_any_time_loses_nothing() {
    let mut field = Field::new(impatient());
    let mut rng = RunSeed(3).rng(Stream::Sampling, 0);
    for _ in 0..8 {
        field.kill_after(Duration::from_millis(rng.random_range(0..1000)));
    }
    assert_eq!(field.settle(), 8);
}

#[test]
#[ignore = "long: ./run soak"]
fn two_hundred_kills_at_every_operation_of_the_disk() {
    let mut field = Field::new(impatient());
    for at in 0..OPERATIONS {
        for fault in [Fault::DieBefore, Fault::DieHalfway, Fault::DieAfter] {
            field.die_at(fault, at);
        }
    }
    assert_eq!(field.settle(), 3 * OPERATIONS);
}

/// As long as `LONGSHORE_SOAK_MINUTES` says, and a hundred at least.
#[test]
#[ignore = "long: ./run soak"]
fn a_hundred_kills_at_random_times() {
    let minutes: f64 =
        std::env::var("LONGSHORE_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let (start, mut field) = (Instant::now(), Field::new(impatient()));
    let mut rng = RunSeed(4).rng(Stream::Sampling, 0);
    while field.history.kills() < 100 || start.elapsed().as_secs_f64() < minutes * 60.0 {
        field.kill_after(Duration::from_millis(rng.random_range(0..2000)));
    }
    field.settle();
}

/// The peers have a service's own patience. The figure is printed; what is asserted is only that they go on.
#[test]
fn peers_go_on_soon_after_a_shard_is_back() {
    let mut field = Field::new(LinkOptions::default());
    let mut rng = RunSeed(5).rng(Stream::Sampling, 0);
    let mut slowest = [Duration::ZERO; 2];
    let mut service = field.shard.start();
    for life in 1..=6 {
        let until = Instant::now() + Duration::from_millis(500);
        field.traffic.until(PATIENCE, "it lives", |traffic| {
            Instant::now() >= until && traffic.acknowledged() >= 10 * life
        });
        service.kill().unwrap();
        let away = Instant::now() + Duration::from_millis(rng.random_range(0..1500));
        field.traffic.until(PATIENCE, "it is away", |_| Instant::now() >= away);
        let (acknowledged, sampled) = (field.traffic.acknowledged(), field.traffic.sampled().len());
        let listened = service.log().matches("listening").count();
        service = field.shard.start();
        while service.log().matches("listening").count() == listened {
            std::thread::sleep(Duration::from_millis(1));
        }
        let back = Instant::now();
        let mut resumed = [None; 2];
        field.traffic.until(PATIENCE, "writer and learner go on", |traffic| {
            let went_on = [traffic.acknowledged() > acknowledged, traffic.sampled().len() > sampled];
            for (resumed, went_on) in resumed.iter_mut().zip(went_on) {
                *resumed = resumed.or(went_on.then(|| back.elapsed()));
            }
            resumed.iter().all(Option::is_some)
        });
        for (slowest, resumed) in slowest.iter_mut().zip(resumed) {
            *slowest = (*slowest).max(resumed.unwrap());
        }
    }
    eprintln!(
        "after six kills, from listening to the first acknowledgement: {:.0} ms at most; to the first trajectories: {:.0} ms",
        slowest[0].as_secs_f64() * 1e3,
        slowest[1].as_secs_f64() * 1e3
    );
    assert!(slowest.iter().all(|time| *time < Duration::from_secs(10)), "Reverb takes 8 to 10 s");
}
