//! What ends a program is said once on stderr whatever the logs' filter is, and output that cannot be written ends no
//! program with a panic.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs::File;
use std::process::{Command, Output, Stdio};

use system_tests::{programs, root};

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(programs().join(program));
    command.args(arguments).current_dir(root()).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

const WRONG: [(&str, &[&str]); 4] = [
    ("longshore", &["train", "-c", "/nowhere/x.toml"]),
    ("longshore-actor", &["-c", "/nowhere/x.toml"]),
    ("longshore-replay", &["-c", "/nowhere/x.toml", "--shard", "0"]),
    ("longshore-learner", &["-c", "/nowhere/x.toml"]),
];

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_last_error_is_said_once_past_every_filter() {
    for (program, arguments) in WRONG {
        for filter in ["off", "error", "trace", "transport=off"] {
            let output = command(program, arguments).env("RUST_LOG", filter).output().unwrap();
            let text = text(&output);
            assert_eq!(output.status.code(), Some(3), "{program}: {text}");
            assert_eq!(
                text.matches("/nowhere/x.toml: No such file").count(),
                1,
                "{program}, {filter}: {text}"
            );
        }
        if program != "longshore" {
            let output =
                command(program, arguments).arg("--log-json").env("RUST_LOG", "off").output().unwrap();
            let value: serde_json::Value = serde_json::from_str(&text(&output)).unwrap();
            assert!(value["message"].as_str().unwrap().contains("/nowhere/x.toml"), "{value}");
        }
    }
}

#[test]
fn a_filter_that_cannot_be_understood_is_named() {
    let rank: (&str, &[&str]) =
        ("longshore", &["rank", "--device", "cpu", "--threads", "1", "--deadline", "1"]);
    for (program, arguments) in WRONG.into_iter().chain([rank]) {
        for filter in ["debgu", "info,replay=loud", "a=b=c"] {
            let output = command(program, arguments).env("RUST_LOG", filter).output().unwrap();
            let text = text(&output);
            assert_eq!(output.status.code(), Some(3), "{program}: {text}");
            assert_eq!(text.matches(&format!("RUST_LOG=`{filter}`")).count(), 1, "{program}: {text}");
            assert!(text.contains("off, error, warn, info, debug, trace"), "{text}");
        }
    }
}

/// Commands that print something at once.
const PRINTING: [(&str, &[&str]); 13] = [
    ("longshore", &["--help"]),
    ("longshore", &["--version"]),
    ("longshore", &["train", "--help"]),
    ("longshore", &["completions", "bash"]),
    ("longshore", &["doctor", "--json"]),
    ("longshore", &["trace", "inspect", "simulator/data/azure2021/events.csv"]),
    ("longshore", &["trace", "inspect", "--json", "simulator/data/azure2021/events.csv"]),
    (
        "longshore",
        &[
            "evaluate",
            "slots",
            "--jobs",
            "simulator/data/slots_fixtures.json",
            "--scheduler",
            "sjf",
            "--json",
        ],
    ),
    (
        "longshore",
        &["evaluate", "slots", "--load", "90", "--steps", "50", "--episodes", "2", "--scheduler", "sjf"],
    ),
    (
        "longshore",
        &["bench", "partition", "--graphs", "states", "--edges", "1000", "--parts", "2", "--repeats", "1"],
    ),
    ("longshore-actor", &["--help"]),
    ("longshore-replay", &["--version"]),
    ("longshore-learner", &["--help"]),
];

/// A pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn nobody_who_stops_reading_makes_a_program_fail() {
    for (program, arguments) in PRINTING {
        let output =
            command(program, arguments).stdout(closed_pipe()).stderr(Stdio::piped()).output().unwrap();
        let text = text(&output);
        assert!(output.status.success() && !text.contains("panicked"), "{program} {arguments:?}: {text}");
        let status =
            command(program, arguments).stdout(Stdio::null()).stderr(closed_pipe()).status().unwrap();
        assert!(status.success(), "{program} {arguments:?} with closed stderr: {status}");
        let mut shell = Command::new("sh");
        let line = "exec \"$0\" \"$@\" >&- 2>&-";
        let status = shell
            .args(["-c", line])
            .arg(programs().join(program))
            .args(arguments)
            .current_dir(root())
            .status();
        assert!(status.unwrap().success(), "{program} {arguments:?} with both closed");
    }
    // What fails keeps its status when nobody can be told.
    for (program, arguments) in WRONG {
        let status =
            command(program, arguments).stdout(closed_pipe()).stderr(closed_pipe()).status().unwrap();
        assert_eq!(status.code(), Some(3), "{program}");
    }
    let status = command("longshore", &["trian"]).stderr(closed_pipe()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_full_disk_behind_stdout_is_said() {
    for (program, arguments) in PRINTING {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command(program, arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let text = text(&output);
        assert_eq!(output.status.code(), Some(12), "{program} {arguments:?}: {text}");
        assert_eq!(text.matches("cannot write to standard output: No space left").count(), 1, "{text}");
        assert!(!text.contains("panicked"), "{text}");
    }
}

#[test]
fn commands_that_write_files_first_print_as_safely() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (results, run_folder, keys, small) = (path("results"), path("run"), path("keys"), path("small"));
    let evaluate = [
        "evaluate",
        "slots",
        "--load",
        "90",
        "--steps",
        "50",
        "--episodes",
        "5",
        "--scheduler",
        "sjf,tetris",
        "--out",
        &results,
    ];
    let mut train = vec!["train", "-c", "configs/train/slots.toml", "--run-folder", &run_folder];
    for setting in [
        "learner.budget_steps=600",
        "learner.batch_steps=256",
        "actor.environments=16",
        "policy.width=16",
        "evaluation.validation_episodes=2",
        "evaluation.test_episodes=2",
        "evaluation.loads=[90.0]",
        "evaluation.steps=[50]",
    ] {
        train.extend(["--set", setting]);
    }
    let compare = ["compare", "sjf", "tetris", "--results", &results];
    let sample = ["trace", "sample", "simulator/data/azure2021/events.csv", "--out", &small, "--force"];
    for arguments in [&evaluate[..], &train, &compare, &["keygen", &keys], &sample] {
        let output =
            command("longshore", arguments).stdout(closed_pipe()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command("longshore", arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(12), "{arguments:?}: {}", text(&output));
        assert!(
            text(&output).contains("cannot write to standard output: No space left"),
            "{}",
            text(&output)
        );
        let status =
            command("longshore", arguments).stdout(Stdio::null()).stderr(closed_pipe()).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    }
}
