//! Results folders that somebody tampered with: refused with file and key, whatever their files claim to be, and drawn without harm.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::trajectory::Scenario;
use common::{ExitCode, ExitStatus as _};
use evaluation::{
    Cell, DecisionTimes, EpisodeRecord, EvaluationError, ReportInput, ResultsFolder, metrics_of,
    read_recordings, read_results, report_html, sums_of, write_recording,
};

const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const RECORDING: &str = "recordings/steady@90@sjf.json";

fn manifest() -> String {
    format!(
        r#"{{"schema": 1, "scenario": "serverless", "version": "0.1.0", "seed": 1, "part": "test", "seeds": 2,
        "workloads": [{{"name": "steady", "digest": "{DIGEST}", "config": {{"a": 1}}}}],
        "schedulers": [{{"name": "sjf"}}, {{"name": "runs/a", "checkpoint": "{DIGEST}"}}]}}"#
    )
}

fn recording() -> String {
    let span = r#"{"node": 0, "lane": 1, "function": 2, "state": "idle", "from": 1.0, "to": 2.0}"#;
    format!(
        r#"{{"schema": 1, "workload": "steady", "load": 90.0, "scheduler": "sjf", "seed": 0, "bin_seconds": 1.0,
        "queue": [1.0, 2.0], "busy": [[0.5, 0.25]], "cpu": [[0.5, 0.25]], "window": [1.0, 2.0], "spans": [{span}]}}"#
    )
}

fn episode(scheduler: &str, seed: u32) -> String {
    let count = |all: usize| (0..all).map(|place| 1.0 + place as f64 + f64::from(seed)).collect();
    let record = EpisodeRecord {
        cell: Cell { workload: "steady".into(), load: 90.0, scheduler: scheduler.into() },
        seed,
        figures: count(metrics_of(Scenario::Serverless).len()),
        sums: count(sums_of(Scenario::Serverless).len()),
        slowdowns: vec![(1.0, 90), (4.0, 10)],
        decisions: DecisionTimes::default(),
    };
    record.to_line(Scenario::Serverless)
}

/// A sound folder.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> =
        ["sjf", "runs/a"].iter().flat_map(|name| (0..2).map(|seed| episode(name, seed))).collect();
    fs::create_dir(folder.path().join("recordings")).unwrap();
    fs::write(folder.path().join("evaluation.json"), manifest()).unwrap();
    fs::write(folder.path().join("episodes.jsonl"), lines.join("\n") + "\n").unwrap();
    fs::write(folder.path().join(RECORDING), recording()).unwrap();
    folder
}

/// What `longshore report` does with a folder.
fn report(folder: &Path) -> Result<String, EvaluationError> {
    let (manifest, results) = read_results(folder)?;
    let recordings = read_recordings(folder)?;
    report_html(&ReportInput {
        manifest: &manifest,
        results: &results,
        recordings: &recordings,
        explained: &[],
        baseline: None,
        tolerance: 0.05,
    })
}

