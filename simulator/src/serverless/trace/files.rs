//! The three files: counts a minute, percentiles of durations, memory by function or by application.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::StringRecord;

/// Columns of the percentiles of durations, milliseconds.
const PERCENTILE_COLUMNS: [&str; 7] = [
    "percentile_Average_0",
    "percentile_Average_1",
    "percentile_Average_25",
    "percentile_Average_50",
    "percentile_Average_75",
    "percentile_Average_99",
    "percentile_Average_100",
];
const MEMORY_COLUMN: &str = "AverageAllocatedMb";

/// Why a trace could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file is missing, or a line of it is no CSV.
    #[error("{}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the reader says, with the line.
        cause: csv::Error,
    },
    /// A column is missing.
    #[error("{}: has no column `{column}`; its columns are {}", path.display(), found.join(", "))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// What is missing.
        column: String,
        /// The first columns that are there.
        found: Vec<String>,
    },
    /// A cell is not what it should be.
    #[error("{}: row {row}, column `{column}`: `{value}` is not {expected}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// Its line; the header is line 1.
        row: u64,
        /// Its column.
        column: String,
        /// What is there.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// Minute columns do not follow each other.
    #[error("{}: column `{column}` follows minute {after}; minutes must be contiguous", path.display())]
    Minutes {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The minute before it.
        after: u32,
    },
    /// Configured minutes lie outside the file.
    #[error("{}: has minutes {} to {}, not {first} to {last}", path.display(), available[0], available[1])]
    Range {
        /// The file.
        path: PathBuf,
        /// First minute asked for.
        first: u32,
        /// Last minute asked for.
        last: u32,
        /// What it has.
        available: [u32; 2],
    },
    /// No function is in all three files.
    #[error("{}: none of its functions has a duration and a memory in the other two files", path.display())]
    Empty {
        /// The file of the invocations.
        path: PathBuf,
    },
}

/// A function of the trace.
pub(in crate::serverless) struct TraceFunction {
    pub name: String,
    pub application: u32,
    pub counts: Vec<u32>,
    pub percentiles_ms: [f64; 7],
    pub memory_mb: f64,
}

/// What the files hold. Functions that lack a duration or a memory (the full trace has such) are left out.
pub(in crate::serverless) struct TraceFiles {
    pub functions: Vec<TraceFunction>,
    pub first_minute: u32,
    minutes: u32,
}

impl TraceFiles {
    pub fn read(invocations: &Path, durations: &Path, memory: &Path) -> Result<Self, TraceError> {
        let durations = read_durations(durations)?;
        let memory = Memory::read(memory)?;
        let mut table = Table::open(invocations)?;
        let (name, app) = (table.column("HashFunction")?, table.column("HashApp")?);
        let (first_column, first_minute) = table.minutes()?;
        let mut applications: HashMap<String, u32> = HashMap::new();
        let mut sizes: HashMap<String, u32> = HashMap::new();
        let mut functions: Vec<(String, TraceFunction)> = Vec::new();
        while let Some(row) = table.next()? {
            let key = (row.text(app), row.text(name));
            *sizes.entry(key.0.clone()).or_default() += 1;
            let (Some(&percentiles_ms), Some(memory_mb)) = (durations.get(&key), memory.of(&key)) else {
                continue;
            };
            let counts =
                (first_column..row.len()).map(|column| row.count(column)).collect::<Result<_, _>>()?;
            let numbered = applications.len() as u32;
            let application = *applications.entry(key.0.clone()).or_insert(numbered);
            let (app, name) = key;
            functions.push((app, TraceFunction { name, application, counts, percentiles_ms, memory_mb }));
        }
        if memory.by_application {
            for (app, function) in &mut functions {
                function.memory_mb /= f64::from(sizes[app]);
            }
        }
        if functions.is_empty() {
            return Err(TraceError::Empty { path: invocations.to_owned() });
        }
        let minutes = (table.header.len() - first_column) as u32;
        let functions = functions.into_iter().map(|(_, function)| function).collect();
        Ok(TraceFiles { functions, first_minute, minutes })
    }

    /// Refuses minutes that `path` does not have.
    pub fn check_minutes(&self, path: &Path, first: u32, last: u32) -> Result<(), TraceError> {
        let available = [self.first_minute, self.first_minute + self.minutes - 1];
        if first >= available[0] && last <= available[1] {
            return Ok(());
        }
        Err(TraceError::Range { path: path.to_owned(), first, last, available })
    }
}

/// Application and function.
type Key = (String, String);

