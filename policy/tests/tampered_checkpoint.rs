//! Checkpoints that somebody tampered with: refused with file and key before anything of them is believed, or much is read.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::ids::{PolicyVersion, RunId};
use common::{ExitCode, ExitStatus as _};
use policy::{Checkpoint, Manifest, schema_of, write_checkpoint};

const CONFIG: &str = "schema = 1\nname = \"t\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n";

/// A sound checkpoint with one file, whose content no test reads.
fn checkpoint() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration::parse(CONFIG, "test", &[]).unwrap();
    let manifest = Manifest {
        schema: 1,
        run: RunId([1; 16]).to_string(),
        version: PolicyVersion::default(),
        environment_steps: 0,
        validation: None,
        observation: schema_of(&config).digest().to_string(),
        config,
        files: std::collections::BTreeMap::new(),
    };
    let files = [("policy.safetensors", b"weights".to_vec())];
    write_checkpoint(&folder.path().join("best"), manifest, &files).unwrap();
    folder
}

fn refused(folder: &Path, words: &[&str]) {
    let error = Checkpoint::open(&folder.join("best")).expect_err(words[0]);
    assert_eq!(error.exit_code(), ExitCode::Checkpoint, "{error}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
    assert!(text.len() < 1000 && text.lines().count() == 1, "{text}");
}

/// Replaces a part of the manifest.
fn altered(from: &str, to: &str, words: &[&str]) {
    let folder = checkpoint();
    fs::write(folder.path().join("outside"), b"weights").unwrap();
    let path = folder.path().join("best/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    refused(folder.path(), words);
}

#[test]
fn a_sound_checkpoint_is_opened() {
    let folder = checkpoint();
    let opened = Checkpoint::open(&folder.path().join("best")).unwrap();
    assert_eq!(opened.file("policy.safetensors").unwrap(), b"weights");
    symlink("best", folder.path().join("link")).unwrap();
    Checkpoint::open(&folder.path().join("link")).unwrap();
}

#[test]
fn a_manifest_names_only_files_in_its_folder() {
    let outside = std::env::temp_dir().join("outside").display().to_string();
    for name in ["../outside", &outside, "..", ".", "", "a/b", "manifest.json", "./policy.safetensors"] {
        altered(
            "\"policy.safetensors\"",
            &format!("\"{name}\""),
            &["manifest.json", "`files.", "is no name of a file"],
        );
    }
}

#[test]
fn what_a_manifest_says_is_checked_where_it_is_read() {
    altered(
        "\"sha256\": \"",
        "\"sha256\": \"é",
        &["manifest.json", "`files.policy.safetensors.sha256`", "64 hex"],
    );
    altered(
        "\"observation\": \"",
        "\"observation\": \"日",
        &["manifest.json", "`observation`", "64 hex digits"],
    );
    altered("\"run\": \"", "\"run\": \"<b>", &["manifest.json", "`run`", "32 hex digits"]);
    altered("\"bytes\": 7", "\"bytes\": 99999999999", &["`files.policy.safetensors`", "at most 4 GiB"]);
    altered("\"bytes\": 7", "\"bytes\": 6", &["policy.safetensors", "7 bytes where the manifest says 6"]);
    altered("\"width\": 64", "\"width\": 4000000000", &["manifest.json", "key `policy.width`"]);
}

/// Puts something else in the place of a file.
fn replaced(name: &str, put: impl FnOnce(&Path), words: &[&str]) {
    let folder = checkpoint();
    let path = folder.path().join("best").join(name);
    fs::rename(&path, folder.path().join("outside")).unwrap();
    put(&path);
    refused(folder.path(), &[&[name], words].concat());
}

#[test]
fn links_pipes_and_devices_are_not_followed() {
    for name in ["manifest.json", "policy.safetensors"] {
        replaced(
            name,
            |path| symlink("../outside", path).unwrap(),
            &["is a link that leads out of its folder"],
        );
        replaced(name, |path| symlink("/dev/zero", path).unwrap(), &["to /dev/zero"]);
        replaced(
            name,
            |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            &["is a pipe"],
        );
    }
}

#[test]
fn what_is_larger_than_it_may_be_is_not_read() {
    // With a hole it takes no room on the disk.
    let huge = |path: &Path| fs::File::create(path).unwrap().set_len(6 << 30).unwrap();
    replaced("manifest.json", huge, &["is larger than 64 MiB", "it has 6442450944 bytes"]);
    replaced("policy.safetensors", huge, &["is larger than 4 GiB", "it has 6442450944 bytes"]);
    let large = |path: &Path| fs::File::create(path).unwrap().set_len(1 << 30).unwrap();
    replaced("policy.safetensors", large, &["1073741824 bytes where the manifest says 7"]);
}
