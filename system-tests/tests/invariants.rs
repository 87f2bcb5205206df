//! Holds the invariants of ARCHITECTURE.md against the sources and manifests themselves.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of the project's crates each crate, by its folder, may name in its dependencies.
const MAY_IMPORT: [(&str, &[&str]); 22] = [
    ("common", &[]),
    ("configuration", &["common"]),
    ("simulator/engine", &["common", "configuration"]),
    ("simulator/heuristics", &["common", "engine"]),
    ("simulator/workloads", &["common", "configuration", "engine", "heuristics"]),
    ("state-graph", &["common"]),
    ("partition", &[]),
    ("durable", &["common"]),
    ("telemetry", &["common"]),
    ("transport", &["common", "configuration"]),
    ("torch-extension", &[]),
    (
        "policy",
        &[
            "common",
            "configuration",
            "engine",
            // A policy's prior is a rule.
            "heuristics",
            "state-graph",
            "partition",
            "torch-extension",
            "durable",
        ],
    ),
    ("drawing", &["common"]),
    (
        "evaluation",
        &["common", "configuration", "drawing", "engine", "heuristics", "workloads", "durable", "policy"],
    ),
    (
        "actor",
        &[
            "common",
            "configuration",
            "engine",
            "workloads",
            "state-graph",
            "policy",
            "transport",
            "telemetry",
        ],
    ),
    ("replay", &["common", "configuration", "transport", "telemetry", "durable"]),
    // What it runs are processes: it knows studies, not learners.
    ("sweep", &["common", "configuration", "durable", "drawing"]),
    (
        "learner",
        &[
            "common",
            "configuration",
            "engine",
            "heuristics",
            "workloads",
            "state-graph",
            "partition",
            "torch-extension",
            "policy",
            "transport",
            "telemetry",
            "durable",
            "evaluation",
        ],
    ),
    (
        "bench",
        &[
            "common",
            "configuration",
            "state-graph",
            "partition",
            "torch-extension",
            "policy",
            "transport",
            "learner",
            "sweep",
            "drawing",
        ],
    ),
    (
        "cli",
        &[
            "common",
            "configuration",
            "engine",
            "heuristics",
            "workloads",
            "state-graph",
            "partition",
            "policy",
            "transport",
            "telemetry",
            "durable",
            "actor",
            "replay",
            "learner",
            "evaluation",
            "drawing",
            "sweep",
            "bench",
        ],
    ),
    (
        "system-tests",
        &[
            "common",
            "configuration",
            "engine",
            "heuristics",
            "workloads",
            "state-graph",
            "partition",
            "policy",
            "transport",
            "telemetry",
            "durable",
            "actor",
            "replay",
            "learner",
            "evaluation",
            "sweep",
            "bench",
            "cli",
        ],
    ),
    (
        "examples/own-scheduler",
        &["common", "configuration", "engine", "heuristics", "workloads", "evaluation"],
    ),
];

/// What manifests call the crate in a folder.
fn name_of(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Names in a section of a manifest.
fn dependencies(krate: &str, section: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
    let after = text.split(&format!("[{section}]\n")).nth(1).unwrap_or("");
    let lines = after.lines().take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Every Rust source of a crate, without the comments.
fn sources(krate: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code: Vec<&str> =
                    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                found.push((path, code.join("\n")));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(krate).join("src"), &mut found);
    assert!(!found.is_empty(), "{krate} has sources");
    found
}

/// Whether `word` stands in `code`, not as the end of a longer word: `Batch::new` does not name `tch::`.
fn names(code: &str, word: &str) -> bool {
    let starts_a_word =
        |at: usize| !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    code.match_indices(word).any(|(at, _)| starts_a_word(at))
}

#[test]
fn a_word_is_found_only_where_it_begins() {
    assert!(names("use tch::Tensor;", "tch::"));
    assert!(!names("Batch::new(Patch::default())", "tch::"));
}

fn no_source_names(krates: &[&str], forbidden: &[&str]) {
    for krate in krates {
        for (path, code) in sources(krate) {
            for word in forbidden {
                assert!(!names(&code, word), "{} names `{word}`", path.display());
            }
        }
    }
}

fn crates() -> Vec<&'static str> {
    MAY_IMPORT.iter().map(|(name, _)| *name).collect()
}

#[test]
fn imports_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.into_iter().collect();
    let ours: Vec<&str> = crates().into_iter().map(name_of).collect();
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = text.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    let mut expected = crates();
    expected.sort_unstable();
    let mut found = members.clone();
    found.sort_unstable();
    assert_eq!(found, expected, "every member of the workspace has its place in the house");
    for krate in members {
        for dependency in dependencies(krate, "dependencies") {
            let is_ours = ours.contains(&dependency.as_str());
            assert!(
                !is_ours || allowed[krate].contains(&dependency.as_str()),
                "{krate} may not import {dependency}"
            );
        }
    }
}

#[test]
fn only_transport_names_zmq() {
    for krate in crates().into_iter().filter(|krate| *krate != "transport") {
        assert!(!dependencies(krate, "dependencies").contains(&"zmq".to_owned()), "{krate} depends on zmq");
        no_source_names(&[krate], &["zmq::"]);
    }
}

