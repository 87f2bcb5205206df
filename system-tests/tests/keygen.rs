//! `longshore keygen` killed at any moment, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::ExitCode;
use system_tests::{programs, run};
use transport::{Keys, Role};

fn keygen(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(programs().join("longshore"));
    command.arg("keygen").arg(folder).args(more).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Every role finds its pair, in the key folder and in its own.
fn check_whole(folder: &Path) {
    for role in Role::ALL {
        Keys::load(folder, role).unwrap();
        Keys::load(&folder.join(role.to_string()), role).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_is_made_good_by_the_next_call() {
    let home = tempfile::tempdir().unwrap();
    let folder = |name: &str| home.path().join(name);
    let time = |name: &str| {
        let start = Instant::now();
        assert!(keygen(&folder(name), &["--role-folders"]).status().unwrap().success());
        start.elapsed()
    };
    let takes = time("first").min(time("second")).min(time("third"));
    let mut killed = 0;
    for kill in 0..60 {
        // Half of the kills meet a folder that is being made, and half one whose keys are being replaced.
        let folder = folder(&format!("keys-{kill}"));
        let mut arguments = vec!["--role-folders"];
        if kill % 2 == 1 {
            assert!(keygen(&folder, &arguments).status().unwrap().success());
            arguments.push("--force");
        }
        let mut child = keygen(&folder, &arguments).spawn().unwrap();
        std::thread::sleep(takes * kill / 60);
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let again = run("longshore", &["keygen", folder.to_str().unwrap(), "--role-folders"]);
        assert!(again.status.success(), "kill {kill}: {}", String::from_utf8_lossy(&again.stderr));
        check_whole(&folder);
        let hidden = fs::read_dir(&folder)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(hidden.count(), 0, "kill {kill}");
    }
    assert!(killed > 10, "only {killed} kills came in time; a call takes {takes:?}");
}

#[test]
fn a_pair_whose_halves_do_not_belong_together_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("keys");
    let path = folder.to_str().unwrap();
    assert!(run("longshore", &["keygen", path]).status.success());
    fs::copy(folder.join("learner.public"), folder.join("actor.public")).unwrap();
    let keys = format!("transport.keys=\"{path}\"");
    let config = "configs/train/cluster.toml";
    for (program, arguments) in
        [("longshore", &["keygen", path][..]), ("longshore-actor", &["-c", config, "--set", &keys])]
    {
        let output = run(program, arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(ExitCode::Security as i32), "{program}: {text}");
        assert!(text.contains("actor.public: does not belong to") && text.contains("actor.secret"), "{text}");
    }
}
