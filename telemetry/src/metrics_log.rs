//! Metrics of a run by step: JSON lines for programs, TensorBoard for eyes.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::TelemetryError;
use crate::tensorboard::EventFile;

/// `metrics.jsonl` and `tensorboard/` in a run folder. A resumed run appends to both.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    lines: File,
    events: EventFile,
}

impl MetricsLog {
    /// Opens the log in `run_folder`. A line that a crash left unfinished is cut off.
    ///
    /// # Errors
    /// [`TelemetryError::Write`].
    pub fn open(run_folder: &Path) -> Result<Self, TelemetryError> {
        let path = run_folder.join("metrics.jsonl");
        let lines =
            open_lines(&path).map_err(|source| TelemetryError::Write { path: path.clone(), source })?;
        let events = EventFile::create(&run_folder.join("tensorboard"))?;
        Ok(MetricsLog { path, lines, events })
    }

    /// Writes one line and one TensorBoard event. Values that are not finite are `null` in the line.
    ///
    /// # Errors
    /// [`TelemetryError::Write`].
    pub fn write(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), TelemetryError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut object = Map::new();
        object.insert("step".to_owned(), Value::from(step));
        object.insert("time".to_owned(), Value::from(now));
        for (name, value) in values {
            object.insert((*name).to_owned(), Value::from(*value));
        }
        let line = format!("{}\n", Value::Object(object));
        self.lines
            .write_all(line.as_bytes())
            .map_err(|source| TelemetryError::Write { path: self.path.clone(), source })?;
        self.events.scalars(now, step, values)
    }
}

fn open_lines(path: &Path) -> std::io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    file.set_len(whole as u64)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_log_goes_on_after_the_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        MetricsLog::open(folder.path()).unwrap().write(1, &[("loss", 0.5)]).unwrap();
        let path = folder.path().join("metrics.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":2,\"lo").unwrap();
        MetricsLog::open(folder.path()).unwrap().write(2, &[("loss", f64::INFINITY)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["loss"], 0.5);
        assert_eq!((&lines[1]["step"], &lines[1]["loss"]), (&Value::from(2), &Value::Null));
        assert_eq!(std::fs::read_dir(folder.path().join("tensorboard")).unwrap().count(), 2);
    }
}
