//! TensorBoard event files: protobuf records in TFRecord framing (length, masked CRC32C of it, data, masked CRC32C).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::TelemetryError;

// The fields of TensorFlow's `event.proto` and `summary.proto` that scalars need, with their numbers there.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// One event file. TensorBoard merges those of a folder, so each start of a run opens a fresh one.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Opens a fresh file in `folder` (made where it is missing).
    ///
    /// # Errors
    /// [`TelemetryError::Write`].
    pub fn create(folder: &Path) -> Result<Self, TelemetryError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| TelemetryError::Write { path: folder.to_owned(), source })?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!(
            "events.out.tfevents.{:010}.longshore.{}.{}",
            now.as_secs(),
            std::process::id(),
            now.subsec_nanos()
        );
        let path = folder.join(name);
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(&path)
            .map_err(|source| TelemetryError::Write { path: path.clone(), source })?;
        let mut events = EventFile { path, file };
        let version = Some("brain.Event:2".to_owned());
        events.append(&Event {
            wall_time: now.as_secs_f64(),
            step: 0,
            file_version: version,
            summary: None,
        })?;
        Ok(events)
    }

    /// Writes scalars of one step, at `wall_time` seconds since 1970.
    ///
    /// # Errors
    /// [`TelemetryError::Write`].
    pub fn scalars(
        &mut self,
        wall_time: f64,
        step: u64,
        values: &[(&str, f64)],
    ) -> Result<(), TelemetryError> {
        let value = values
            .iter()
            .map(|(name, value)| Value { tag: (*name).to_owned(), simple_value: Some(*value as f32) })
            .collect();
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.append(&Event { wall_time, step, file_version: None, summary: Some(Summary { value }) })
    }

    fn append(&mut self, event: &Event) -> Result<(), TelemetryError> {
        let write = |file: &mut File| -> io::Result<()> { file.write_all(&record(&event.encode_to_vec())) };
        write(&mut self.file).map_err(|source| TelemetryError::Write { path: self.path.clone(), source })
    }
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(data.len() + 16);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&masked_crc(&length).to_le_bytes());
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(&masked_crc(data).to_le_bytes());
    bytes
}

/// The TFRecord format rotates and offsets its checksums, so that a checksum of data that holds checksums stays good.
fn masked_crc(data: &[u8]) -> u32 {
    common::checksum::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(masked_crc(&rest[..8]).to_le_bytes(), rest[8..12]);
            let data = &rest[12..12 + length];
            assert_eq!(masked_crc(data).to_le_bytes(), rest[12 + length..16 + length]);
            events.push(Event::decode(data).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    #[test]
    fn scalars_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path()).unwrap();
        file.scalars(12.5, 7, &[("loss/policy", 0.25), ("eval/slowdown_mean", f64::NAN)]).unwrap();
        let events = read(&std::fs::read(&file.path).unwrap());
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!(events[1].step, 7);
        let values = &events[1].summary.as_ref().unwrap().value;
        assert_eq!((values[0].tag.as_str(), values[0].simple_value), ("loss/policy", Some(0.25)));
        assert!(values[1].simple_value.unwrap().is_nan());
    }

    #[test]
    fn the_checksum_is_the_masked_castagnoli_one() {
        // CRC32C of "123456789" is e3069283, by its published check value.
        assert_eq!(common::checksum::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }
}
