//! What `./run` does with its arguments, and that it knows what it downloads; `cargo` and `dpkg-query` are stand-ins, so that
//! nothing is built or installed.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use system_tests::root;

/// The script in a home of its own; `more` stands on the PATH, too.
fn script(home: &Path, more: &str, arguments: &[&str]) -> Command {
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
    command
}

fn run_script(home: &Path, more: &str, arguments: &[&str]) -> Output {
    script(home, more, arguments).output().unwrap()
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

/// A wheel that pip takes for the one that is asked for.
fn forge_wheel(folder: &Path, name: &str, version: &str, tags: &str) {
    let about = format!("{}-{version}.dist-info", name.replace('-', "_"));
    fs::create_dir_all(folder.join(&about)).unwrap();
    fs::write(
        folder.join(&about).join("METADATA"),
        format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"),
    )
    .unwrap();
    fs::write(folder.join(&about).join("WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n").unwrap();
    let wheel = format!("{}-{version}-{tags}_{}.whl", name.replace('-', "_"), std::env::consts::ARCH);
    let zip = ["-m", "zipfile", "-c", &wheel, &about];
    assert!(Command::new("python3").args(zip).current_dir(folder).status().unwrap().success());
}

#[test]
fn a_wheel_that_was_altered_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let wheels = home.path().join("wheels");
    forge_wheel(&wheels, "torch", "2.11.0", "cp311-cp311-manylinux_2_28");
    forge_wheel(&wheels, "nvidia-cuda-runtime", "13.0.96", "py3-none-manylinux_2_17");
    forge_wheel(&wheels, "nvidia-cuda-cupti", "13.0.85", "py3-none-manylinux_2_25");
    let mut command = script(home.path(), "", &["set-up"]);
    command.env_remove("LIBTORCH").env_remove("LIBTORCH_USE_PYTORCH");
    command.env("PIP_CONFIG_FILE", "/dev/null").env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", &wheels);
    let output = command.output().unwrap();
    let text = words(&output);
    assert!(!output.status.success() && text.contains("DO NOT MATCH THE HASHES"), "{text}");
    assert!(text.contains("do not use it"), "{text}");
    assert!(!home.path().join("cache/libtorch-2.11.0/unpacked").exists(), "nothing of it is unpacked");
}

#[test]
fn what_is_installed_has_a_version_and_what_is_downloaded_a_hash() {
    let mut scripts = vec![root().join("run"), root().join(".ci/run")];
    scripts.extend(fs::read_dir(root().join("deploy/docker")).unwrap().map(|entry| entry.unwrap().path()));
    let mut seen = 0;
    for script in scripts {
        let text = fs::read_to_string(&script).unwrap().replace("\\\n", " ");
        let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for (line, needed) in code.flat_map(|line| {
            [
                ("cargo install", " --version \"="),
                ("pip download", "--require-hashes"),
                ("pip\" install", "--require-hashes"),
                ("pip install", "--require-hashes"),
            ]
            .into_iter()
            .filter(move |(tool, _)| line.contains(tool))
            .map(move |(_, needed)| (line, needed))
        }) {
            seen += 1;
            assert!(line.contains(needed), "{}: `{line}` lacks `{needed}`", script.display());
        }
    }
    assert_eq!(seen, 3, "cargo-fuzz, libtorch and Optuna are fetched");
}
