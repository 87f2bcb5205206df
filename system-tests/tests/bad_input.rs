//! Bad input gets an error that names what is wrong and what would be right, and the documented exit status.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::Path;
use std::process::Output;

use system_tests::{root, run};

fn refused(output: &Output, status: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

fn azure() -> String {
    root().join("configs/train/azure2019.toml").display().to_string()
}

fn train_with(folder: &Path, config: &str, settings: &[&str]) -> Output {
    let run_folder = folder.join("run").display().to_string();
    let mut arguments = vec!["train", "-c", config, "--run-folder", &run_folder, "--no-report"];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    run("longshore", &arguments)
}

#[test]
fn an_unknown_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = "schema = 1\nname = \"x\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n[learner]\nbugdet_steps = 7\n";
    fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    refused(
        &train_with(folder.path(), &config, &[]),
        3,
        &["config.toml", "learner", "bugdet_steps", "budget_steps"],
    );
}

#[test]
fn a_value_out_of_range_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let slots = root().join("configs/train/slots.toml").display().to_string();
    let output = train_with(folder.path(), &slots, &["policy.width=30"]);
    refused(&output, 3, &["--set policy.width=30", "4 heads"]);
    refused(&train_with(folder.path(), &slots, &["learner.budget_steps=many"]), 3, &["--set learner.budget"]);
    refused(
        &train_with(folder.path(), &slots, &["learner.epochs"]),
        3,
        &["learner.epochs", "section.key=value"],
    );
    let output = train_with(folder.path(), "/nowhere/x.toml", &[]);
    refused(&output, 3, &["/nowhere/x.toml"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.matches("No such file").count(), 1, "{text}");
}

#[test]
fn nothing_to_resume_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let [slots, cluster] = ["slots", "cluster"]
        .map(|name| root().join(format!("configs/train/{name}.toml")).display().to_string());
    let (missing, empty) = (folder.path().join("missing"), folder.path().join("empty"));
    fs::create_dir_all(empty.join("checkpoints")).unwrap();
    for (path, why) in [(&missing, "there is no such folder"), (&empty, "it holds no checkpoint")] {
        let path = path.display().to_string();
        let train = ["train", "-c", &slots, "--run-folder", &path, "--resume"];
        refused(&run("longshore", &train), 5, &[&path, why, "without `--resume`"]);
        let learner = ["-c", &cluster, "--run-folder", &path, "--resume"];
        refused(&run("longshore-learner", &learner), 5, &[&path, why, "without `--resume`"]);
    }
    assert!(!missing.exists());
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 1);
}

#[test]
fn a_run_keeps_its_networks_and_what_it_was_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let slots = root().join("configs/train/slots.toml");
    fs::create_dir_all(folder.path().join("run/checkpoints/v00000001")).unwrap();
    let kept = folder.path().join("run/config.toml");
    fs::copy(&slots, &kept).unwrap();
    let slots = slots.display().to_string();
    let output = train_with(folder.path(), &slots, &["policy.layers=0"]);
    refused(&output, 3, &["/run: key `policy.layers`: the run has 1, asked for is 0"]);
    refused(
        &train_with(folder.path(), &azure(), &[]),
        3,
        &["key `actor.environments`: the run has 256, asked for is 64", " more;"],
    );
    assert_eq!(fs::read(&kept).unwrap(), fs::read(root().join("configs/train/slots.toml")).unwrap());
}

#[test]
fn benches_of_nothing_are_refused() {
    for arguments in [
        ["bench", "ranks", "--ranks", "0"],
        ["bench", "encoder", "--edges", "0"],
        ["bench", "actor", "--seconds", "0"],
    ] {
        refused(&run("longshore", &arguments), 2, &[arguments[2]]);
    }
    let folder = tempfile::tempdir().unwrap().path().display().to_string();
    refused(&run("longshore", &["bench", "encoder", "--peers", &folder]), 1, &[&folder, "pyg/bin/python"]);
}

#[test]
fn a_missing_trace_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = train_with(
        folder.path(),
        &azure(),
        &["simulator.serverless.trace.durations=\"/nowhere/durations.csv\""],
    );
    refused(&output, 4, &["/nowhere/durations.csv"]);
}

#[test]
fn a_malformed_row_is_named_with_its_file_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root().join("simulator/data/azure2019/durations.csv")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let cells: Vec<&str> = lines[5].split(',').collect();
    lines[5] = cells
        .iter()
        .enumerate()
        .map(|(place, cell)| if place == 9 { "fast" } else { cell })
        .collect::<Vec<_>>()
        .join(",");
    let damaged = folder.path().join("damaged.csv");
    fs::write(&damaged, lines.join("\n")).unwrap();
    let setting = format!("simulator.serverless.trace.durations=\"{}\"", damaged.display());
    let output = train_with(folder.path(), &azure(), &[&setting]);
    refused(&output, 4, &["damaged.csv", "6", "percentile_Average_25", "fast"]);
}

