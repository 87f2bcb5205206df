//! Recordings in a results folder, which anybody may have written: a file each, read within bounds and checked.

use std::path::{Path, PathBuf};

use common::folder_file::{check_within, read_within};
use common::ids::Digest;

use crate::bins::MOST_BINS;
use crate::error::EvaluationError;
use crate::manifest_file::{parse, problem_of_name, wrong};
use crate::record::Cell;
use crate::recording::{NODES_SHOWN, Recording, Span};

/// Folder of the recordings in a results folder.
pub(crate) const RECORDINGS: &str = "recordings";
/// Longest name of a recording, bytes, without its ending.
const LONGEST_FILE_NAME: usize = 150;
/// Bytes of a recording; a cluster of some eight thousand nodes.
const LARGEST_FILE: u64 = 128 << 20;
/// Bytes of all recordings of a folder.
const LARGEST_FOLDER: u64 = 512 << 20;
/// Spans of a recording: those of its window, and the containers that were open at its end.
const MOST_SPANS: usize = 100_000;
/// Containers that lie beside each other on a node.
const MOST_LANES: u32 = 1_000_000;
/// Seconds of an episode: as many as any configuration has, and more.
const LONGEST_EPISODE: f64 = 1e12;

/// Puts a recording into a results folder.
///
/// # Errors
/// When the disk refuses, or a link leads out of the folder.
pub fn write_recording(folder: &Path, recording: &Recording) -> Result<(), EvaluationError> {
    let io = |cause| EvaluationError::Append { path: folder.to_owned(), cause };
    std::fs::create_dir_all(folder.join(RECORDINGS)).map_err(io)?;
    let cell = Cell {
        workload: recording.workload.as_str().into(),
        load: recording.load,
        scheduler: recording.scheduler.as_str().into(),
    };
    let text = serde_json::to_string(recording).expect("names and numbers can be written as JSON");
    let name = name_of(&cell);
    let path = folder.join(&name);
    check_within(folder, &name).map_err(|cause| EvaluationError::Read { path: path.clone(), cause })?;
    if text.len() as u64 > LARGEST_FILE {
        let (file, bytes) = (path.display(), text.len());
        tracing::warn!(%file, bytes, limit = LARGEST_FILE, "the recording is left out: so large a one is not read");
        return Ok(());
    }
    Ok(durable::atomic_write(&path, text.as_bytes())?)
}

/// Where the recording of a cell lies, or would.
#[must_use]
pub fn recording_path(folder: &Path, cell: &Cell) -> PathBuf {
    folder.join(name_of(cell))
}

/// Its path within the folder.
fn name_of(cell: &Cell) -> String {
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
    format!("{RECORDINGS}/{file}.json")
}

/// All recordings of a results folder, by name.
///
/// # Errors
/// When one is malformed, or they are too large.
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
    let mut left = LARGEST_FOLDER;
    paths.iter().map(|path| read_recording(folder, path, &mut left)).collect()
}

/// Reads one of them; `left` is what all that follow may have, bytes.
fn read_recording(folder: &Path, path: &Path, left: &mut u64) -> Result<Recording, EvaluationError> {
    let name = format!("{RECORDINGS}/{}", path.file_name().unwrap_or_default().to_string_lossy());
    let bytes = read_within(folder, &name, LARGEST_FILE.min(*left))
        .map_err(|cause| EvaluationError::Read { path: path.to_owned(), cause })?;
    *left -= bytes.len() as u64;
    let recording: Recording = parse(path, &bytes)?;
    let names = [("workload", &recording.workload), ("scheduler", &recording.scheduler)];
    for (key, name) in names {
        if let Some(message) = problem_of_name(name) {
            return Err(wrong(path, key, message));
        }
    }
    check(&recording).map_err(|(key, message)| wrong(path, &key, message))?;
    Ok(recording)
}

/// Refuses what no evaluation records: a picture of it could have any size. Returns the key, and what is wrong with it.
fn check(recording: &Recording) -> Result<(), (String, String)> {
    let fail = |key: &str, message: String| Err((key.to_owned(), message));
    if recording.schema != 1 {
        let message = format!("is {}; this version of Longshore reads 1", recording.schema);
        return fail("schema", message);
    }
    if !(recording.bin_seconds > 0.0 && recording.bin_seconds <= LONGEST_EPISODE) {
        return fail("bin_seconds", format!("is {}; it is above 0", recording.bin_seconds));
    }
    let nodes = [("busy", &recording.busy), ("cpu", &recording.cpu)];
    let rows = nodes.into_iter().flat_map(|(key, rows)| rows.iter().map(move |row| (key, row)));
    for (key, row) in rows.chain([("queue", &recording.queue)]) {
        if row.len() > MOST_BINS {
            return fail(key, format!("has {} bins; at most {MOST_BINS} are possible", row.len()));
        }
    }
    if recording.spans.len() > MOST_SPANS {
        let message = format!("has {} entries; at most {MOST_SPANS} are possible", recording.spans.len());
        return fail("spans", message);
    }
    let is_time = |time: &f64| (0.0..=LONGEST_EPISODE).contains(time);
    if !recording.window.iter().all(is_time) {
        return fail("window", format!("is {:?}; times lie from 0 to {LONGEST_EPISODE}", recording.window));
    }
    for (place, span) in recording.spans.iter().enumerate() {
        let Span { node, lane, from, to, .. } = *span;
        if node >= NODES_SHOWN || lane >= MOST_LANES || !is_time(&from) || !is_time(&to) {
            let message = format!(
                "is of node {node}, lane {lane}, from {from} to {to}; nodes are below {NODES_SHOWN}, lanes below {MOST_LANES}, times \
                 from 0 to {LONGEST_EPISODE}"
            );
            return fail(&format!("spans[{place}]"), message);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
