//! A policy that weighs the parts of its reward as it is told to, from training to its evaluation.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::Path;
use std::process::Output;

use common::reward::RewardPart;
use system_tests::run;

/// A small cluster whose reward has `mode` and `more`.
fn config(folder: &Path, mode: &str, more: &str) -> String {
    let text = format!(
        "schema = 1\nname = \"{mode}\"\nseed = 3\nreward = {{ mode = \"{mode}\", discount_seconds = 4.0, idle_memory = 1.0, {more} }}\n\
         [simulator]\nscenario = \"serverless\"\n[simulator.serverless]\nload_percent = 90.0\nwindow_seconds = 16.0\n\
         warm_up_seconds = 6.0\nvalidation_window_seconds = 20.0\ntest_window_seconds = 30.0\n[policy]\n\
         actions = [\"start\", \"wait\", \"keep_alive\"]\nwidth = 16\nheads = 2\nlayers = 1\n[actor]\nenvironments = 2\n\
         [learner]\nmode = \"lockstep\"\nbudget_steps = 8000\nbatch_steps = 1000\nevaluate_every = 1\ncheckpoint_every = 1\n\
         [evaluation]\nvalidation_episodes = 2\n"
    );
    let file = folder.join(format!("{mode}.toml"));
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn train(config: &str, run_folder: &str) {
    let output = run("longshore", &["train", "-c", config, "--no-report", "--run-folder", run_folder]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

fn evaluate(config: &str, run_folder: &str, preference: &[&str]) -> Output {
    let first = ["evaluate", "serverless", "-c", config, "--seeds", "2", "--json", "--scheduler", run_folder];
    run("longshore", &[&first[..], preference].concat())
}

fn record(output: &Output) -> serde_json::Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_policy_decides_by_the_preference_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "preference", "latency = 1.0");
    let run_folder = folder.path().join("run").display().to_string();
    train(&config, &run_folder);
    let told = |preference: &str| record(&evaluate(&config, &run_folder, &["--preference", preference]));
    let (latency, idle) = (told("latency=1"), told("idle_memory=1"));
    assert!(latency["scheduler"].as_str().unwrap().ends_with("(latency=1)"), "{latency}");
    assert_ne!(latency["slowdown"], idle["slowdown"], "it does not listen");
    assert_eq!(
        told("latency=2,idle_memory=2")["slowdown"],
        record(&evaluate(&config, &run_folder, &[]))["slowdown"]
    );
    for (scheduler, preference, reason) in
        [(run_folder.as_str(), "cost=1", "latency, idle_memory"), ("sjf", "cost=1", "no scheduler here")]
    {
        let refused = evaluate(&config, scheduler, &["--preference", preference]);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(i32::from(common::ExitCode::Config as u8)), "{error}");
        assert!(error.contains("--preference") && error.contains(reason), "{error}");
    }
}

/// The factors in the header of safetensors bytes: its length, then JSON.
fn preference_in(bytes: &[u8]) -> Vec<f64> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let text = header["__metadata__"]["preference"].as_str().unwrap();
    text.split(',').map(|factor| factor.parse().unwrap()).collect()
}

#[test]
fn multipliers_are_logged_and_a_policy_is_played_with_those_that_it_was_validated_with() {
    let folder = tempfile::tempdir().unwrap();
    let limit = "limits.idle_memory = { at_most = 0.2, of = \"sjf\" }";
    let config = config(folder.path(), "constrained", limit);
    let run_folder = folder.path().join("run");
    train(&config, &run_folder.display().to_string());
    let metrics = fs::read_to_string(run_folder.join("metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let checks: Vec<(f64, f64)> = lines
        .filter_map(|line| {
            let figure = |key: &str| line.get(key)?.as_f64();
            Some((figure("train/multiplier/idle_memory")?, figure("eval/of_limit/idle_memory")?))
        })
        .collect();
    assert!(checks.len() >= 3, "{metrics}");
    for pair in checks.windows(2) {
        let ((multiplier, of_limit), (next, _)) = (pair[0], pair[1]);
        assert!(
            (next / multiplier - (2.0 * of_limit.ln()).clamp(-1.0, 1.0).exp()).abs() < 1e-6,
            "{checks:?}"
        );
    }
    // The best checkpoint says what it was validated with, and plays so where nothing else is asked for.
    let weights = fs::read(run_folder.join("checkpoints/best/policy.safetensors")).unwrap();
    let kept = preference_in(&weights);
    let [latency, idle] = [RewardPart::Latency, RewardPart::IdleMemory].map(|part| kept[part as usize]);
    let ratio = idle / latency;
    assert!(
        checks.iter().any(|(multiplier, _)| (ratio / multiplier - 1.0).abs() < 1e-4),
        "{ratio}: {checks:?}"
    );
    let run_folder = run_folder.display().to_string();
    let played = record(&evaluate(&config, &run_folder, &[]));
    let same = format!("latency={latency},idle_memory={idle}");
    let told = record(&evaluate(&config, &run_folder, &["--preference", &same]));
    assert_eq!(told["idle_gb_seconds"], played["idle_gb_seconds"]);
    let other = record(&evaluate(&config, &run_folder, &["--preference", "idle_memory=1"]));
    assert_ne!(other["idle_gb_seconds"], played["idle_gb_seconds"]);
}