#[test]
fn a_truncated_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let slots = root().join("configs/train/slots.toml").display().to_string();
    let small = [
        "learner.budget_steps=600",
        "learner.batch_steps=256",
        "actor.environments=16",
        "policy.width=16",
        "evaluation.validation_episodes=2",
        "evaluation.loads=[90.0]",
    ];
    let output = train_with(folder.path(), &slots, &small);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run_folder = folder.path().join("run");
    let weights = run_folder.join("checkpoints/best/policy.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() - 100]).unwrap();
    let run_folder = run_folder.display().to_string();
    let output = run(
        "longshore",
        &[
            "evaluate",
            "slots",
            "--load",
            "90",
            "--steps",
            "50",
            "--episodes",
            "2",
            "--scheduler",
            &run_folder,
        ],
    );
    refused(&output, 5, &["best/policy.safetensors", "truncated"]);
}

#[test]
fn a_start_from_nowhere_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let slots = root().join("configs/train/slots.toml").display().to_string();
    // The default run folder may hold a run already.
    let run_folder = folder.path().join("run").display().to_string();
    let arguments = ["train", "-c", &slots, "--run-folder", &run_folder, "--init-from", "/nowhere/run"];
    let output = run("longshore", &arguments);
    refused(&output, 5, &["/nowhere/run"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.lines().count(), 1, "{text}");
}

const STARTS_ALONE: &str = "policy.actions=[\"start\",\"wait\"]";

#[test]
fn a_prior_that_is_no_rule_is_refused_before_a_run_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let slots = root().join("configs/train/slots.toml").display().to_string();
    for (config, prior, word) in [
        (&slots, "sjf+reserv", "the nearest are `reserve`"),
        (&slots, "quantum", "is no"),
        (&azure(), "sjf+greedy-dual", "add \"keep_alive\", \"evict\" to `policy.actions`"),
    ] {
        let prior = format!("policy.prior=\"{prior}\"");
        let output = train_with(folder.path(), config, &[&prior, STARTS_ALONE]);
        refused(&output, 3, &["key `policy.prior`", word]);
        assert!(!folder.path().join("run").exists());
    }
}

#[test]
fn a_scheduler_that_cannot_be_imitated_is_refused_before_a_run_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for (rule, word) in [
        ("sfj", "the nearest are `sjf`"),
        ("sjf+belady", "knows the future"),
        ("sjf+hybrid-histogram", "add \"keep_alive\", \"pre_warm\" to `policy.actions`"),
        ("sjf+reserve", "is the prior, too"),
    ] {
        let settings = [STARTS_ALONE, "policy.prior=\"sjf+reserve\""];
        let rule = format!("learner.imitate={rule}");
        let output = train_with(folder.path(), &azure(), &[settings[0], settings[1], &rule]);
        refused(&output, 3, &["key `learner.imitate`", word]);
        assert!(!folder.path().join("run").exists());
    }
}

#[test]
fn an_unknown_scheduler_is_answered_with_the_nearest_or_with_all() {
    let asked = |name: &'static str| {
        let first = ["evaluate", "slots", "--load", "90", "--steps", "50", "--episodes", "2", "--scheduler"];
        run("longshore", &[&first[..], &[name]].concat())
    };
    refused(&asked("sfj"), 3, &["sfj", "the nearest are `sjf`", "docs/schedulers.md"]);
    refused(&asked("quantum-annealing"), 3, &["quantum-annealing", "sjf", "tetris"]);
}

#[test]
fn an_unreachable_replay_is_said_again_and_again_and_then_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let config = root().join("configs/train/slots.toml").display().to_string();
    let run_folder = folder.path().join("run").display().to_string();
    let ports = ["17991", "17992", "17993"].map(|port| format!("tcp://127.0.0.1:{port}"));
    let settings = [
        format!("transport.shards=[\"{}\"]", ports[0]),
        format!("transport.weights_announce=\"{}\"", ports[1]),
        format!("transport.weights_pull=\"{}\"", ports[2]),
        "transport.reach_deadline_seconds=12.0".to_owned(),
        "evaluation.validation_episodes=2".to_owned(),
        "evaluation.loads=[90.0]".to_owned(),
    ];
    let mut arguments = vec!["-c", &config, "--run-folder", &run_folder];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    refused(&run("longshore-learner", &arguments), 6, &["17991", "could not be reached"]);
}

#[test]
fn evaluations_name_what_they_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = folder.path().join("jobs.json").display().to_string();
    refused(&run("longshore", &["evaluate", "slots", "--jobs", &jobs]), 4, &["jobs.json"]);
    fs::write(&jobs, r#"{"sequences": [{"name": "s", "steps": "many"}]}"#).unwrap();
    refused(&run("longshore", &["evaluate", "slots", "--jobs", &jobs]), 4, &["sequences[0].steps"]);
    let results = folder.path().display().to_string();
    refused(&run("longshore", &["report", &results]), 4, &["evaluation.json"]);
    refused(&run("longshore", &["compare", "sjf", "fcfs", "--results", &results]), 4, &["evaluation.json"]);
    refused(&run("longshore", &["evaluate", "slots", "--scheduler", "sfj"]), 3, &["`sfj`", "sjf"]);
}
