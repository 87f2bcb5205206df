//! Every dependency of a manifest is named in the sources of its crate.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::fs;
use std::path::Path;

use system_tests::root;

/// Named in manifests alone: it tells the build script where libtorch lies.
const FOR_BUILD_SCRIPTS: &str = "torch-sys";

/// All Rust code below `folder`.
fn code(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        // A crate below this one has a manifest of its own.
        if path.is_dir() && !path.join("Cargo.toml").exists() {
            all.push_str(&code(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    all
}

/// Names in the sections of dependencies of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside
            && let Some(name) = line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty())
        {
            found.push(name);
        }
    }
    found
}

/// Whether `word` stands in `code` as a path's beginning, an import or a macro's path.
fn is_named(code: &str, word: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(word).any(|(at, _)| {
        let after = &code[at + word.len()..];
        !code[..at].ends_with(is_letter)
            && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

#[test]
fn no_crate_names_a_dependency_that_it_does_not_use() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = text.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let mut unused = Vec::new();
    for krate in members.split('"').skip(1).step_by(2) {
        let code = code(&root().join(krate));
        let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
        for name in dependencies(&manifest) {
            if name != FOR_BUILD_SCRIPTS && !is_named(&code, &name.replace('-', "_")) {
                unused.push(format!("{krate}: {name}"));
            }
        }
    }
    assert!(unused.is_empty(), "dependencies that are not used:\n{}", unused.join("\n"));
}

#[test]
fn a_name_counts_where_a_path_begins() {
    assert!(is_named("use rand::Rng;", "rand") && is_named("use zmq;", "zmq"));
    assert!(!is_named("let brand = operand::new();", "rand"));
}
