//! `episodes.jsonl` of a results folder, which anybody may have written: read line by line, within bounds.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use common::BoundedLines;
use common::folder_file::open_within;
use heuristics::canonical_name;

use crate::error::EvaluationError;
use crate::manifest::Manifest;
use crate::manifest_file::problem_of_name;
use crate::record::EpisodeRecord;
use crate::results::Results;

/// File name of the episodes in a results folder.
pub(crate) const EPISODES: &str = "episodes.jsonl";
/// Bytes of the file; some hundred thousand to three million episodes.
const LARGEST_FILE: u64 = 1 << 30;
/// Bytes of a line; a real one has a few thousand.
const LONGEST_LINE: u64 = 1 << 20;
/// Combinations of a workload, a load and a scheduler.
const MOST_CELLS: usize = 20_000;

/// Refuses what would make the file larger than it is read.
pub(crate) fn check_room(bytes: u64) -> Result<(), Error> {
    if bytes <= LARGEST_FILE {
        return Ok(());
    }
    let message =
        format!("the file would have more than {} GiB; go on in another folder", LARGEST_FILE >> 30);
    Err(Error::new(ErrorKind::FileTooLarge, message))
}

/// The episodes, and where the last whole line ends.
///
/// # Errors
/// When the file cannot be read, or a row of it is malformed or beyond a bound.
pub(crate) fn read_episodes(folder: &Path, manifest: &Manifest) -> Result<(Results, u64), EvaluationError> {
    let mut results = Results::new(manifest.scenario);
    let path = folder.join(EPISODES);
    let file = match open_within(folder, EPISODES, LARGEST_FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((results, 0)),
        Err(cause) => return Err(EvaluationError::Read { path, cause }),
    };
    let mut lines = BoundedLines::new(file, LARGEST_FILE, LONGEST_LINE);
    let mut names = Names { manifest, workloads: BTreeMap::new(), schedulers: BTreeMap::new() };
    loop {
        let read = match lines.next_line() {
            Ok(None) => return Ok((results, lines.end())),
            Ok(Some(line)) => names.record(line),
            Err(cause) if cause.kind() == ErrorKind::InvalidData => Err(cause.to_string()),
            Err(cause) => return Err(EvaluationError::Read { path, cause }),
        };
        let added = read.and_then(|record| add(&mut results, record));
        added.map_err(|message| EvaluationError::Results {
            path: path.clone(),
            row: lines.row(),
            message: format!("{message}; remove the line and its episode is played again"),
        })?;
    }
}

fn add(results: &mut Results, record: EpisodeRecord) -> Result<(), String> {
    if results.points().len() == MOST_CELLS && results.point(&record.cell).is_none() {
        return Err(format!("is of one more than {MOST_CELLS} combinations of workload, load and scheduler"));
    }
    results.add(record);
    Ok(())
}

/// The names in a file, each held once: thousands of lines share a few.
struct Names<'a> {
    manifest: &'a Manifest,
    workloads: BTreeMap<String, Arc<str>>,
    schedulers: BTreeMap<String, Arc<str>>,
}

impl Names<'_> {
    /// The record of a line, with rules by their one name.
    fn record(&mut self, line: &str) -> Result<EpisodeRecord, String> {
        let scenario = self.manifest.scenario;
        let mut record = EpisodeRecord::from_line(line, scenario)?;
        let (workload, scheduler) = (&mut record.cell.workload, &mut record.cell.scheduler);
        for (key, name) in [("workload", &*workload), ("scheduler", &*scheduler)] {
            if let Some(message) = problem_of_name(name) {
                return Err(format!("`{key}`: {message}"));
            }
        }
        *workload = self.workloads.entry(workload.to_string()).or_insert_with(|| workload.clone()).clone();
        let named = || match canonical_name(scheduler, scenario) {
            Ok(rule) if !self.manifest.is_learnt(scheduler) => rule.into(),
            _ => scheduler.clone(),
        };
        *scheduler = self.schedulers.entry(scheduler.to_string()).or_insert_with(named).clone();
        Ok(record)
    }
}
