//! What `./run` does with its arguments; `cargo` and `dpkg-query` are stand-ins, so that nothing is built or installed.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use system_tests::root;

/// Runs it in a home of its own; `more` stands on the PATH, too.
fn run_script(home: &Path, more: &str, arguments: &[&str]) -> Output {
    let tools = home.join("tools");
    fs::create_dir_all(&tools).unwrap();
    for (name, text) in [("cargo", "#!/bin/sh\n"), ("dpkg-query", "#!/bin/sh\necho install ok installed\n")] {
        fs::write(tools.join(name), text).unwrap();
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{more}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(root().join("run"));
    command.args(arguments).env("PATH", path).env("HOME", home).env("LIBTORCH", home);
    command.env("CARGO_TARGET_DIR", home.join("target")).env("LONGSHORE_CACHE", home.join("cache"));
    command.output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn minutes_of_a_soak_may_be_given_either_way() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["soak", "--minutes", "5"][..], &["soak", "--minutes=5"]] {
        let output = run_script(home.path(), "", arguments);
        assert!(
            output.status.success() && words(&output).contains("PASSED (5 minutes"),
            "{}",
            words(&output)
        );
    }
    for arguments in [&["soak", "--minutes=x"][..], &["soak", "--minutes="], &["soak", "--minutes", "0"]] {
        let output = run_script(home.path(), "", arguments);
        assert!(!output.status.success() && words(&output).contains("a whole number"), "{}", words(&output));
    }
    for arguments in [&["soak", "5"][..], &["soak", "--minutes"], &["soak", "--hours=5"]] {
        assert_eq!(run_script(home.path(), "", arguments).status.code(), Some(2));
    }
}

#[test]
fn programs_are_linked_onto_the_path() {
    let home = tempfile::tempdir().unwrap();
    let names = ["longshore", "longshore-actor", "longshore-replay", "longshore-learner"];
    let given = home.path().join("given");
    for (arguments, folder) in [
        (vec!["install"], home.path().join(".local/bin")),
        (vec!["install", given.to_str().unwrap()], given.clone()),
    ] {
        // A second time changes nothing.
        for _ in 0..2 {
            let output = run_script(home.path(), "", &arguments);
            let text = words(&output);
            assert!(output.status.success(), "{text}");
            assert!(text.contains(&format!("{} is not on your PATH", folder.display())), "{text}");
            assert!(text.contains(&format!("export PATH=\"{}:$PATH\"", folder.display())), "{text}");
        }
        for name in names {
            let target = fs::read_link(folder.join(name)).unwrap();
            assert_eq!(target, home.path().join("target/release").join(name));
        }
    }
    let output = run_script(home.path(), given.to_str().unwrap(), &["install", given.to_str().unwrap()]);
    assert!(output.status.success() && !words(&output).contains("not on your PATH"), "{}", words(&output));
    fs::remove_file(given.join("longshore")).unwrap();
    fs::write(given.join("longshore"), "another program").unwrap();
    let output = run_script(home.path(), "", &["install", given.to_str().unwrap()]);
    assert!(!output.status.success() && words(&output).contains("is no link"), "{}", words(&output));
    assert_eq!(fs::read(given.join("longshore")).unwrap(), b"another program");
    assert_eq!(run_script(home.path(), "", &["install", "a", "b"]).status.code(), Some(2));
}
