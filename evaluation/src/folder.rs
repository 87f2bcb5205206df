//! A results folder: `evaluation.json` says what was asked, `episodes.jsonl` has a line for every finished episode, and
//! `results.csv` a row for every workload, load and scheduler. Episodes are appended and made durable in groups:
//! an evaluation that is killed loses at most its last seconds, and the same command continues it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::ids::Digest;
use durable::FolderLock;
use heuristics::canonical_name;

use crate::error::EvaluationError;
use crate::manifest::{MANIFEST, Manifest, read_manifest};
use crate::record::{Cell, EpisodeRecord};
use crate::recording::Recording;
use crate::results::Results;
use crate::results_csv::summaries_csv;

const EPISODES: &str = "episodes.jsonl";
const SUMMARY: &str = "results.csv";
const RECORDINGS: &str = "recordings";
/// Longest name of a recording, bytes, without its ending.
const LONGEST_FILE_NAME: usize = 150;
/// Time after which appended lines are made durable.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// A results folder that is written to.
pub struct ResultsFolder {
    path: PathBuf,
    manifest: Manifest,
    /// Results of all episodes in the folder.
    pub results: Results,
    file: File,
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

/// Puts a recording into a results folder.
///
/// # Errors
/// When the disk refuses.
pub fn write_recording(folder: &Path, recording: &Recording) -> Result<(), EvaluationError> {
    let io = |cause| EvaluationError::Append { path: folder.to_owned(), cause };
    std::fs::create_dir_all(folder.join(RECORDINGS)).map_err(io)?;
    let cell = Cell {
        workload: recording.workload.as_str().into(),
        load: recording.load,
        scheduler: recording.scheduler.as_str().into(),
    };
    let text = serde_json::to_string(recording).expect("names and numbers can be written as JSON");
    Ok(durable::atomic_write(&recording_path(folder, &cell), text.as_bytes())?)
}

/// Where the recording of a cell lies, or would.
#[must_use]
pub fn recording_path(folder: &Path, cell: &Cell) -> PathBuf {
    let name = format!("{}@{}@{}", cell.workload, cell.load, cell.scheduler);
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '+' | '@');
    let mut file: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    // Two names must not become one file, and names of folders may be longer than those of files.
    if file != name || file.len() > LONGEST_FILE_NAME {
        file.truncate(LONGEST_FILE_NAME);
        let digest = Digest::of(name.as_bytes()).to_string();
        file.push('~');
        file.extend(digest.chars().take(12));
    }
    folder.join(RECORDINGS).join(file + ".json")
}

/// All recordings of a results folder, by name.
///
/// # Errors
/// When one is malformed.
pub fn read_recordings(folder: &Path) -> Result<Vec<Recording>, EvaluationError> {
    let path = folder.join(RECORDINGS);
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(EvaluationError::Read { path, cause }),
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path)
            .map_err(|cause| EvaluationError::Read { path: path.clone(), cause })?;
        serde_json::from_str(&text).map_err(|error| EvaluationError::Results {
            path,
            row: 0,
            message: error.to_string(),
        })
    };
    paths.into_iter().map(read).collect()
}

/// The episodes, and where the last whole line ends.
fn read_episodes(folder: &Path, manifest: &Manifest) -> Result<(Results, u64), EvaluationError> {
    let mut results = Results::new(manifest.scenario);
    let path = folder.join(EPISODES);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((results, 0)),
        Err(cause) => return Err(EvaluationError::Read { path, cause }),
    };
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let fail = |row: usize, message: String| EvaluationError::Results { path: path.clone(), row, message };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|error| fail(0, error.to_string()))?;
    let (mut names, mut schedulers) = (BTreeMap::new(), BTreeMap::new());
    for (row, line) in text.lines().enumerate() {
        let mut record = EpisodeRecord::from_line(line, manifest.scenario).map_err(|message| {
            fail(row + 1, format!("{message}; remove the line and its episode is played again"))
        })?;
        // Thousands of lines share a few names.
        let (workload, scheduler) = (&mut record.cell.workload, &mut record.cell.scheduler);
        *workload = names.entry(workload.to_string()).or_insert_with(|| workload.clone()).clone();
        let named = || match canonical_name(scheduler, manifest.scenario) {
            Ok(rule) if !manifest.is_learnt(scheduler) => rule.into(),
            _ => scheduler.clone(),
        };
        *scheduler = schedulers.entry(scheduler.to_string()).or_insert_with(named).clone();
        results.add(record);
    }
    Ok((results, end as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_may_lie_in_the_folder_but_not_over_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::create_dir(file(RECORDINGS)).unwrap();
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

    #[test]
    fn every_recording_has_a_file_of_its_own_in_the_folder() {
        let path = |scheduler: &str| {
            let cell = Cell { workload: "steady".into(), load: 90.0, scheduler: scheduler.into() };
            recording_path(Path::new("out"), &cell)
        };
        assert_eq!(path("sjf+best-fit"), Path::new("out/recordings/steady@90@sjf+best-fit.json"));
        let long = "n".repeat(5000);
        let names =
            ["runs/a_b", "runs_a/b", "runs_a_b", "../../x", "a\0b", "é", "a\nb", &long, &format!("{long}m")];
        let paths: std::collections::BTreeSet<PathBuf> = names.iter().map(|name| path(name)).collect();
        assert_eq!(paths.len(), names.len());
        for path in paths {
            assert_eq!(path.parent(), Some(Path::new("out/recordings")), "{}", path.display());
            assert!(path.file_name().is_some_and(|name| name.len() < 200), "{}", path.display());
        }
    }
}
