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
