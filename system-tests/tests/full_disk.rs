//! A disk that is full when a run, results or a report are written: the file is named, and nothing is called damaged.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::process::{Command, Output};

use system_tests::{SmallDisk, programs, root, run};

fn full(output: &Output, file: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(12), "{file}: {text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains("No space left on device") && last.contains(file), "`{file}`: {text}");
    assert!(!text.contains("damaged") && !text.contains("panicked"), "{text}");
}

#[test]
fn a_run_whose_disk_is_full_at_the_start_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else { return };
    let slots = root().join("configs/train/slots.toml").display().to_string();
    // Before anything is learnt; what happens later is shown in `endings.rs`.
    for (kib, file) in [(0, "/disk/run-0/"), (4, "/disk/run-4/")] {
        disk.leave(kib);
        let run_folder = disk.path().join(format!("run-{kib}"));
        let mut arguments = vec!["train", "-c", &slots, "--no-report"];
        let path = run_folder.display().to_string();
        arguments.extend(["--run-folder", &path]);
        for setting in [
            "learner.budget_steps=600",
            "learner.batch_steps=256",
            "actor.environments=16",
            "evaluation.validation_episodes=2",
            "evaluation.loads=[90.0]",
        ] {
            arguments.extend(["--set", setting]);
        }
        full(&run("longshore", &arguments), file);
        let _ = fs::remove_dir_all(&run_folder);
    }
}

#[test]
fn a_limit_on_the_size_of_files_ends_no_program_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    // The smaller trace has 150 KB.
    shell
        .args(["-c", "ulimit -f 40; exec \"$@\"", "sh"])
        .arg(programs().join("longshore"))
        .current_dir(root());
    shell.args(["trace", "sample", "simulator/data/azure2021/events.csv", "--out"]).arg(folder.path());
    let output = shell.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(12), "{text}");
    assert!(text.contains("events.csv") && text.contains("File too large"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "half a file is left");
}

#[test]
fn results_reports_samples_and_keys_on_a_full_disk_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else { return };
    let results = folder.path().join("results").display().to_string();
    let evaluate = |out: &str| {
        let arguments =
            ["evaluate", "slots", "--load", "90", "--steps", "50", "--episodes", "20", "--scheduler", "sjf"];
        run("longshore", &[&arguments[..], &["--out", out]].concat())
    };
    assert!(evaluate(&results).status.success());
    disk.leave(0);
    let path = |name: &str| disk.path().join(name).display().to_string();
    full(&evaluate(&path("results")), "/disk/results");
    full(&run("longshore", &["report", &results, "-o", &path("report.html")]), "/disk/report.html");
    let events = "simulator/data/azure2021/events.csv";
    full(&run("longshore", &["trace", "sample", events, "--out", &path("small")]), "/disk/small");
    full(&run("longshore", &["trace", "inspect", events, "--svg", &path("a.svg")]), "/disk/a.svg");
    full(&run("longshore", &["keygen", &path("keys")]), "/disk/keys");
    // Half a file would take what little there may be.
    let left: Vec<_> = fs::read_dir(disk.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}
