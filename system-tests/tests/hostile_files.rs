//! Files that are no files, or far too large, in the place of everything that a person can name: the file is named, the exit status is
//! the documented one, and neither time nor memory is spent on it.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use system_tests::{programs, root};

/// What stands in the place of a file, and a word of the message about it.
const KINDS: [(&str, &str); 3] =
    [("pipe", "is a pipe"), ("device", "/dev/zero"), ("hole", "6442450944 bytes")];

/// Puts something of a kind at `path`.
fn put(kind: &str, path: &Path) {
    let _ = fs::remove_file(path);
    match kind {
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "device" => symlink("/dev/zero", path).unwrap(),
        // It begins as a text, and what follows takes no room on the disk.
        _ => {
            fs::write(path, " ".repeat(8192)).unwrap();
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(6 << 30).unwrap();
        }
    }
}

/// Runs `longshore` with 60 seconds and 5 GiB of addresses, of which its libraries take a good part.
fn limited(arguments: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", "ulimit -v 5242880; exec timeout 60 \"$@\"", "sh"])
        .arg(programs().join("longshore"))
        .args(arguments)
        .current_dir(root())
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A command refuses each kind of `file` in `folder`, with the status, and names it.
fn refuses(folder: &Path, file: &str, arguments: &[&str], status: i32) {
    let path = folder.join(file);
    for (kind, word) in KINDS {
        put(kind, &path);
        let output = limited(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{file} is a {kind}: {text}");
        let name = path.file_name().unwrap().to_string_lossy();
        // A device that is named by itself is refused as one.
        let says = text.contains(word) || (kind == "device" && text.contains("is a device"));
        assert!(says && text.contains(&*name), "{file} is a {kind}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
    fs::remove_file(&path).unwrap();
}

#[test]
fn files_that_people_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let slots = root().join("configs/train/slots.toml").display().to_string();
    refuses(folder.path(), "jobs.json", &["evaluate", "slots", "--jobs", &path("jobs.json")], 4);
    refuses(folder.path(), "own.toml", &["config", "check", &path("own.toml")], 3);
    refuses(folder.path(), "own.toml", &["train", "-c", &path("own.toml"), "--run-folder", &path("run")], 3);
    refuses(folder.path(), "study.toml", &["sweep", "run", &path("study.toml"), "--check"], 3);
    let import = ["sweep", "import", "wandb", &path("sweep.yaml"), "-c", &slots, "-o", &path("new.toml")];
    refuses(folder.path(), "sweep.yaml", &import, 3);
}

#[test]
fn results_of_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    fs::create_dir_all(results.join("recordings")).unwrap();
    let (results, page) =
        (results.display().to_string(), folder.path().join("page.html").display().to_string());
    let report = ["report", &results, "-o", &page];
    refuses(folder.path(), "results/evaluation.json", &report, 4);
    let manifest = r#"{"schema": 1, "scenario": "slots", "version": "0", "seed": 1, "part": "test", "seeds": 1, "workloads": [],
                       "schedulers": []}"#;
    fs::write(folder.path().join("results/evaluation.json"), manifest).unwrap();
    refuses(folder.path(), "results/episodes.jsonl", &report, 4);
    refuses(folder.path(), "results/episodes.jsonl", &["compare", "sjf", "fcfs", "--results", &results], 4);
    refuses(folder.path(), "results/recordings/a.json", &report, 4);
    assert!(!Path::new(&page).exists());
}

#[test]
fn runs_of_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run").display().to_string();
    fs::create_dir_all(folder.path().join("run/checkpoints/best")).unwrap();
    let picture = folder.path().join("curves.svg").display().to_string();
    refuses(folder.path(), "run/metrics.jsonl", &["curves", &run, "-o", &picture], 4);
    // Where no regular file is a manifest there is no checkpoint.
    let manifest = folder.path().join("run/checkpoints/best/manifest.json");
    put("hole", &manifest);
    for arguments in [&["explain", &run][..], &["evaluate", "slots", "--episodes", "2", "--scheduler", &run]]
    {
        let output = limited(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{text}");
        assert!(text.contains("manifest.json") && text.contains("is larger than 64 MiB"), "{text}");
    }
}
