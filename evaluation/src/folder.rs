//! A results folder: `evaluation.json` says what was asked, `episodes.jsonl` has a line for every finished episode, and
//! `results.csv` a row for every workload, load and scheduler. Episodes are appended and made durable in groups:
//! an evaluation that is killed loses at most its last seconds, and the same command continues it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::folder_file::check_within;
use durable::FolderLock;

use crate::episodes_file::{EPISODES, check_room, read_episodes};
use crate::error::EvaluationError;
use crate::manifest::Manifest;
use crate::manifest_file::{MANIFEST, read_manifest};
use crate::record::EpisodeRecord;
use crate::recording_file::RECORDINGS;
use crate::results::Results;
use crate::results_csv::summaries_csv;

const SUMMARY: &str = "results.csv";
/// Time after which appended lines are made durable.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// A results folder that is written to.
pub struct ResultsFolder {
    path: PathBuf,
    manifest: Manifest,
    /// Results of all episodes in the folder.
    pub results: Results,
    file: File,
    bytes: u64,
    written: Instant,
    _lock: FolderLock,
}

impl ResultsFolder {
    /// Opens or makes the folder for what `asked` says. A last line that a crash left unfinished is cut off.
    ///
    /// # Errors
    /// When the folder does not match what was asked for, another process writes to it, or it cannot be read.
    pub fn open(path: &Path, asked: &Manifest) -> Result<Self, EvaluationError> {
        let io = |cause| EvaluationError::Append { path: path.to_owned(), cause };
        std::fs::create_dir_all(path).map_err(io)?;
        for name in [MANIFEST, EPISODES, SUMMARY, RECORDINGS] {
            check_within(path, name)
                .map_err(|cause| EvaluationError::Read { path: path.join(name), cause })?;
        }
        let lock = FolderLock::take(path)?;
        let manifest_path = path.join(MANIFEST);
        let manifest = if manifest_path.exists() {
            let mut manifest = read_manifest(path)?;
            manifest
                .extend(asked)
                .map_err(|message| EvaluationError::OtherResults { path: manifest_path.clone(), message })?;
            manifest
        } else {
            asked.clone()
        };
        let (results, end) = read_episodes(path, &manifest)?;
        let text = serde_json::to_string_pretty(&manifest).expect("names and numbers can be written as JSON");
        durable::atomic_write(&manifest_path, text.as_bytes())?;
        let episodes = path.join(EPISODES);
        let file = OpenOptions::new().create(true).append(true).open(&episodes).map_err(io)?;
        if file.metadata().map_err(io)?.len() > end {
            tracing::warn!(file = %episodes.display(), "the last line was not finished; it is cut off");
            file.set_len(end).map_err(io)?;
        }
        Ok(ResultsFolder {
            path: path.to_owned(),
            manifest,
            results,
            file,
            bytes: end,
            written: Instant::now(),
            _lock: lock,
        })
    }

    /// Appends a finished episode.
    ///
    /// # Errors
    /// [`EvaluationError::Append`].
    pub fn append(&mut self, record: EpisodeRecord) -> Result<(), EvaluationError> {
        let mut line = record.to_line(self.results.scenario());
        line.push('\n');
        self.bytes += line.len() as u64;
        check_room(self.bytes).map_err(|cause| self.fail(cause))?;
        self.file.write_all(line.as_bytes()).map_err(|cause| self.fail(cause))?;
        if self.written.elapsed() >= SYNC_EVERY {
            self.sync()?;
        }
        self.results.add(record);
        Ok(())
    }

    /// Makes all episodes durable and writes `results.csv`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(mut self) -> Result<Results, EvaluationError> {
        self.sync()?;
        let (workloads, schedulers) = self.manifest.names();
        self.results.sort(&workloads, &schedulers);
        let table = summaries_csv(self.results.scenario(), &self.results.summaries())?;
        durable::atomic_write(&self.path.join(SUMMARY), table.as_bytes())?;
        Ok(self.results)
    }

    fn sync(&mut self) -> Result<(), EvaluationError> {
        self.written = Instant::now();
        self.file.sync_data().map_err(|cause| self.fail(cause))
    }

    fn fail(&self, cause: std::io::Error) -> EvaluationError {
        EvaluationError::Append { path: self.path.join(EPISODES), cause }
    }
}

/// Reads a results folder, also while another process writes to it.
///
/// # Errors
/// When it is none, or a line of it is malformed.
pub fn read_results(path: &Path) -> Result<(Manifest, Results), EvaluationError> {
    let manifest = read_manifest(path)?;
    let (mut results, _) = read_episodes(path, &manifest)?;
    let (workloads, schedulers) = manifest.names();
    results.sort(&workloads, &schedulers);
    Ok((manifest, results))
}

/// Whether `path` is a file of the results folder that something else than a report lies in.
#[must_use]
pub fn is_results_file(folder: &Path, path: &Path) -> bool {
    let is_page = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html"));
    match (folder.canonicalize(), path.canonicalize()) {
        (Ok(folder), Ok(file)) => file.starts_with(folder) && file.is_file() && !is_page,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_may_lie_in_the_folder_but_not_over_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::create_dir(file("recordings")).unwrap();
        for name in [EPISODES, "recordings/a.json", "report.html"] {
            std::fs::write(file(name), "{}").unwrap();
        }
        std::os::unix::fs::symlink(EPISODES, file("link")).unwrap();
        for (name, is_part) in [
            (EPISODES, true),
            ("recordings/../episodes.jsonl", true),
            ("recordings/a.json", true),
            ("link", true),
            ("report.html", false),
            ("new.html", false),
        ] {
            assert_eq!(is_results_file(folder.path(), &file(name)), is_part, "{name}");
        }
    }
}
