//! However a learner ends, and whatever its disk does meanwhile, what it has learnt is saved.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::{Service, SmallDisk};

const PATIENCE: Duration = Duration::from_secs(120);
/// Rarely enough that only the end of a learner writes a checkpoint.
const NO_CHECKPOINTS: &str = "learner.checkpoint_every=100000";
const NO_VALIDATION: &str = "learner.evaluate_every=100000";
const ENDLESS: &str = "learner.budget_steps=100000000";

/// Starts `longshore train` of a small policy in `folder`/run.
fn train(folder: &Path, settings: &[&str]) -> Service {
    let text = "schema = 1\nname = \"endings\"\nseed = 5\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 8\nheads = 2\n\
                layers = 1\n[actor]\nenvironments = 16\n[learner]\nbatch_steps = 256\nminibatches = 2\nthreads = 1\n\
                checkpoint_every = 1\nkeep_checkpoints = 2\n[evaluation]\nvalidation_episodes = 5\nloads = [90.0]\n\
                steps = [50]\n";
    let config = folder.join("config.toml");
    fs::write(&config, text).unwrap();
    let (config, run) = (config.display().to_string(), folder.join("run").display().to_string());
    let mut arguments = vec!["train", "-c", &config, "--no-report", "--run-folder", &run];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    Service::start(folder, "train", "longshore", &arguments)
}

/// The newest checkpoint's version and the environment steps that its state says.
fn newest(folder: &Path) -> Option<(u64, u64)> {
    let entries = fs::read_dir(folder.join("run/checkpoints")).ok()?.flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix('v')?.parse().ok());
    let version: u64 = numbers.max()?;
    let state = fs::read(folder.join(format!("run/checkpoints/v{version:08}/learner.json"))).ok()?;
    let state: serde_json::Value = serde_json::from_slice(&state).ok()?;
    Some((version, state["environment_steps"].as_u64()?))
}

/// The steps of the rounds in `metrics.jsonl`.
fn learnt(folder: &Path) -> Vec<u64> {
    let text = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .filter(|line| line.get("train/policy_loss").is_some())
        .map(|line| line["step"].as_u64().unwrap())
        .collect()
}

fn until(what: &str, service: &Service, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}:\n{}", service.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

#[test]
fn a_disk_that_is_full_for_a_while_ends_nothing_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else { return };
    let mut service = train(disk.path(), &["learner.budget_steps=8000", "learner.evaluate_every=4"]);
    until("no checkpoint", &service, || newest(disk.path()).is_some());
    disk.leave(0);
    service.wait_for("the run folder cannot be written", 1, PATIENCE);
    // The budget may end meanwhile; then the last checkpoint is waited for.
    std::thread::sleep(Duration::from_secs(3));
    assert!(!service.has_ended(), "{}", service.log());
    disk.leave(900);
    assert_eq!(service.wait(PATIENCE), Some(0), "{}", service.log());
    let log = service.log();
    assert!(log.contains("No space left on device") && log.contains("can be written again"), "{log}");
    let (version, steps) = newest(disk.path()).unwrap();
    let learnt = learnt(disk.path());
    assert_eq!((learnt.len() as u64, learnt.last()), (version, Some(&steps)), "a row a round: {learnt:?}");
    assert!(steps >= 8000 && learnt.is_sorted_by(|one, next| one < next), "{learnt:?}");
    // The best is that of a validation, whole, and no temporary folder stays.
    let left: Vec<PathBuf> = fs::read_dir(disk.path().join("run/checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left.len(), 3, "{left:?}");
    let best = disk.path().join("run/checkpoints/best").display().to_string();
    let arguments =
        ["evaluate", "slots", "--load", "90", "--steps", "50", "--episodes", "2", "--scheduler", &best];
    let evaluated = system_tests::run("longshore", &arguments);
    assert!(evaluated.status.success(), "{}", String::from_utf8_lossy(&evaluated.stderr));
}

#[test]
fn a_shutdown_in_a_validation_and_between_checkpoints_saves_what_was_learnt() {
    for (settings, words) in [
        (&[ENDLESS, NO_CHECKPOINTS, NO_VALIDATION][..], None),
        (
            &[ENDLESS, NO_CHECKPOINTS, "learner.evaluate_every=3", "evaluation.validation_episodes=4000"],
            Some(3),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut service = train(folder, settings);
        until("nothing was learnt", &service, || learnt(folder).len() >= words.unwrap_or(4));
        // In the second case the third round is followed by a validation, which takes long.
        std::thread::sleep(Duration::from_millis(300));
        let rounds = learnt(folder);
        assert_eq!(newest(folder), None, "{}", service.log());
        let asked = Instant::now();
        signal("-TERM", service.id());
        assert_eq!(service.wait(PATIENCE), Some(130), "{}", service.log());
        assert!(asked.elapsed() < Duration::from_secs(20), "within the time that containers have");
        let (version, steps) = newest(folder).expect("a checkpoint");
        assert!(version >= rounds.len() as u64 && steps >= *rounds.last().unwrap(), "{version}, {rounds:?}");
    }
}

#[test]
fn a_lost_rank_ends_the_learner_and_loses_nothing_that_was_learnt() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ranks = "learner.devices=[\"cpu\",\"cpu\"]";
    let mut service =
        train(folder, &[ENDLESS, NO_CHECKPOINTS, NO_VALIDATION, ranks, "learner.rank_deadline_seconds=10.0"]);
    until("nothing was learnt", &service, || learnt(folder).len() >= 4);
    let rounds = learnt(folder);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", service.id())).unwrap();
    let rank = children.split_whitespace().next().expect("a child").parse().unwrap();
    signal("-KILL", rank);
    assert_eq!(service.wait(PATIENCE), Some(common::ExitCode::RankLost as i32), "{}", service.log());
    assert!(service.log().contains("saved what was learnt"), "{}", service.log());
    let (version, steps) = newest(folder).expect("a checkpoint");
    assert!(version >= rounds.len() as u64 && steps >= *rounds.last().unwrap(), "{version}, {rounds:?}");
}
