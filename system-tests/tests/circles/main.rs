//! No files of a crate depend on each other in a circle: whoever reads one of them would have to read all.
//!
//! A file depends on another when it names something that the other defines, by `use` or by a path. A re-export alone
//! is no dependency, and tests do not count.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

mod graph;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use graph::Graph;

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
        wrong.extend(circles.iter().map(|circle| format!("{folder}: {}", circle.join(" - "))));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
