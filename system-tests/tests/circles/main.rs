//! No files of a crate depend on each other in a circle: whoever reads one of them would have to read all.
//!
//! A file depends on another when it names something that the other defines, by `use` or by a path. A re-export alone is no
//! dependency, and tests do not count.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stdout, reason = "circles that are still allowed are shown beside the test")]

mod graph;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use graph::Graph;

/// Crates that still have circles, with how many at most. Is to become empty.
const NOT_YET: &[(&str, usize)] = &[
    ("configuration", 1),
    ("partition", 1),
    ("torch-extension", 1),
    ("policy", 1),
    ("telemetry", 1),
    ("cli", 3),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Folders of the workspace's crates.
fn crates() -> Vec<String> {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = text.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    members.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn no_files_depend_on_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    for folder in crates() {
        let circles = Graph::of(&root().join(&folder).join("src")).circles();
        let allowed = NOT_YET.iter().find(|(krate, _)| *krate == folder).map_or(0, |(_, circles)| *circles);
        for circle in &circles {
            println!("{folder}: {}", circle.join(" - "));
        }
        if circles.len() > allowed {
            wrong.push(format!("{folder}: {} circles, {allowed} allowed", circles.len()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
