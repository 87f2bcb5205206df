//! A CSV file, plain or gzip, row by row: cells are checked where they are asked for, and every complaint knows its place.
//!
//! A row is a line: no file of a trace has line breaks in quotes, so a stray quote costs one row and not the rest of the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, StringRecord};

use super::error::LONGEST_LINE;
use super::error::{Damage, Fault, TraceError};
use super::source::Source;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Columns that an error lists at most.
const LISTED_COLUMNS: usize = 8;
/// The last minute that a column may be of: two years.
const LAST_MINUTE: u32 = 1_051_200;
/// What separates cells in files that are no trace's.
const OTHER_SEPARATORS: [(u8, &str); 3] = [(b';', "semicolons"), (b'\t', "tabs"), (b'|', "bars")];
/// Characters of a cell that an error shows at most.
const SHOWN_CHARACTERS: usize = 40;

/// A range of numbers, and how an error describes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub most: f64,
    pub expected: &'static str,
}

/// An open file below its header.
pub(super) struct Table {
    path: PathBuf,
    source: Source,
    header: Vec<String>,
    /// The header as it stands there.
    header_line: Vec<u8>,
    line: Vec<u8>,
    row: u64,
}

impl Table {
    /// Opens `path` and reads its header; `expected` is a column that an error about an empty file names.
    pub fn open(path: &Path, expected: &'static str) -> Result<Self, TraceError> {
        let source = Source::open(path)?;
        let (header, header_line, line) = (Vec::new(), Vec::new(), Vec::new());
        let mut table = Table { path: path.to_owned(), source, header, header_line, line, row: 0 };
        if !table.read_line()? {
            return Err(TraceError::Empty { path: table.path, expected });
        }
        let line = table.line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&table.line);
        let header = StringRecord::from_byte_record(split(line)).map_err(|error| {
            TraceError::HeaderEncoding { path: path.to_owned(), column: error.utf8_error().field() + 1 }
        })?;
        table.header = header.iter().map(|title| title.trim().to_owned()).collect();
        table.header_line = line.to_vec();
        table.refuse_other_formats()?;
        table.refuse_duplicates()?;
        Ok(table)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Titles of all columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Titles of the first columns, for errors.
    pub fn first_columns(&self) -> Vec<String> {
        self.header.iter().take(LISTED_COLUMNS).map(|title| shown(title)).collect()
    }

    /// Place of a column that may be missing; capitals make no difference.
    pub fn find(&self, title: &str) -> Option<usize> {
        self.header.iter().position(|one| one.eq_ignore_ascii_case(title))
    }

    /// Place of a column.
    pub fn column(&self, title: &str) -> Result<usize, TraceError> {
        self.find(title).ok_or_else(|| TraceError::MissingColumn {
            path: self.path.clone(),
            column: title.to_owned(),
            found: self.first_columns(),
        })
    }

    /// The first minute column and its minute, after a check that all columns behind it follow on.
    pub fn minutes(&self) -> Result<(usize, u32), TraceError> {
        let minute = |title: &String| title.parse::<u32>().ok().filter(|minute| *minute <= LAST_MINUTE);
        let number = |column: usize| self.header.get(column).and_then(minute);
        let Some((first_column, first)) =
            (0..self.header.len()).find_map(|column| number(column).map(|minute| (column, minute)))
        else {
            return Err(TraceError::MissingColumn {
                path: self.path.clone(),
                column: "<a minute, e.g. 1>".to_owned(),
                found: self.first_columns(),
            });
        };
        for (expected, column) in (first..).zip(first_column..self.header.len()) {
            if number(column) != Some(expected) {
                let (column, after) = (self.header[column].clone(), expected.saturating_sub(1));
                return Err(TraceError::Minutes { path: self.path.clone(), column, after });
            }
        }
        Ok((first_column, first))
    }