fn read_durations(path: &Path) -> Result<HashMap<Key, [f64; 7]>, TraceError> {
    let mut table = Table::open(path)?;
    let (name, app) = (table.column("HashFunction")?, table.column("HashApp")?);
    let mut columns = [0; 7];
    for (column, title) in columns.iter_mut().zip(PERCENTILE_COLUMNS) {
        *column = table.column(title)?;
    }
    let mut durations = HashMap::new();
    while let Some(row) = table.next()? {
        let mut percentiles = [0.0_f64; 7];
        let mut floor = 0.0;
        for (value, &column) in percentiles.iter_mut().zip(&columns) {
            // Percentiles of rounded averages: never let one lie below the last.
            *value = row.number(column)?.max(floor);
            floor = *value;
        }
        durations.insert((row.text(app), row.text(name)), percentiles);
    }
    Ok(durations)
}

struct Memory {
    by_application: bool,
    megabytes: HashMap<Key, f64>,
}

impl Memory {
    fn read(path: &Path) -> Result<Self, TraceError> {
        let mut table = Table::open(path)?;
        let app = table.column("HashApp")?;
        let value = table.column(MEMORY_COLUMN)?;
        let name = table.column("HashFunction").ok();
        let mut megabytes = HashMap::new();
        while let Some(row) = table.next()? {
            let function = name.map(|name| row.text(name)).unwrap_or_default();
            megabytes.insert((row.text(app), function), row.number(value)?);
        }
        Ok(Memory { by_application: name.is_none(), megabytes })
    }

    fn of(&self, key: &Key) -> Option<f64> {
        if self.by_application {
            return self.megabytes.get(&(key.0.clone(), String::new())).copied();
        }
        self.megabytes.get(key).copied()
    }
}

struct Table<'a> {
    path: &'a Path,
    reader: csv::Reader<std::fs::File>,
    header: StringRecord,
    record: StringRecord,
}

impl<'a> Table<'a> {
    fn open(path: &'a Path) -> Result<Self, TraceError> {
        let fail = |cause| TraceError::Read { path: path.to_owned(), cause };
        let mut reader = csv::Reader::from_path(path).map_err(fail)?;
        let header = reader.headers().map_err(fail)?.clone();
        Ok(Table { path, reader, header, record: StringRecord::new() })
    }

    fn column(&self, title: &str) -> Result<usize, TraceError> {
        self.header.iter().position(|one| one == title).ok_or_else(|| TraceError::MissingColumn {
            path: self.path.to_owned(),
            column: title.to_owned(),
            found: self.header.iter().take(8).map(ToOwned::to_owned).collect(),
        })
    }

    /// The first minute column and its minute, after a check that all columns behind it follow on.
    fn minutes(&self) -> Result<(usize, u32), TraceError> {
        let number = |column: usize| self.header.get(column).and_then(|title| title.parse::<u32>().ok());
        let first = (0..self.header.len())
            .find_map(|column| number(column).map(|minute| (column, minute)))
            .ok_or_else(|| TraceError::MissingColumn {
            path: self.path.to_owned(),
            column: "<a minute, e.g. 1>".to_owned(),
            found: self.header.iter().take(8).map(ToOwned::to_owned).collect(),
        })?;
        for (expected, column) in (first.1..).zip(first.0..self.header.len()) {
            if number(column) != Some(expected) {
                return Err(TraceError::Minutes {
                    path: self.path.to_owned(),
                    column: self.header[column].to_owned(),
                    after: expected.saturating_sub(1),
                });
            }
        }
        Ok(first)
    }

    fn next(&mut self) -> Result<Option<Row<'_>>, TraceError> {
        let more = self
            .reader
            .read_record(&mut self.record)
            .map_err(|cause| TraceError::Read { path: self.path.to_owned(), cause })?;
        Ok(more.then_some(Row { path: self.path, header: &self.header, record: &self.record }))
    }
}

struct Row<'a> {
    path: &'a Path,
    header: &'a StringRecord,
    record: &'a StringRecord,
}

impl Row<'_> {
    fn len(&self) -> usize {
        self.record.len()
    }

    fn text(&self, column: usize) -> String {
        self.record[column].to_owned()
    }

    fn number(&self, column: usize) -> Result<f64, TraceError> {
        let parsed = self.record[column].trim().parse::<f64>().ok();
        parsed
            .filter(|value| value.is_finite() && *value >= 0.0)
            .ok_or_else(|| self.fail(column, "a number of at least 0"))
    }

    fn count(&self, column: usize) -> Result<u32, TraceError> {
        self.record[column].trim().parse().map_err(|_| self.fail(column, "a whole number of at least 0"))
    }

    fn fail(&self, column: usize, expected: &'static str) -> TraceError {
        TraceError::Cell {
            path: self.path.to_owned(),
            row: self.record.position().map_or(0, csv::Position::line),
            column: self.header[column].to_owned(),
            value: self.record[column].to_owned(),
            expected,
        }
    }
}
