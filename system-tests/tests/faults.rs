//! A shard's process when its disk is full or broken, when the network between it and its peers is gone, and when the
//! learner is slow.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "figures are told to whoever reads the test's output")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::ExitCode;
use configuration::TransportConfig;
use system_tests::{Fault, Service, ShardProcess, Traffic, impatient};
use transport::{Role, Security, Transport};

const PATIENCE: Duration = Duration::from_secs(60);

fn plain() -> Transport {
    Transport::tcp(Security::Plain { insecure: false }).unwrap()
}

/// Whether a command of the system succeeds, as it does for root on a machine that lets root do it.
fn command(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A small file system in memory, gone when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        command(&format!("mount -t tmpfs -o size=1m tmpfs {}", at.display()))
            .then(|| SmallDisk(at.to_owned()))
    }

    fn grow(&self) {
        assert!(command(&format!("mount -o remount,size=64m {}", self.0.display())));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        command(&format!("umount -l {}", self.0.display()));
    }
}

#[test]
fn a_full_disk_holds_up_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let shard = ShardProcess::new(folder.path(), "127.0.0.1", "");
    let Some(disk) = SmallDisk::mount(&shard.segments()) else {
        eprintln!("SKIPPED: a disk of 1 MB can be mounted by root alone");
        return;
    };
    let mut service = shard.start();
    let transport = plain();
    let mut traffic =
        Traffic::new([&transport; 2], &[shard.endpoint().clone()], impatient(), (100_000, 3, 1000));
    traffic.until(PATIENCE, "the disk is full", |_| shard.get("/readyz").contains("No space left"));
    assert!(shard.get("/readyz").starts_with("HTTP/1.1 503"), "{}", shard.get("/readyz"));
    assert!(
        service.log().contains("nothing is acknowledged until the disk can be written"),
        "{}",
        service.log()
    );
    // What was on its way when the disk filled up has arrived by now.
    let settled = Instant::now() + Duration::from_secs(1);
    traffic.until(PATIENCE, "it settles", |_| Instant::now() >= settled);
    let full = traffic.acknowledged();
    let later = Instant::now() + Duration::from_secs(4);
    traffic.until(PATIENCE, "time passes", |_| Instant::now() >= later);
    assert_eq!(traffic.acknowledged(), full, "nothing is acknowledged");
    assert!(!service.has_ended(), "{}", service.log());
    disk.grow();
    let room = Instant::now();
    traffic.until(PATIENCE, "it goes on", |traffic| traffic.acknowledged() >= full + 30);
    eprintln!("{full} acknowledged on a disk of 1 MB; 30 more {:?} after there was room", room.elapsed());
    assert!(shard.get("/readyz").starts_with("HTTP/1.1 200"), "{}", shard.get("/readyz"));
    everything_comes(&mut traffic);
    service.kill().unwrap();
}

