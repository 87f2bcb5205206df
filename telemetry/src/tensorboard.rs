//! TensorBoard event files: protobuf records in TFRecord framing (length, masked CRC32C of it, data, masked CRC32C).

use std::fs::OpenOptions;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::TelemetryError;
use crate::growing_file::GrowingFile;

// The fields of TensorFlow's `event.proto` and `summary.proto` that scalars and hyperparameters need, with their numbers there.
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
    #[prost(message, optional, tag = "7")]
    session: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`: readers forget what they have read of this step and later ones.
const SESSION_START: i32 = 1;
/// No event of ours is nearly as long, in bytes.
const LONGEST_EVENT: u64 = 1 << 20;

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// A value of a summary: a scalar, or what a plugin of TensorBoard reads.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Value {
    #[prost(string, tag = "1")]
    pub(crate) tag: String,
    #[prost(float, optional, tag = "2")]
    pub(crate) simple_value: Option<f32>,
    #[prost(message, optional, tag = "8")]
    pub(crate) tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    pub(crate) metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tensor {
    /// `DataType` of TensorFlow; 1: float.
    #[prost(int32, tag = "1")]
    pub(crate) dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Shape {
    #[prost(message, repeated, tag = "2")]
    pub(crate) dimensions: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Dimension {
    #[prost(int64, tag = "1")]
    pub(crate) size: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Metadata {
    #[prost(message, optional, tag = "1")]
    pub(crate) plugin: Option<Plugin>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Plugin {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) content: Vec<u8>,
}

/// One event file. TensorBoard merges those of a folder, so each start of a run opens a fresh one.
#[derive(Debug)]
pub struct EventFile {
    file: GrowingFile,
}

impl EventFile {
    /// Opens a fresh file in `folder` (made where it is missing) for a run that goes on after `steps`.
    ///
    /// # Errors
    /// [`TelemetryError::Write`].
    pub fn create(folder: &Path, steps: u64) -> Result<Self, TelemetryError> {
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
        let mut events = EventFile { file: GrowingFile::new(path, file)? };
        let event = Event { wall_time: now.as_secs_f64(), ..Event::default() };
        events.append(&Event { file_version: Some("brain.Event:2".to_owned()), ..event.clone() })?;
        if steps > 0 {
            // TensorBoard may be watching, and has then seen what was cut off.
            let session = Some(SessionLog { status: SESSION_START });
            events.append(&Event { step: event_step(steps) + 1, session, ..event })?;
        }
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
        let scalar = |(name, value): &(&str, f64)| Value {
            tag: (*name).to_owned(),
            simple_value: Some(*value as f32),
            ..Value::default()
        };
        self.summary(wall_time, step, values.iter().map(scalar).collect())
    }

    /// Writes values of one step.
    pub(crate) fn summary(
        &mut self,
        wall_time: f64,
        step: u64,
        value: Vec<Value>,
    ) -> Result<(), TelemetryError> {
        self.append(&Event {
            wall_time,
            step: event_step(step),
            summary: Some(Summary { value }),
            ..Event::default()
        })
    }

    /// Writes the events that wait for the disk.
    pub(crate) fn flush(&mut self) -> Result<(), TelemetryError> {
        self.file.flush()
    }

    fn append(&mut self, event: &Event) -> Result<(), TelemetryError> {
        self.file.append(record(&event.encode_to_vec()))
    }
}

/// Cuts what lies beyond `steps`, or is damaged, off the event files in `folder`.
///
/// # Errors
/// [`TelemetryError::Write`].
pub(crate) fn cut_events(folder: &Path, steps: u64) -> Result<(), TelemetryError> {
    event_files(folder).into_iter().try_for_each(|path| {
        cut(&path, event_step(steps)).map_err(|source| TelemetryError::Write { path, source })
    })
}

fn event_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("events.out.tfevents."))
    };
    entries.map(|entry| entry.path()).filter(ours).collect()
}

fn cut(path: &Path, steps: i64) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut reader = BufReader::new(&file);
    let mut kept = 0;
    while let Some((event, length)) = next_event(&mut reader)? {
        let starts = event.session.is_some();
        if event.step > steps && !starts {
            break;
        }
        kept += length;
    }
    if kept < file.metadata()?.len() {
        file.set_len(kept)?;
    }
    Ok(())
}

/// The next event with its bytes in the file; `None` at the end and where the rest is damaged.
fn next_event(reader: &mut impl Read) -> io::Result<Option<(Event, u64)>> {
    let Some(length) = read_bytes(reader, 12)? else { return Ok(None) };
    let (number, checksum) = length.split_at(8);
    let length = u64::from_le_bytes(number.try_into().unwrap_or_default());
    if masked_crc(number).to_le_bytes() != checksum || length > LONGEST_EVENT {
        return Ok(None);
    }
    let Some(data) = read_bytes(reader, length as usize + 4)? else { return Ok(None) };
    let (data, checksum) = data.split_at(length as usize);
    if masked_crc(data).to_le_bytes() != checksum {
        return Ok(None);
    }
    Ok(Event::decode(data).ok().map(|event| (event, length + 16)))
}

/// `None` where the file ends before.
fn read_bytes(reader: &mut impl Read, count: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; count];
    match reader.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn event_step(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX - 1)
}

/// The steps of all scalars in the event files of `folder`.
#[cfg(test)]
pub(crate) fn scalar_steps(folder: &Path) -> Vec<i64> {
    let mut steps = Vec::new();
    for path in event_files(folder) {
        let bytes = std::fs::read(path).expect("the file is there");
        let mut reader = bytes.as_slice();
        while let Some((event, _)) = next_event(&mut reader).expect("memory can be read") {
            steps.extend(event.summary.is_some().then_some(event.step));
        }
    }
    steps
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
        let mut file = EventFile::create(folder.path(), 0).unwrap();
        file.scalars(12.5, 7, &[("loss/policy", 0.25), ("eval/slowdown_mean", f64::NAN)]).unwrap();
        let events = read(&std::fs::read(&event_files(folder.path())[0]).unwrap());
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
