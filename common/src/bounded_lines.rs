//! Lines of a file that only grows, as programs append to it: one at a time, each of bounded length. What a crash has left without
//! its end is no line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Take};

use crate::user_file::invalid;

/// Reads whole lines, one after the other.
pub struct BoundedLines {
    reader: BufReader<Take<File>>,
    longest: u64,
    line: Vec<u8>,
    row: usize,
    end: u64,
}

impl BoundedLines {
    /// Of the first `most` bytes of `file`; a line has at most `longest` bytes.
    #[must_use]
    pub fn new(file: File, most: u64, longest: u64) -> Self {
        BoundedLines { reader: BufReader::new(file.take(most)), longest, line: Vec::new(), row: 0, end: 0 }
    }

    /// The next whole line without its end; `None` behind the last.
    ///
    /// # Errors
    /// The system's error, or what is wrong with the line, whose number is then [`BoundedLines::row`].
    pub fn next_line(&mut self) -> io::Result<Option<&str>> {
        self.line.clear();
        let read = (&mut self.reader).take(self.longest + 1).read_until(b'\n', &mut self.line)?;
        let is_whole = self.line.pop_if(|last| *last == b'\n').is_some();
        if !is_whole && read as u64 <= self.longest {
            return Ok(None);
        }
        self.row += 1;
        if !is_whole {
            return Err(invalid(format!("is longer than {} bytes, the limit for a line", self.longest)));
        }
        self.end += read as u64;
        let text = std::str::from_utf8(&self.line).map_err(|_| invalid("is not UTF-8".to_owned()))?;
        Ok(Some(text.strip_suffix('\r').unwrap_or(text)))
    }

    /// Number of the line that was read last, from 1.
    #[must_use]
    pub fn row(&self) -> usize {
        self.row
    }

    /// Offset behind the last whole line.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> (Vec<String>, u64, Option<(usize, String)>) {
        let name = format!("longshore-lines-{}-{}", std::process::id(), bytes.len());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut lines = BoundedLines::new(File::open(&path).unwrap(), 100, 5);
        std::fs::remove_file(&path).unwrap();
        let mut read = Vec::new();
        loop {
            match lines.next_line() {
                Ok(Some(line)) => read.push(line.to_owned()),
                Ok(None) => return (read, lines.end(), None),
                Err(error) => return (read, lines.end(), Some((lines.row(), error.to_string()))),
            }
        }
    }

    #[test]
    fn whole_lines_are_read_and_long_ones_named() {
        assert_eq!(lines(b""), (vec![], 0, None));
        assert_eq!(lines(b"a\r\n\n12345\ntorn"), (["a", "", "12345"].map(String::from).to_vec(), 10, None));
        let (read, end, wrong) = lines(b"a\n123456\n");
        assert_eq!((read.len(), end), (1, 2));
        let (row, words) = wrong.unwrap();
        assert!(row == 2 && words.contains("longer than 5 bytes"), "{row}: {words}");
        assert_eq!(lines(b"\xff\n").2.unwrap().0, 1);
        // Beyond the bound nothing is read.
        assert_eq!(lines(&b"1234\n".repeat(30)).0.len(), 20);
    }
}
