//! One learner of several ranks: it learns what one rank learns, and a lost rank ends all, by name, without losing the
//! run.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::{Service, programs, root, run};

const PATIENCE: Duration = Duration::from_secs(120);
const TWO: &str = "learner.devices=[\"cpu\",\"cpu\"]";

fn write_config(folder: &Path) -> String {
    let text = "schema = 1\nname = \"ranks\"\nseed = 5\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 16\nheads = 2\n\
                layers = 1\n[actor]\nenvironments = 16\n[learner]\nmode = \"lockstep\"\nbudget_steps = 4000\nminibatches = 4\n\
                evaluate_every = 3\ncheckpoint_every = 1\nkeep_checkpoints = 1000\nthreads = 1\nrank_deadline_seconds = 10.0\n\
                [evaluation]\nvalidation_episodes = 5\nloads = [90.0]\nsteps = [50]\n";
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Arguments of `longshore train` on a run folder, with settings.
fn arguments(config: &str, run: &Path, settings: &[&str]) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["train", "-c", config, "--no-report", "--run-folder"].map(str::to_owned).to_vec();
    arguments.push(run.display().to_string());
    settings.iter().for_each(|setting| arguments.extend(["--set".to_owned(), (*setting).to_owned()]));
    arguments
}

fn train(config: &str, run_folder: &Path, settings: &[&str]) {
    let output = run("longshore", &arguments(config, run_folder, settings));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Losses, entropies and gradient norms of every round.
fn curve(run_folder: &Path) -> Vec<[f64; 4]> {
    let text = fs::read_to_string(run_folder.join("metrics.jsonl")).unwrap();
    let keys = ["train/policy_loss", "train/value_loss", "train/entropy", "train/gradient_norm"];
    let rounds = text.lines().filter(|line| line.contains(keys[0]));
    let row = |line: &str| {
        let figures: serde_json::Value = serde_json::from_str(line).unwrap();
        keys.map(|key| figures[key].as_f64().unwrap())
    };
    rounds.map(row).collect()
}

fn checkpoints(run_folder: &Path) -> usize {
    fs::read_dir(run_folder.join("checkpoints")).map_or(0, Iterator::count)
}

#[test]
fn ranks_learn_what_one_learns() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path());
    let at = |name: &str| folder.path().join(name);
    train(&config, &at("one"), &[]);
    let expected = curve(&at("one"));
    assert!(expected.len() >= 6, "{expected:?}");
    train(&config, &at("two"), &[TWO]);
    // Every state cut over both, where it was whole before.
    train(&config, &at("cut"), &[TWO, "learner.partition_edges=1"]);
    for name in ["two", "cut"] {
        let found = curve(&at(name));
        assert_eq!(found.len(), expected.len(), "{name}");
        for (round, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3 * (1.0 + b.abs()));
            assert!(near, "{name}, round {round}: {found:?} where one rank has {expected:?}");
        }
    }
}

/// The process of the rank that joined last, as the log says.
fn rank_process(log: &str) -> String {
    let line = log.lines().rev().find(|line| line.contains("joined the other ranks")).unwrap();
    line.split("process=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().unwrap().success());
}

fn until(what: &str, log: impl Fn() -> String, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}:\n{}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_lost_rank_ends_all_and_the_run_goes_on_with_any_number_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = write_config(folder);
    let run_folder = folder.join("run");
    let start = |name: &str, settings: &[&str]| {
        Service::start(folder, name, "longshore", &arguments(&config, &run_folder, settings))
    };
    let resume = |name: &str, settings: &[&str]| {
        let mut arguments = arguments(&config, &run_folder, settings);
        arguments.push("--resume".to_owned());
        Service::start(folder, name, "longshore", &arguments)
    };
    let endless = "learner.budget_steps=100000000";
    let grows = |service: &Service| {
        let before = checkpoints(&run_folder);
        until("no new checkpoint", || service.log(), || checkpoints(&run_folder) > before + 1);
    };

    let mut two = start("two", &[endless, TWO]);
    grows(&two);
    signal("-9", &rank_process(&two.log()));
    assert_eq!(two.wait(PATIENCE), Some(11), "{}", two.log());
    assert!(two.log().contains("rank 1 of the learner was lost"), "{}", two.log());
    assert!(two.log().contains("signal 9"), "{}", two.log());

    let mut one = resume("one", &[endless]);
    one.wait_for("resumed", 1, PATIENCE);
    grows(&one);
    signal("-TERM", &one.id().to_string());
    assert_eq!(one.wait(PATIENCE), Some(130), "{}", one.log());

    let mut again = resume("again", &[endless, TWO, "learner.partition_edges=1"]);
    again.wait_for("resumed", 1, PATIENCE);
    grows(&again);
    let other = rank_process(&again.log());
    again.kill().unwrap();
    until("rank 1 outlives rank 0", || again.log(), || !Path::new("/proc").join(&other).exists());
    assert!(again.log().contains("rank 0 of the learner was lost"), "{}", again.log());

    let mut stopped = resume("stopped", &[endless, TWO, "learner.rank_deadline_seconds=3.0"]);
    stopped.wait_for("resumed", 1, PATIENCE);
    grows(&stopped);
    signal("-STOP", &rank_process(&stopped.log()));
    assert_eq!(stopped.wait(PATIENCE), Some(11), "{}", stopped.log());
    assert!(stopped.log().contains("rank 1 of the learner was lost"), "{}", stopped.log());

    // What was learnt so far is the whole of such a small budget.
    let mut end = resume("end", &[TWO, "learner.budget_steps=100"]);
    assert_eq!(end.wait(PATIENCE), Some(0), "{}", end.log());
}

