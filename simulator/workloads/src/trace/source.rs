//! A file of a trace, opened: plain or gzip, and told from what is no text.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use common::user_file::{problem_of_content, problem_of_path};
use flate2::bufread::MultiGzDecoder;

use super::error::{LONGEST_LINE, TraceError};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Its bytes, decompressed.
pub(super) struct Source {
    reader: Box<dyn BufRead>,
    /// Whether it is gzip: a fault of reading is then one of the compressed data.
    pub compressed: bool,
}

impl Source {
    /// Opens a file and looks at its beginning.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let fail = |source| TraceError::Open { path: path.to_owned(), source };
        let no_text = |problem| TraceError::NoText { path: path.to_owned(), problem };
        if let Some(problem) = problem_of_path(path).map_err(fail)? {
            return Err(no_text(problem));
        }
        let mut reader = BufReader::new(File::open(path).map_err(fail)?);
        let start = reader.fill_buf().map_err(fail)?;
        if start.starts_with(&GZIP_MAGIC) {
            return Source::decompress(path, reader);
        }
        if let Some(problem) = problem_of_content(start) {
            return Err(no_text(problem));
        }
        let named = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
        if named && !start.is_empty() {
            return Err(TraceError::NotGzip { path: path.to_owned() });
        }
        Ok(Source { reader: Box::new(reader), compressed: false })
    }

    /// All members of a gzip file, one behind the other.
    fn decompress(path: &Path, reader: BufReader<File>) -> Result<Self, TraceError> {
        let mut reader = BufReader::new(MultiGzDecoder::new(reader));
        let start =
            reader.fill_buf().map_err(|source| TraceError::Gzip { path: path.to_owned(), row: 0, source })?;
        let problem = if start.starts_with(&GZIP_MAGIC) {
            Some("is compressed twice; decompress it once: gzip -d FILE")
        } else {
            problem_of_content(start)
        };
        match problem {
            Some(problem) => Err(TraceError::NoText { path: path.to_owned(), problem }),
            None => Ok(Source { reader: Box::new(reader), compressed: true }),
        }
    }

    /// Reads a line with its end into `line`; false at the end of the file. Of one that is longer than [`LONGEST_LINE`] only the
    /// beginning is read.
    pub fn read_line(&mut self, line: &mut Vec<u8>) -> std::io::Result<bool> {
        line.clear();
        let read = self.reader.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', line)?;
        Ok(read > 0)
    }
}
