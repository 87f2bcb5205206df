//! Metrics of a run by step: JSON lines for programs, TensorBoard for eyes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::TelemetryError;
use crate::growing_file::GrowingFile;
use crate::tensorboard::{EventFile, cut_events};

/// `metrics.jsonl` and `tensorboard/` in a run folder. A resumed run appends to both, so that each step appears once.
#[derive(Debug)]
pub struct MetricsLog {
    lines: GrowingFile,
    events: EventFile,
}

impl MetricsLog {
    /// Opens the log in `run_folder` for a run that goes on after `steps`. What a crash left behind is cut off: a line that is
    /// unfinished, and all beyond `steps`, which will be done again.
    ///
    /// # Errors
    /// [`TelemetryError::Write`].
    pub fn open(run_folder: &Path, steps: u64) -> Result<Self, TelemetryError> {
        let path = run_folder.join("metrics.jsonl");
        let lines = open_lines(&path, steps)
            .map_err(|source| TelemetryError::Write { path: path.clone(), source })?;
        let folder = run_folder.join("tensorboard");
        cut_events(&folder, steps)?;
        let events = EventFile::create(&folder, steps)?;
        Ok(MetricsLog { lines: GrowingFile::new(path, lines)?, events })
    }

    /// Writes one line and one TensorBoard event. Values that are not finite are `null` in the line.
    ///
    /// # Errors
    /// [`TelemetryError::Write`]; then both are written with the next ones, up to 16 MiB of each.
    pub fn write(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), TelemetryError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut object = Map::new();
        object.insert("step".to_owned(), Value::from(step));
        object.insert("time".to_owned(), Value::from(now));
        for (name, value) in values {
            object.insert((*name).to_owned(), Value::from(*value));
        }
        let line = format!("{}\n", Value::Object(object));
        let written = self.lines.append(line.into_bytes());
        written.and(self.events.scalars(now, step, values))
    }

    /// Writes what waits for the disk.
    ///
    /// # Errors
    /// [`TelemetryError::Write`]; then it still waits.
    pub fn flush(&mut self) -> Result<(), TelemetryError> {
        let written = self.lines.flush();
        written.and(self.events.flush())
    }
}

impl Drop for MetricsLog {
    /// The last chance of what waits for the disk.
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "the newest metrics are lost");
        }
    }
}

fn open_lines(path: &Path, steps: u64) -> std::io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let (mut kept, mut line) = (0, Vec::new());
    let mut reader = BufReader::new(&file);
    while reader.read_until(b'\n', &mut line)? > 0 && belongs(&line, steps) {
        kept += line.len() as u64;
        line.clear();
    }
    file.set_len(kept)?;
    Ok(file)
}

/// Whether a line is whole and of a step up to `steps`.
fn belongs(line: &[u8], steps: u64) -> bool {
    let read: Option<Value> = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok());
    read.and_then(|value| value["step"].as_u64()).is_some_and(|step| step <= steps)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_resumed_log_goes_on_after_the_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        MetricsLog::open(folder.path(), 0).unwrap().write(1, &[("loss", 0.5)]).unwrap();
        let path = folder.path().join("metrics.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":2,\"lo").unwrap();
        MetricsLog::open(folder.path(), 1).unwrap().write(2, &[("loss", f64::INFINITY)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["loss"], 0.5);
        assert_eq!((&lines[1]["step"], &lines[1]["loss"]), (&Value::from(2), &Value::Null));
        assert_eq!(std::fs::read_dir(folder.path().join("tensorboard")).unwrap().count(), 2);
    }

    #[test]
    fn after_a_crash_each_step_appears_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = MetricsLog::open(folder.path(), 0).unwrap();
        (1..=5).for_each(|step| first.write(step, &[("loss", 0.5)]).unwrap());
        // The newest checkpoint is of step 3.
        let mut second = MetricsLog::open(folder.path(), 3).unwrap();
        (4..=6).for_each(|step| second.write(step, &[("loss", 0.25)]).unwrap());
        let text = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let steps: Vec<u64> = lines.iter().map(|line| line["step"].as_u64().unwrap()).collect();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
        assert_eq!(lines[3]["loss"], 0.25);
        let mut steps = crate::tensorboard::scalar_steps(&folder.path().join("tensorboard"));
        steps.sort_unstable();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
        // A run that begins anew in the same folder has no steps yet.
        MetricsLog::open(folder.path(), 0).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap(), "");
    }
}
