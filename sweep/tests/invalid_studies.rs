//! Every file in `configs/invalid-studies` is refused with the message in the comment at its head, less the file's name.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::{Path, PathBuf};

use common::{ExitCode, ExitStatus as _};
use sweep::Study;

#[test]
fn wrong_studies_are_refused_with_the_key_and_what_would_be_right() {
    // Paths of configurations in the files are relative to the project.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::env::set_current_dir(root).unwrap();
    let files = fs::read_dir("configs/invalid-studies").unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 40);
    let mut wrong = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().unwrap().trim_start_matches("# ").to_owned();
        let read = Study::load(&path).and_then(|study| study.check_place(Some(2)));
        let Err(error) = read else { panic!("{} is taken", path.display()) };
        assert_eq!(error.exit_code(), ExitCode::Config, "{error}");
        let message = error.to_string();
        let message = message.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&message);
        let message = message.strip_prefix("study `study`: ").unwrap_or(message);
        if message != expected {
            wrong.push(format!("{}\n  says     {message}\n  expected {expected}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