#[test]
fn tensors_stay_where_they_belong() {
    let may = ["torch-extension", "policy", "learner", "bench"];
    for krate in crates().into_iter().filter(|krate| !may.contains(krate)) {
        assert!(!dependencies(krate, "dependencies").contains(&"tch".to_owned()), "{krate} depends on tch");
        no_source_names(&[krate], &["tch::"]);
    }
    for krate in crates().into_iter().filter(|krate| *krate != "torch-extension") {
        no_source_names(&[krate], &["torch_sys"]);
    }
    // Through no crate below it either.
    let mut below = vec!["replay".to_owned()];
    let mut seen = Vec::new();
    while let Some(krate) = below.pop() {
        let names = dependencies(&krate, "dependencies");
        assert!(
            !names.iter().any(|name| name == "tch" || name == "torch-sys"),
            "replay links libtorch through {krate}"
        );
        let folders = crates().into_iter().filter(|folder| names.iter().any(|name| name == name_of(folder)));
        below.extend(folders.map(str::to_owned).filter(|folder| !seen.contains(folder)));
        seen.push(krate);
    }
}

#[test]
fn what_is_simulated_reads_no_clock_and_opens_no_socket() {
    let forbidden = [
        "Instant::now",
        "SystemTime",
        "std::net",
        "thread::sleep",
        "rand::rng(",
        "rand::random",
        "thread_rng",
    ];
    no_source_names(
        &[
            "common",
            "simulator/engine",
            "simulator/heuristics",
            "simulator/workloads",
            "state-graph",
            "partition",
        ],
        &forbidden,
    );
}

/// What a shard and its clients decide, without the drivers that have sockets, clocks, disks and threads.
const CORES: [&str; 20] = [
    "replay/src/claim.rs",
    "replay/src/core",
    "replay/src/effect.rs",
    "replay/src/item.rs",
    "replay/src/peers.rs",
    "replay/src/requests.rs",
    "replay/src/sessions.rs",
    "replay/src/tables",
    "transport/src/actor_core.rs",
    "transport/src/block.rs",
    "transport/src/channel.rs",
    "transport/src/message.rs",
    "transport/src/options.rs",
    "transport/src/port.rs",
    "transport/src/sampler",
    "transport/src/shard_links.rs",
    "transport/src/weights/core.rs",
    "transport/src/weights/mod.rs",
    "transport/src/wire.rs",
    "transport/src/writer",
];

#[test]
fn cores_know_no_socket_clock_disk_or_thread() {
    let forbidden = ["Instant", "SystemTime", "zmq", "std::thread", "std::fs", "std::net"];
    let all: Vec<_> = ["replay", "transport"].into_iter().flat_map(sources).collect();
    for core in CORES {
        let files: Vec<_> = all.iter().filter(|(path, _)| path.starts_with(root().join(core))).collect();
        assert!(!files.is_empty(), "{core} is not there");
        for (path, code) in files {
            for word in forbidden {
                assert!(!names(code, word), "{} names `{word}`", path.display());
            }
        }
    }
}

#[test]
fn no_link_and_no_disk_goes_by_the_time_of_day() {
    // A clock that jumps is no matter then.
    no_source_names(&["transport", "replay", "durable"], &["SystemTime", "UNIX_EPOCH", "chrono"]);
}

#[test]
fn only_identities_are_drawn_from_the_system() {
    let may = ["actor", "learner", "sweep", "transport"];
    let others: Vec<&str> = crates().into_iter().filter(|krate| !may.contains(krate)).collect();
    no_source_names(&others, &["rand::random", "rand::rng(", "OsRng", "from_os_rng"]);
}

#[test]
fn unsafe_code_lives_in_torch_extension_and_one_file_of_transport() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(text.contains("unsafe_code = \"deny\""));
    for krate in crates().into_iter().filter(|krate| *krate != "torch-extension") {
        let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{krate} takes the workspace's lints");
        for (path, code) in sources(krate) {
            let says = |how: &str| code.contains(&[how, "(unsafe_code"].concat());
            let allows = says("allow") || says("expect");
            assert_eq!(
                allows,
                path.ends_with("transport/src/shared.rs"),
                "{} allows unsafe code",
                path.display()
            );
            assert!(
                !allows || code.contains("deny(clippy::undocumented_unsafe_blocks)"),
                "{}",
                path.display()
            );
        }
    }
    let manifest = fs::read_to_string(root().join("torch-extension/Cargo.toml")).unwrap();
    assert!(
        manifest.contains("undocumented_unsafe_blocks = \"deny\""),
        "each of its blocks says why it is safe"
    );
}

#[test]
fn one_place_writes_pages_and_their_policy() {
    let begins = |code: &str| code.to_lowercase().contains(&["<!doc", "type html"].concat());
    let pages = crates().into_iter().flat_map(sources).filter(|(_, code)| begins(code));
    let pages: Vec<(PathBuf, String)> = pages.collect();
    assert_eq!(pages.len(), 1, "{:?}", pages.iter().map(|(path, _)| path).collect::<Vec<_>>());
    assert!(pages[0].0.ends_with("drawing/src/page.rs") && pages[0].1.contains("Content-Security-Policy"));
}

#[test]
fn evaluation_knows_schedulers_by_their_trait() {
    no_source_names(&["evaluation"], &["policy::", "PolicyScheduler"]);
    for (krate, name) in [("simulator/heuristics", "impl Scheduler for"), ("policy", "impl Scheduler for")] {
        assert!(sources(krate).iter().any(|(_, code)| code.contains(name)), "{krate} has no scheduler");
    }
}

#[test]
fn links_wait_in_one_place_and_receives_return_at_once() {
    for (path, code) in sources("transport") {
        let waits = code.contains("zmq::poll(");
        assert!(!waits || path.ends_with("transport/src/poll.rs"), "{} waits", path.display());
        for line in code.lines().filter(|line| line.contains(".recv_")) {
            let is_bounded = line.contains("DONTWAIT") || line.contains("recv_timeout");
            assert!(is_bounded, "{}: `{}` may wait for ever", path.display(), line.trim());
        }
    }
}