/// Nothing was killed: every trajectory is acknowledged, and sampled once.
fn everything_comes(traffic: &mut Traffic) {
    let start = Instant::now();
    while traffic.acknowledged() < traffic.offered() || (traffic.sampled().len() as u64) < traffic.offered() {
        assert!(start.elapsed() < PATIENCE, "not everything comes: {traffic:?}");
        traffic.acknowledge();
        traffic.sample();
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_disk_that_cannot_make_durable_ends_the_shard_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let shard = ShardProcess::new(folder.path(), "127.0.0.1", "");
    let transport = plain();
    let mut traffic =
        Traffic::new([&transport; 2], &[shard.endpoint().clone()], impatient(), (100_000, 3, 1000));
    // The first makes the segment's header durable.
    for sync in [0, 1, 7] {
        let mut service = shard.start_faulty(Fault::FailSync, sync);
        traffic.until(PATIENCE, "the shard ends", |_| service.has_ended());
        assert_eq!(service.wait(PATIENCE), Some(i32::from(ExitCode::Storage as u8)), "{}", service.log());
        let log = service.log();
        let last = log.lines().last().unwrap();
        assert!(last.contains("cannot sync") && last.contains("/shard-0/"), "{last}");
    }
    let _service = shard.start();
    let acknowledged = traffic.acknowledged();
    traffic.until(PATIENCE, "another life goes on", |traffic| traffic.acknowledged() >= acknowledged + 20);
}

/// A network namespace behind a cable that can be cut; gone when it is dropped.
struct Elsewhere {
    name: String,
    cable: String,
}

impl Elsewhere {
    /// On the machine of the test this is 10.213.77.1, there it is 10.213.77.2.
    const THERE: &str = "10.213.77.2";

    fn build() -> Option<Self> {
        let id = std::process::id();
        let elsewhere = Elsewhere { name: format!("lsn{id}"), cable: format!("lsv{id}") };
        let Elsewhere { name, cable } = &elsewhere;
        let commands = [
            format!("ip netns add {name}"),
            format!("ip link add {cable} type veth peer name eth0 netns {name}"),
            format!("ip addr add 10.213.77.1/24 dev {cable}"),
            format!("ip link set {cable} up"),
            format!("ip -n {name} addr add {}/24 dev eth0", Elsewhere::THERE),
            format!("ip -n {name} link set eth0 up"),
            format!("ip -n {name} link set lo up"),
        ];
        commands.iter().all(|line| command(line)).then_some(elsewhere)
    }

    fn set_cable(&self, state: &str) {
        assert!(command(&format!("ip link set {} {state}", self.cable)));
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        command(&format!("ip link del {}", self.cable));
        command(&format!("ip netns del {}", self.name));
    }
}

#[test]
fn a_shard_that_is_cut_off_costs_its_share_and_is_found_again() {
    let Some(elsewhere) = Elsewhere::build() else {
        eprintln!("SKIPPED: root alone can build a network namespace (with `ip`)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    transport::make_keys(&keys, false).unwrap();
    let settings = format!("keys = \"{}\"", keys.display());
    let [near, far] = ["near", "far"].map(|name| folder.path().join(name));
    [&near, &far].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let near = ShardProcess::new(&near, "127.0.0.1", &settings);
    let far_shard = ShardProcess::new(&far, Elsewhere::THERE, &settings);
    let mut services = [near.start(), start_there(&elsewhere, &far, &far_shard)];
    services.iter().for_each(|service| service.wait_for("listening", 1, PATIENCE));
    let [actor, learner] = [Role::Actor, Role::Learner].map(|role| {
        let config = TransportConfig { keys: Some(keys.clone()), ..TransportConfig::default() };
        Transport::from_config(&config, role).unwrap()
    });
    let shards = [near.endpoint().clone(), far_shard.endpoint().clone()];
    let mut traffic = Traffic::new([&actor, &learner], &shards, impatient(), (1000, 3, 1000));
    traffic
        .until(PATIENCE, "both serve", |traffic| traffic.live_shards() == 2 && traffic.acknowledged() >= 40);
    elsewhere.set_cable("down");
    traffic.until(PATIENCE, "the loss is noticed", |traffic| traffic.live_shards() == 1);
    let acknowledged = traffic.acknowledged();
    traffic.until(PATIENCE, "the other takes more", |traffic| traffic.acknowledged() >= acknowledged + 50);
    let kept = traffic.unacknowledged().iter().filter(|(place, _)| *place == 1).count();
    assert!(kept <= 4, "{kept} are kept for the unreachable shard, and it had given 4 credits");
    elsewhere.set_cable("up");
    let back = Instant::now();
    traffic.until(PATIENCE, "it is found again", |traffic| traffic.live_shards() == 2);
    eprintln!("found again {:?} after the cable was mended; {kept} were kept for it", back.elapsed());
    everything_comes_but(&mut traffic, 3);
    for service in &mut services {
        assert!(!service.has_ended(), "{}", service.log());
    }
}

fn start_there(elsewhere: &Elsewhere, folder: &Path, shard: &ShardProcess) -> Service {
    let program = system_tests::programs().join("longshore-replay").display().to_string();
    let mut arguments: Vec<String> =
        ["ip", "netns", "exec", &elsewhere.name, &program].map(str::to_owned).into();
    arguments.extend(shard.arguments());
    Service::start(folder, "shard", "/usr/bin/env", &arguments)
}

/// Everything is acknowledged, and sampled but for the answer that was on its way when the link was cut: so many at
/// most.
fn everything_comes_but(traffic: &mut Traffic, lost: u64) {
    let start = Instant::now();
    while traffic.acknowledged() < traffic.offered()
        || traffic.sampled().len() as u64 + lost < traffic.offered()
    {
        assert!(start.elapsed() < PATIENCE, "not everything comes: {traffic:?}");
        traffic.acknowledge();
        traffic.sample();
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn actors_wait_for_a_learner_that_is_slow_and_memory_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let shard = ShardProcess::new(folder.path(), "127.0.0.1", "");
    let service = shard.start();
    let transport = plain();
    let mut traffic =
        Traffic::new([&transport; 2], &[shard.endpoint().clone()], impatient(), (100_000, 1, 1000));
    traffic.until(PATIENCE, "the shard serves", |traffic| traffic.acknowledged() >= 20);
    let sampled = traffic.sampled().len() as u64;
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        // The learner takes what it had asked for, and no more.
        traffic.write();
        std::thread::sleep(Duration::from_millis(1));
    }
    // Ten trajectories' worth of tolerance, four credits, and what was on its way to the learner.
    let ahead = traffic.offered() - sampled;
    assert!(ahead <= 20, "the actor is {ahead} trajectories ahead");
    let memory = service.memory();
    assert!(memory < 100 << 20, "{memory} bytes for 30 trajectories of 100 KB");
    eprintln!("{ahead} trajectories ahead, {} MiB", memory >> 20);
    traffic.until(PATIENCE, "the learner is back", |traffic| traffic.sampled().len() as u64 >= sampled + 40);
}
