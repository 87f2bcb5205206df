//! A whole run in one process, to its report.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;

use system_tests::{root, run};

#[test]
fn a_finished_run_leaves_a_table_a_picture_and_records() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = folder.path().join("run");
    let config = root().join("configs/train/slots.toml").display().to_string();
    let path = run_folder.display().to_string();
    let mut arguments = vec!["train", "-c", &config, "--run-folder", &path];
    for setting in [
        "learner.budget_steps=600",
        "learner.batch_steps=256",
        "actor.environments=16",
        "policy.width=16",
        "evaluation.validation_episodes=2",
        "evaluation.test_episodes=3",
        "evaluation.loads=[90.0]",
        "evaluation.steps=[50]",
        "evaluation.schedulers=[\"sjf\"]",
    ] {
        arguments.extend(["--set", setting]);
    }
    let output = run("longshore", &arguments);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    let read = |name: &str| fs::read_to_string(run_folder.join("report").join(name)).unwrap();
    let table = read("table.txt");
    assert!(table.contains("policy") && table.contains("sjf"), "{table}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&table));
    assert!(read("slowdown.svg").contains("mean slowdown"));
    let records = read("results.jsonl");
    let records: Vec<serde_json::Value> =
        records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record["episodes"] == 3 && record["load"] == 90.0), "{records:?}");
}

/// Mean slowdown of each scheduler in the records of one point.
fn slowdowns(json: &[u8]) -> Vec<f64> {
    let lines = String::from_utf8_lossy(json);
    let record = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    lines.lines().map(|line| record(line)["slowdown"].as_f64().unwrap()).collect()
}

#[test]
fn a_policy_that_imitated_a_scheduler_decides_as_it_does_and_later_runs_start_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = root().join("configs/train/slots.toml").display().to_string();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (warm, next) = (path("warm"), path("next"));
    let small = ["--set", "policy.width=16", "--set", "learner.batch_steps=4096"];
    let budget = |steps: u32| format!("learner.budget_steps={steps}");
    let train = |run_folder: &str, steps: u32, more: &[&str]| {
        let budget = budget(steps);
        let first = ["train", "-c", &config, "--no-report", "--run-folder", run_folder, "--set", &budget];
        let fewer = ["--set", "evaluation.validation_episodes=2"];
        let output = run("longshore", &[&first[..], &small, &fewer, more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let play = |policy: &str| {
        let schedulers = format!("sjf,{policy}");
        let arguments = ["evaluate", "slots", "--load", "110", "--steps", "50", "--episodes", "100"];
        let rest = ["--scheduler", &schedulers, "--seed", "7", "--json"];
        slowdowns(&run("longshore", &[&arguments[..], &rest].concat()).stdout)
    };
    train(&warm, 60_000, &["--imitate", "sjf"]);
    let [rule, imitation] = play(&warm)[..] else { panic!("two schedulers") };
    assert!((imitation / rule - 1.0).abs() < 0.03, "{imitation} where sjf has {rule}");
    // The weights and the scales come along: after one batch of its own play it is no worse by much.
    train(&next, 4096, &["--init-from", &warm]);
    let [_, after] = play(&next)[..] else { panic!("two schedulers") };
    assert!((after / rule - 1.0).abs() < 0.3, "{after} where sjf has {rule}");
}
