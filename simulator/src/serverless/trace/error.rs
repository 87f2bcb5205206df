//! Why a trace is refused, and what was left out of one that was read leniently.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// Why a trace could not be read. Every message names the file; where a place in it is to blame, its row (the header is
/// row 1) and its column too.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file is missing or cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Compressed data ends too early or is damaged.
    #[error("{}: after row {row}: the gzip data is damaged or ends too early ({source}); fetch the file again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// The last whole row before the damage; 0 where there is none.
        row: u64,
        /// What the decoder says.
        source: io::Error,
    },
    /// A plain file with the name of a compressed one.
    #[error("{}: is not gzip data although its name ends in `.gz`; remove the ending or compress the file", path.display())]
    NotGzip {
        /// The file.
        path: PathBuf,
    },
    /// There is no byte in it, or only blank lines.
    #[error("{}: is empty; row 1 should be a header with a column `{expected}`", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// A column that should be there.
        expected: &'static str,
    },
    /// There is nothing below the header.
    #[error("{}: has a header, but no row below it", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// The header is no text in UTF-8.
    #[error("{}: row 1, column {column}: the header is not UTF-8; save the file as UTF-8", path.display())]
    HeaderEncoding {
        /// The file.
        path: PathBuf,
        /// Number of the column, from 1.
        column: usize,
    },
    /// A column is missing.
    #[error("{}: row 1: has no column `{column}`; its columns are {}", path.display(), found.join(", "))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// What is missing.
        column: String,
        /// The first columns that are there.
        found: Vec<String>,
    },
    /// Two columns have one name.
    #[error("{}: row 1, column `{column}`: stands in the header twice, at {first} and at {second}; remove one", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// Its name.
        column: String,
        /// Number of the first of the two, from 1.
        first: usize,
        /// Number of the second.
        second: usize,
    },
    /// Minute columns do not follow each other.
    #[error("{}: row 1, column `{column}`: follows minute {after} where minute {} should be; minutes must be contiguous and ascending", path.display(), after + 1)]
    Minutes {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The minute before it.
        after: u32,
    },
    /// A row is damaged and the trace is not read leniently.
    #[error(transparent)]
    Row(#[from] Damage),
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
    /// Every row was left out.
    #[error("{}: nothing usable is left of it; left out: {skipped}", path.display())]
    NothingLeft {
        /// The file.
        path: PathBuf,
        /// Why rows were left out.
        skipped: String,
    },
    /// There is nothing to cut out.
    #[error("{}: no function is called in these minutes; choose others", path.display())]
    NoneCalled {
        /// The file.
        path: PathBuf,
    },
    /// The header is that of no known trace file.
    #[error(
        "{}: row 1: is the header of no known trace file; one of the columns `1` (counts a minute), \
         `percentile_Average_50`, `AverageAllocatedMb` or `end_timestamp` should be there; its columns are {}",
        path.display(), found.join(", ")
    )]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// Its first columns.
        found: Vec<String>,
    },
    /// Two files of one kind, or files of two formats.
    #[error("{}: holds {kind}; {problem}", path.display())]
    Combination {
        /// The file.
        path: PathBuf,
        /// What it holds.
        kind: &'static str,
        /// Why that does not go with the others.
        problem: &'static str,
    },
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Fewer fields than the header has.
    TooFewFields,
    /// More fields than the header has.
    TooManyFields,
    /// A quote is opened and not closed on its line.
    OpenQuote,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// NUL or another control character.
    ControlCharacter,
    /// A cell without content.
    EmptyCell,
    /// Text in place of a number.
    NotANumber,
    /// NaN or an infinity.
    NotFinite,
    /// A number below zero.
    Negative,
    /// A count that is not written as a whole number.
    NotWhole,
    /// A number that no platform reaches.
    TooLarge,
    /// A percentile below the one before it.
    DecreasingPercentiles,
    /// The function or application has a row already.
    Duplicate,
    /// The function is in no row of the file of durations.
    NoDurations,
    /// The function or its application is in no row of the file of memory.
    NoMemory,
    /// The row lies far behind rows that arrived later.
    Unsorted,
    /// The duration reaches back to before the trace began.
    BeforeStart,
}

impl Fault {
    /// The fault in words that follow a count of rows.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Fault::TooFewFields => "with too few fields",
            Fault::TooManyFields => "with too many fields",
            Fault::OpenQuote => "with a quote that is not closed",
            Fault::NotUtf8 => "that are not UTF-8",
            Fault::ControlCharacter => "with a control character",
            Fault::EmptyCell => "with an empty cell",
            Fault::NotANumber => "with text in place of a number",
            Fault::NotFinite => "with NaN or an infinity",
            Fault::Negative => "with a negative number",
            Fault::NotWhole => "with a count that is not whole",
            Fault::TooLarge => "with a number that is too large",
            Fault::DecreasingPercentiles => "with percentiles that decrease",
            Fault::Duplicate => "that repeat another",
            Fault::NoDurations => "of functions without durations",
            Fault::NoMemory => "of functions without memory",
            Fault::Unsorted => "out of order",
            Fault::BeforeStart => "that begin before the trace",
        }
    }
}

/// A damaged row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: row {row}, column `{column}`: {message}", path.display())]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Its line; the header is row 1.
    pub row: u64,
    /// Its column.
    pub column: String,
    /// What kind of damage.
    pub fault: Fault,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Rows of one fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedRows {
    /// How many.
    pub rows: u64,
    /// The first of them, as an error would have named it.
    pub first: String,
}

/// Rows that were left out of a trace that was read leniently, by fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Skipped {
    /// By fault; only those that occurred.
    pub faults: BTreeMap<Fault, SkippedRows>,
}

impl Skipped {
    /// Rows left out, all together.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.faults.values().map(|skipped| skipped.rows).sum()
    }

    fn count(&mut self, damage: &Damage) {
        let first = || SkippedRows { rows: 0, first: damage.to_string() };
        self.faults.entry(damage.fault).or_insert_with(first).rows += 1;
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (fault, skipped)) in self.faults.iter().enumerate() {
            let separator = if place > 0 { "; " } else { "" };
            write!(
                formatter,
                "{separator}{} rows {} (first: {})",
                skipped.rows,
                fault.words(),
                skipped.first
            )?;
        }
        if self.faults.is_empty() { formatter.write_str("no rows") } else { Ok(()) }
    }
}

/// Decides what becomes of damaged rows: the first is an error, or, leniently, all are counted and left out.
#[derive(Debug)]
pub(super) struct Judge {
    lenient: bool,
    pub skipped: Skipped,
}

impl Judge {
    pub fn new(lenient: bool) -> Self {
        Judge { lenient, skipped: Skipped::default() }
    }

    /// The value of a sound row, `None` for one to leave out.
    pub fn judge<T>(&mut self, row: Result<T, Damage>) -> Result<Option<T>, TraceError> {
        match row {
            Ok(value) => Ok(Some(value)),
            Err(damage) if self.lenient => {
                self.skipped.count(&damage);
                Ok(None)
            }
            Err(damage) => Err(damage.into()),
        }
    }
}