#[test]
fn ranks_may_be_started_from_outside() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = write_config(folder);
    let port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let [announce, pull, shard_port, master] = [(); 4].map(|()| port());
    let links = [
        format!("transport.shards=[\"tcp://127.0.0.1:{shard_port}\"]"),
        format!("transport.weights_announce=\"tcp://127.0.0.1:{announce}\""),
        format!("transport.weights_pull=\"tcp://127.0.0.1:{pull}\""),
        "learner.mode=\"async\"".to_owned(),
        format!("replay.folder=\"{}\"", folder.join("replay").display()),
        "learner.batch_steps=512".to_owned(),
    ];
    let with_links = |first: &[&str]| {
        let mut arguments: Vec<String> = first.iter().map(|part| (*part).to_owned()).collect();
        arguments.extend(["-c".to_owned(), config.clone()]);
        links.iter().for_each(|link| arguments.extend(["--set".to_owned(), link.clone()]));
        arguments
    };
    let mut shard = Service::start(folder, "shard", "longshore-replay", &with_links(&["--shard", "0"]));
    let mut actor = Service::start(folder, "actor", "longshore-actor", &with_links(&[]));
    let run_folder = folder.join("run").display().to_string();
    let rank = |number: &str| {
        let master = master.to_string();
        let environment = [
            ("RANK", number),
            ("WORLD_SIZE", "2"),
            ("MASTER_ADDR", "127.0.0.1"),
            ("MASTER_PORT", master.as_str()),
        ];
        let arguments = with_links(&["--run-folder", &run_folder]);
        Service::start_in(folder, &format!("rank-{number}"), "longshore-learner", &arguments, &environment)
    };
    let (mut one, mut zero) = (rank("1"), rank("0"));
    assert_eq!(zero.wait(PATIENCE), Some(0), "{}\n{}", zero.log(), one.log());
    assert_eq!(one.wait(PATIENCE), Some(0), "{}", one.log());
    assert_eq!(actor.wait(PATIENCE), Some(0), "{}", actor.log());
    assert_eq!(shard.wait(PATIENCE), Some(0), "{}", shard.log());
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = write_config(folder);
    let run_folder = folder.join("run");
    for (setting, part) in [
        ("learner.devices=[\"gpu\"]", "\"cpu\" or \"cuda:N\""),
        ("learner.devices=[\"cpu\",\"cuda:0\"]", "of one kind"),
        ("learner.devices=[\"cuda:0\"]", "throughout learner.devices"),
        ("learner.devices=[]", "learner.devices"),
    ] {
        let output = run("longshore", &arguments(&config, &run_folder, &[setting]));
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{log}");
        assert!(log.contains(part), "{log}");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    for (environment, code, part) in [
        (&[("RANK", "1"), ("WORLD_SIZE", "2")][..], 3, "MASTER_ADDR is not set"),
        (
            &[("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "192.0.2.1"), ("MASTER_PORT", "29500")],
            8,
            "transport.insecure",
        ),
        (
            &[("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "9")],
            6,
            "2 ranks did not meet at 127.0.0.1:9 within 1 s",
        ),
        (
            &[("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", &port)],
            6,
            "nothing was heard of rank 1",
        ),
    ] {
        let mut command = Command::new(programs().join("longshore-learner"));
        command.current_dir(root()).args(["-c", &config, "--set", "learner.rank_deadline_seconds=1.0"]);
        command.args(["--run-folder", &run_folder.display().to_string()]);
        let output = command.envs(environment.iter().copied()).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{log}");
        assert!(log.contains(part), "{log}");
    }
}
