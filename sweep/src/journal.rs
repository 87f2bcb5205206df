//! The journal of a study: an append-only log of [`Entry`]s in the folder `journal`, each durable before anything is done that
//! builds on it.
//!
//! A record's kind is [`ENTRY`], its payload the time in seconds that coordinators have spent on the study (`f64`, little-endian) and
//! the entry as JSON.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::user_file::read_bytes;
use durable::{Disk, DurableError, FolderDisk, Found, Record, SegmentLog, SegmentReader, segment_number};

use crate::SweepError;
use crate::entry::Entry;

/// Kind of the records.
const ENTRY: u8 = 1;
/// A segment is full with so many bytes.
const SEGMENT_BYTES: u64 = 16 << 20;
/// Bytes of a segment that is read: one that was nearly full, and an entry of any length.
const LARGEST_SEGMENT: u64 = 128 << 20;

/// An entry with the time that the study had taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// Seconds in which coordinators ran, before this entry.
    pub seconds: f64,
    /// The entry.
    pub entry: Entry,
}

/// The journal, open for writing; its folder has one owner.
#[derive(Debug)]
pub struct Journal {
    log: SegmentLog,
}

impl Journal {
    /// Opens the journal of a study's folder, or begins it, and returns what it holds. A torn end is cut off.
    ///
    /// # Errors
    /// [`SweepError::Durable`]; [`SweepError::Journal`] where something durable is damaged.
    pub fn open(study_folder: &Path) -> Result<(Self, Vec<Timed>), SweepError> {
        let folder = journal_folder(study_folder);
        fs::create_dir_all(&folder).map_err(|source| SweepError::io("create", &folder, source))?;
        Journal::on(Arc::new(FolderDisk::new(&folder)), &folder)
    }

    /// The same on a disk; `folder` names it in errors.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn on(disk: Arc<dyn Disk>, folder: &Path) -> Result<(Self, Vec<Timed>), SweepError> {
        let mut entries = Vec::new();
        let mut wrong = None;
        let mut visit = |_: u64, record: &Record<'_>| match decode(record, folder) {
            Ok(entry) => entries.push(entry),
            Err(error) => wrong = wrong.take().or(Some(error)),
        };
        let (log, read) = SegmentLog::open(disk, SEGMENT_BYTES, &mut visit)?;
        if let Some(error) = wrong {
            return Err(error);
        }
        if let Some(damage) = read.damaged.first() {
            let message = format!(
                "{} bytes at offset {} of {} are damaged ({}); restore the file from a copy",
                damage.length,
                damage.offset,
                damage.file.display(),
                damage.why
            );
            return Err(SweepError::Journal { folder: folder.to_owned(), message });
        }
        Ok((Journal { log }, entries))
    }

    /// Appends entries and makes them durable.
    ///
    /// # Errors
    /// [`SweepError::Durable`]; earlier entries are kept.
    pub fn append(&mut self, seconds: f64, entries: &[Entry]) -> Result<(), SweepError> {
        for entry in entries {
            let text = serde_json::to_vec(entry).expect("entries have names and numbers only");
            self.log.append(ENTRY, &[&seconds.to_le_bytes(), &text])?;
        }
        self.log.commit()?;
        Ok(())
    }
}

/// Where the journal lies in a study's folder.
fn journal_folder(study_folder: &Path) -> PathBuf {
    study_folder.join("journal")
}

/// Reads the journal of a study that a coordinator may be writing: what is not whole yet is left out.
///
/// # Errors
/// [`SweepError::Io`] where there is none; [`SweepError::Journal`].
pub fn read_journal(study_folder: &Path) -> Result<Vec<Timed>, SweepError> {
    let folder = journal_folder(study_folder);
    let listed = fs::read_dir(&folder)
        .map_err(|source| SweepError::NoStudy { folder: study_folder.to_owned(), source })?;
    let mut files: Vec<(u64, PathBuf)> = listed
        .filter_map(Result::ok)
        .filter_map(|file| Some((segment_number(&file.file_name().to_string_lossy())?, file.path())))
        .collect();
    files.sort();
    let mut entries = Vec::new();
    for (number, path) in files {
        let bytes =
            read_bytes(&path, LARGEST_SEGMENT).map_err(|source| SweepError::io("read", &path, source))?;
        for found in SegmentReader::new(&bytes, number) {
            match found {
                Found::Record(record) => entries.push(decode(&record, &folder)?),
                Found::Damaged(_) => break,
            }
        }
    }
    Ok(entries)
}

fn decode(record: &Record<'_>, folder: &Path) -> Result<Timed, SweepError> {
    let wrong = |message: String| SweepError::Journal { folder: folder.to_owned(), message };
    if record.kind != ENTRY || record.payload.len() < 8 {
        return Err(wrong(format!(
            "a record of kind {} is none of a journal; it was written by another program or a newer version",
            record.kind
        )));
    }
    let (seconds, text) = record.payload.split_at(8);
    let seconds = f64::from_le_bytes(seconds.try_into().expect("8 bytes"));
    let entry = serde_json::from_slice(text).map_err(|error| {
        wrong(format!("an entry cannot be read ({error}); it was written by a newer version"))
    })?;
    Ok(Timed { seconds, entry })
}

impl From<DurableError> for SweepError {
    fn from(error: DurableError) -> Self {
        SweepError::Durable(error)
    }
}
