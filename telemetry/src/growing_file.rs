//! A file to which records are appended, also across a disk that is full for a while.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use crate::TelemetryError;

/// Most bytes that wait for the disk; beyond it the oldest records are lost.
const MOST_WAITING: usize = 16 << 20;

/// Grows by whole records: what a write that failed has left is cut off, and the record is written again with the next one.
#[derive(Debug)]
pub(crate) struct GrowingFile {
    path: PathBuf,
    file: File,
    /// Bytes of the records that were written whole.
    length: u64,
    /// Whether a part of a record may follow them.
    has_torn_end: bool,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
}

impl GrowingFile {
    /// Goes on at the end of `file`.
    pub(crate) fn new(path: PathBuf, mut file: File) -> Result<Self, TelemetryError> {
        let end = file.seek(SeekFrom::End(0));
        let length = end.map_err(|source| TelemetryError::Write { path: path.clone(), source })?;
        Ok(GrowingFile {
            path,
            file,
            length,
            has_torn_end: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        })
    }

    /// Appends a record after those that wait.
    ///
    /// # Errors
    /// [`TelemetryError::Write`]; then the record waits for the next call.
    pub(crate) fn append(&mut self, record: Vec<u8>) -> Result<(), TelemetryError> {
        self.waiting_bytes += record.len();
        self.waiting.push_back(record);
        while self.waiting_bytes > MOST_WAITING
            && let Some(lost) = self.waiting.pop_front()
        {
            self.waiting_bytes -= lost.len();
        }
        self.flush()
    }

    /// Writes the records that wait.
    ///
    /// # Errors
    /// [`TelemetryError::Write`]; then they still wait.
    pub(crate) fn flush(&mut self) -> Result<(), TelemetryError> {
        self.write_waiting().map_err(|source| TelemetryError::Write { path: self.path.clone(), source })
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        while let Some(record) = self.waiting.front() {
            if self.has_torn_end {
                self.file.set_len(self.length)?;
                self.file.seek(SeekFrom::Start(self.length))?;
                self.has_torn_end = false;
            }
            if let Err(error) = self.file.write_all(record) {
                self.has_torn_end = true;
                return Err(error);
            }
            self.length += record.len() as u64;
            self.waiting_bytes -= record.len();
            self.waiting.pop_front();
        }
        Ok(())
    }
}
