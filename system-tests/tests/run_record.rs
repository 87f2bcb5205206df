//! A run folder says what was trained in it: what changes that is refused, an interruption loses nothing, and every
//! step is written once.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use system_tests::{Service, run};

const PATIENCE: Duration = Duration::from_secs(60);

fn config(folder: &Path) -> String {
    let text = "schema = 1\nname = \"record\"\nseed = 5\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 16\nheads = 2\n\
                layers = 1\n[actor]\nenvironments = 16\n[learner]\nbudget_steps = 3000\nbatch_steps = 500\n\
                evaluate_every = 2\ncheckpoint_every = 2\n[evaluation]\nvalidation_episodes = 5\nloads = [90.0]\n\
                steps = [50]\n";
    let file = folder.join("config.toml");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn arguments(folder: &Path, more: &[&str]) -> Vec<String> {
    let run_folder = folder.join("run").display().to_string();
    let first =
        ["train", "-c", &config(folder), "--run-folder", &run_folder, "--no-report"].map(str::to_owned);
    first.into_iter().chain(more.iter().map(|&one| one.to_owned())).collect()
}

fn train(folder: &Path, more: &[&str]) -> Output {
    run("longshore", &arguments(folder, more))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn signal(service: &Service, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), service.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// The steps of the lines that say how an update went.
fn steps_of_updates(folder: &Path) -> Vec<u64> {
    let text = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .filter(|line| line.get("train/entropy").is_some())
        .map(|line| line["step"].as_u64().unwrap())
        .collect()
}

#[test]
fn a_run_goes_on_as_it_began_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(train(folder.path(), &[]).status.code(), Some(0));
    let record = fs::read(folder.path().join("run/config.toml")).unwrap();
    for (setting, key, before, now) in [
        ("seed=6", "`seed`", "5", "6"),
        ("learner.learning_rate={from=0.01, to=0.0001}", "`learner.learning_rate.from`", "0.0006", "0.01"),
        ("reward.slo=1.0", "`reward.slo`", "0.0", "1.0"),
        ("learner.batch_steps=600", "`learner.batch_steps`", "500", "600"),
        ("learner.mode=lockstep", "`learner.mode`", "async", "lockstep"),
    ] {
        let output = train(folder.path(), &["--set", setting]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        for word in [key, before, now, "run folder"] {
            assert!(text.contains(word), "`{word}` is missing in:\n{text}");
        }
        assert!(!text.contains("learner starts"), "{text}");
    }
    let run_folder = folder.path().join("run").display().to_string();
    let output = train(folder.path(), &["--init-from", &run_folder]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("--init-from"), "{}", stderr(&output));
    assert_eq!(fs::read(folder.path().join("run/config.toml")).unwrap(), record);
}

#[test]
fn a_raised_budget_goes_on_learning_and_each_configuration_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(train(folder.path(), &[]).status.code(), Some(0));
    let before = *steps_of_updates(folder.path()).last().unwrap();
    assert!((3000..5000).contains(&before), "{before}");
    let output = train(folder.path(), &["--set", "learner.budget_steps=6000"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let steps = steps_of_updates(folder.path());
    assert!(*steps.last().unwrap() >= 6000, "{steps:?}");
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    let budget = |epoch: &str| {
        let text = fs::read_to_string(folder.path().join("run/lives").join(epoch)).unwrap();
        text.lines().find_map(|line| line.strip_prefix("budget_steps = ").map(str::to_owned)).unwrap()
    };
    assert_eq!([budget("0001.toml"), budget("0002.toml")], ["3000", "6000"]);
}

#[test]
fn a_signal_while_the_learner_waits_for_data_saves_what_was_learnt() {
    for name in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        // A batch that takes minutes to gather, after some that did not: nearly always the learner waits.
        let more = ["--set", "learner.budget_steps=100000000", "--set", "learner.checkpoint_every=1000000"];
        let more = [&more[..], &["--set", "learner.evaluate_every=1000000"]].concat();
        let mut service =
            Service::start(folder.path(), "train", "longshore", &arguments(folder.path(), &more));
        let metrics = folder.path().join("run/metrics.jsonl");
        let start = Instant::now();
        while fs::read_to_string(&metrics).unwrap_or_default().lines().count() < 5 {
            assert!(start.elapsed() < PATIENCE, "{}", service.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(&service, name);
        assert_eq!(service.wait(PATIENCE), Some(130), "{}", service.log());
        let newest = steps_of_updates(folder.path()).last().copied().unwrap();
        let checkpoints = fs::read_dir(folder.path().join("run/checkpoints")).unwrap().count();
        assert_eq!(checkpoints, 1, "SIG{name}: {}", service.log());
        let output =
            train(folder.path(), &["--set", "learner.budget_steps=1", more[2], more[3], more[4], more[5]]);
        assert!(stderr(&output).contains(&format!("steps={newest}")), "SIG{name}: {}", stderr(&output));
    }
}

#[test]
fn a_signal_ends_a_validation_that_takes_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--set", "evaluation.validation_episodes=100000", "--set", "evaluation.steps=[2000]"];
    let mut service = Service::start(folder.path(), "train", "longshore", &arguments(folder.path(), &more));
    // The rule that scores are relative to is played first, and takes minutes, too.
    service.wait_for("actor plays", 1, PATIENCE);
    std::thread::sleep(Duration::from_secs(1));
    signal(&service, "TERM");
    assert_eq!(service.wait(Duration::from_secs(20)), Some(130), "{}", service.log());
}

#[test]
fn after_a_kill_no_step_is_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--set", "learner.budget_steps=20000", "--set", "learner.checkpoint_every=7"];
    let mut service = Service::start(folder.path(), "train", "longshore", &arguments(folder.path(), &more));
    let start = Instant::now();
    let metrics = folder.path().join("run/metrics.jsonl");
    while fs::read_to_string(&metrics).unwrap_or_default().lines().count() < 12 {
        assert!(start.elapsed() < PATIENCE, "{}", service.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    service.kill().unwrap();
    let output = train(folder.path(), &more);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let steps = steps_of_updates(folder.path());
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    assert!(*steps.last().unwrap() >= 20_000);
}

#[test]
fn what_the_report_could_not_play_is_refused_before_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let output = train(folder.path(), &["--set", "evaluation.schedulers=[\"srjf\"]"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("evaluation.schedulers") && text.contains("srjf"), "{text}");
    assert!(!text.contains("learner starts"), "{text}");
    let check = run(
        "longshore",
        &["config", "check", "configs/train/slots.toml", "--set", "evaluation.schedulers=[\"srjf\"]"],
    );
    assert_eq!(check.status.code(), Some(3), "{}", stderr(&check));
}

#[test]
fn an_epoch_that_learns_nothing_leaves_the_record_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(train(folder.path(), &[]).status.code(), Some(0));
    let record = fs::read(folder.path().join("run/config.toml")).unwrap();
    assert_eq!(train(folder.path(), &["--set", "learner.budget_steps=1"]).status.code(), Some(0));
    assert_eq!(fs::read(folder.path().join("run/config.toml")).unwrap(), record);
    assert_eq!(fs::read_dir(folder.path().join("run/lives")).unwrap().count(), 1);
}