fn refused(folder: &Path, file: &str, words: &[&str]) {
    let error = report(folder).err().unwrap_or_else(|| panic!("it was drawn, without {words:?}"));
    assert_eq!(error.exit_code(), ExitCode::Input, "{error}");
    let text = error.to_string();
    assert!(text.contains(file.rsplit('/').next().unwrap()), "{file} is not named: {text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
    assert!(text.len() < 1000 && text.lines().count() == 1, "{text}");
}

/// Replaces a part of a file, draws, and expects an error.
fn altered(file: &str, from: &str, to: &str, words: &[&str]) {
    let folder = folder();
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    refused(folder.path(), file, words);
}

#[test]
fn a_sound_folder_is_drawn() {
    let page = report(folder().path()).unwrap();
    assert!(page.contains("0011223344556677</code>") && page.contains("Containers on their nodes"));
}

#[test]
fn digests_are_hex_digits() {
    for wrong in ["", "0011", "<script>alert(1)</script>", &"é".repeat(32), &"日本".repeat(40)] {
        for key in ["workloads[0].digest", "schedulers[1].checkpoint"] {
            let name = key.rsplit('.').next().unwrap();
            altered(
                "evaluation.json",
                &format!("\"{name}\": \"{DIGEST}\""),
                &format!("\"{name}\": \"{wrong}\""),
                &[key, "64 hex digits"],
            );
        }
    }
}

#[test]
fn names_are_bounded() {
    let long = "n".repeat(1 << 20);
    altered("evaluation.json", "\"steady\"", &format!("\"{long}\""), &["workloads[0].name", "8192"]);
    altered("episodes.jsonl", "\"steady\"", &format!("\"{}\"", &long[..10_000]), &["row 1", "`workload`"]);
    altered("episodes.jsonl", "\"steady\"", &format!("\"{long}\""), &["row 1", "longer than 1048576 bytes"]);
    altered(RECORDING, "\"sjf\"", &format!("\"{long}\""), &["`scheduler`", "8192"]);
    let many = "{\"name\": \"a\"}, ".repeat(10_000);
    altered(
        "evaluation.json",
        "{\"name\": \"sjf\"}",
        &format!("{many}{{\"name\": \"b\"}}"),
        &["`schedulers`", "10002 entries"],
    );
}

#[test]
fn recordings_that_no_picture_could_show_are_refused() {
    for (from, to, words) in [
        ("\"schema\": 1", "\"schema\": 2", ["`schema`", "reads 1"]),
        ("\"node\": 0", "\"node\": 4294967295", ["`spans[0]`", "node 4294967295"]),
        ("\"lane\": 1", "\"lane\": 4294967295", ["`spans[0]`", "lane 4294967295"]),
        ("\"to\": 2.0", "\"to\": 1e300", ["`spans[0]`", "times"]),
        ("[1.0, 2.0]", "[1.0, 1e300]", ["`window`", "times lie from 0"]),
        ("\"bin_seconds\": 1.0", "\"bin_seconds\": 0", ["`bin_seconds`", "above 0"]),
        ("\"idle\"", "\"<b>\"", ["`spans[0].state`", "unknown variant"]),
    ] {
        let recording = recording();
        // The window is the last of its kind.
        let text = if to.starts_with('[') {
            recording.replace(&format!("\"window\": {from}"), &format!("\"window\": {to}"))
        } else {
            recording.replacen(from, to, 1)
        };
        altered(RECORDING, &recording, &text, &words);
    }
    let bins = vec!["0"; 5000].join(",");
    altered(RECORDING, "[0.5, 0.25]", &format!("[{bins}]"), &["`busy`", "5000 bins"]);
}

/// Puts something else in the place of a file.
fn replaced(file: &str, put: impl FnOnce(&Path, &Path), words: &[&str]) {
    let (folder, outside) = (folder(), tempfile::tempdir().unwrap());
    let path = folder.path().join(file);
    fs::rename(&path, outside.path().join("outside")).unwrap();
    put(&path, &outside.path().join("outside"));
    refused(folder.path(), file, words);
}

#[test]
fn links_lead_nowhere_out_of_the_folder() {
    for file in ["evaluation.json", "episodes.jsonl", RECORDING] {
        replaced(file, |path, outside| symlink(outside, path).unwrap(), &["leads out of its folder"]);
    }
}

#[test]
fn an_evaluation_writes_nothing_outside_the_folder() {
    let (folder, outside) = (folder(), tempfile::tempdir().unwrap());
    let (asked, _) = read_results(folder.path()).unwrap();
    fs::remove_dir_all(folder.path().join("recordings")).unwrap();
    for name in ["results.csv", "recordings"] {
        for target in ["", "missing"] {
            let path = folder.path().join(name);
            symlink(outside.path().join(target), &path).unwrap();
            let error = ResultsFolder::open(folder.path(), &asked).err().expect(name);
            assert_eq!(error.exit_code(), ExitCode::Input);
            assert!(error.to_string().contains(name) && error.to_string().contains("is a link"), "{error}");
            fs::remove_file(&path).unwrap();
        }
    }
    ResultsFolder::open(folder.path(), &asked).unwrap().finish().unwrap();
    fs::create_dir(folder.path().join("recordings")).unwrap();
    symlink(outside.path().join("missing"), folder.path().join(RECORDING)).unwrap();
    let recording = serde_json::from_str(&recording()).unwrap();
    assert!(write_recording(folder.path(), &recording).is_err() && !outside.path().join("missing").exists());
}

#[test]
fn devices_and_pipes_are_not_read() {
    for file in ["evaluation.json", "episodes.jsonl", RECORDING] {
        replaced(
            file,
            |path, _| symlink("/dev/zero", path).unwrap(),
            &["leads out of its folder, to /dev/zero"],
        );
        replaced(
            file,
            |path, _| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            &["is a pipe"],
        );
        replaced(file, |path, _| fs::create_dir(path).unwrap(), &["is a folder"]);
    }
}

#[test]
fn files_that_are_far_too_large_are_not_read() {
    // With a hole it takes no room on the disk.
    let huge = |path: &Path, _: &Path| fs::File::create(path).unwrap().set_len(6 << 30).unwrap();
    for (file, limit) in [("evaluation.json", "16 MiB"), ("episodes.jsonl", "1 GiB"), (RECORDING, "128 MiB")]
    {
        replaced(file, huge, &["is larger than", limit, "it has 6442450944 bytes"]);
    }
}

#[test]
fn counts_beyond_all_sense_are_added_up() {
    let folder = folder();
    let path = folder.path().join("episodes.jsonl");
    let most = u64::MAX;
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("90]", &format!("{most}]"))
        .replace("\"decision_times\":[]", &format!("\"decision_times\":[[1,{most}],[65535,{most}]]"));
    assert!(text.contains(&most.to_string()));
    fs::write(&path, text).unwrap();
    assert!(report(folder.path()).unwrap().contains("Distribution of"));
}