    /// The next row, sound or damaged; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Result<Row<'_>, Damage>>, TraceError> {
        if !self.read_line()? {
            return Ok(None);
        }
        if self.line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.line) == self.header_line {
            return Err(TraceError::SecondHeader { path: self.path.clone(), row: self.row });
        }
        Ok(Some(self.parse()))
    }

    fn parse(&self) -> Result<Row<'_>, Damage> {
        let quotes = self.line.iter().filter(|&&byte| byte == b'"').count();
        if quotes % 2 == 1 {
            let before =
                self.line.iter().take_while(|&&byte| byte != b'"').filter(|&&byte| byte == b',').count();
            let message = "a quote is opened here and not closed on this line; remove it".to_owned();
            return Err(self.damage(before, Fault::OpenQuote, message));
        }
        let record = StringRecord::from_byte_record(split(&self.line)).map_err(|error| {
            let field = error.utf8_error().field();
            self.damage(field, Fault::NotUtf8, "is not UTF-8; save the file as UTF-8".to_owned())
        })?;
        let row = Row { table: self, record };
        let (found, right) = (row.record.len(), self.header.len());
        let message = format!("the row has {found} fields where the header has {right}");
        if found < right {
            return Err(self.damage(found, Fault::TooFewFields, format!("is missing: {message}")));
        }
        if found > right {
            return Err(self.damage(right, Fault::TooManyFields, format!("is followed by more: {message}")));
        }
        Ok(row)
    }

    fn damage(&self, column: usize, fault: Fault, message: String) -> Damage {
        let column = self.header.get(column).or(self.header.last()).cloned().unwrap_or_default();
        Damage { path: self.path.clone(), row: self.row, column, fault, message }
    }

    /// Reads the next line that is not blank, without its end; false at the end of the file.
    fn read_line(&mut self) -> Result<bool, TraceError> {
        loop {
            if !self.source.read_line(&mut self.line).map_err(|source| self.failed(source))? {
                return Ok(false);
            }
            self.row += 1;
            if self.line.len() > LONGEST_LINE {
                return Err(TraceError::LongLine { path: self.path.clone(), row: self.row });
            }
            while self.line.last().is_some_and(|&byte| byte == b'\n' || byte == b'\r') {
                self.line.pop();
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }

    fn failed(&self, source: std::io::Error) -> TraceError {
        let path = self.path.clone();
        if self.source.compressed {
            return TraceError::Gzip { path, row: self.row, source };
        }
        TraceError::Open { path, source }
    }

    /// The number in a cell of the last row, sound or damaged, where it can be made out and is one that a trace
    /// may hold; the row is not checked.
    pub fn rough_number(&self, column: usize, limits: Limits) -> Option<f64> {
        let number = self.rough_text(column)?.parse::<f64>().ok()?;
        (0.0..=limits.most).contains(&number).then_some(number)
    }

    /// The same for text.
    pub fn rough_text(&self, column: usize) -> Option<&str> {
        let cell = self.line.split(|&byte| byte == b',').nth(column)?;
        let text = std::str::from_utf8(cell).ok()?;
        Some(text.trim().trim_matches('"'))
    }

    /// Number of cells of the last row read, without regard to quotes.
    pub fn rough_width(&self) -> usize {
        self.line.split(|&byte| byte == b',').count()
    }

    /// Other ways to write a table than that of a trace.
    fn refuse_other_formats(&self) -> Result<(), TraceError> {
        if self.line.contains(&b'\r') {
            return Err(TraceError::LineEnds { path: self.path.clone() });
        }
        let has = |byte: u8| self.line.contains(&byte);
        match OTHER_SEPARATORS.into_iter().find(|(byte, _)| has(*byte)) {
            Some((_, found)) if !has(b',') => Err(TraceError::Separator { path: self.path.clone(), found }),
            _ => Ok(()),
        }
    }

    fn refuse_duplicates(&self) -> Result<(), TraceError> {
        let mut seen = HashMap::new();
        for (place, title) in self.header.iter().enumerate() {
            if let Some(first) = seen.insert(title.to_ascii_lowercase(), place) {
                return Err(TraceError::DuplicateColumn {
                    path: self.path.clone(),
                    column: title.clone(),
                    first: first + 1,
                    second: place + 1,
                });
            }
        }
        Ok(())
    }
}

/// A row with as many fields as the header.
pub(super) struct Row<'a> {
    table: &'a Table,
    record: StringRecord,
}

impl Row<'_> {
    /// Number of the row in the file; the header is row 1.
    pub fn number(&self) -> u64 {
        self.table.row
    }

    /// A cell as it stands there.
    pub fn raw(&self, column: usize) -> &str {
        &self.record[column]
    }

    /// All cells as they stand there.
    pub fn cells(&self) -> Vec<String> {
        self.record.iter().map(ToOwned::to_owned).collect()
    }

    /// A cell that names something.
    pub fn text(&self, column: usize) -> Result<String, Damage> {
        let cell = self.cell(column, "a name")?;
        if cell.chars().any(char::is_control) {
            let message = format!("`{}` has a control character; remove it", shown(cell));
            return Err(self.damage(column, Fault::ControlCharacter, message));
        }
        Ok(cell.to_owned())
    }

    /// A number from 0 on.
    pub fn amount(&self, column: usize, limits: Limits) -> Result<f64, Damage> {
        let cell = self.cell(column, limits.expected)?;
        match cell.parse::<f64>() {
            Ok(value) if value >= 0.0 && value <= limits.most => Ok(value),
            parsed => Err(self.wrong(column, cell, parsed.ok(), limits)),
        }
    }

    /// A whole number from 0 on.
    pub fn count(&self, column: usize, limits: Limits) -> Result<u32, Damage> {
        let cell = self.cell(column, limits.expected)?;
        match cell.parse::<u32>() {
            Ok(count) if f64::from(count) <= limits.most => Ok(count),
            _ => Err(self.wrong(column, cell, cell.parse().ok(), limits)),
        }
    }

    /// A complaint about a cell.
    pub fn damage(&self, column: usize, fault: Fault, message: String) -> Damage {
        self.table.damage(column, fault, message)
    }

    fn cell(&self, column: usize, expected: &str) -> Result<&str, Damage> {
        let cell = self.record[column].trim();
        if cell.is_empty() {
            return Err(self.damage(
                column,
                Fault::EmptyCell,
                format!("is empty where {expected} should be"),
            ));
        }
        Ok(cell)
    }

    fn wrong(&self, column: usize, cell: &str, value: Option<f64>, limits: Limits) -> Damage {
        let fault = match value {
            _ if cell.chars().any(char::is_control) => Fault::ControlCharacter,
            None => Fault::NotANumber,
            Some(value) if !value.is_finite() && !cell.contains(|one: char| one.is_ascii_digit()) => {
                Fault::NotFinite
            }
            Some(value) if value < 0.0 => Fault::Negative,
            Some(value) if value > limits.most => Fault::TooLarge,
            Some(_) => Fault::NotWhole,
        };
        self.damage(column, fault, format!("`{}` is not {}", shown(cell), limits.expected))
    }
}

/// A cell, shortened, with control characters made visible.
pub(super) fn shown(cell: &str) -> String {
    let short: String = cell.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    if cell.chars().nth(SHOWN_CHARACTERS).is_some() { format!("{short}…") } else { short }
}

/// The fields of a line, whose quotes come in pairs.
fn split(line: &[u8]) -> ByteRecord {
    if !line.contains(&b'"') {
        return line.split(|&byte| byte == b',').collect();
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
    // Reading from memory cannot fail, and a single record has no other to differ from.
    reader.byte_records().next().and_then(Result::ok).unwrap_or_default()
}
