//! Why a trace is refused, and what may be wrong with a row of it.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// Longer lines are refused, bytes; a row of a day's counts has some 15,000.
pub(super) const LONGEST_LINE: usize = 16 << 20;

/// Why a trace could not be read. Every message names the file; where a place in it is to blame, its row (the header is
/// row 1) and its column too.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file is missing or cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Open {
        /// Path of the trace file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Compressed data ends too early or is damaged.
    #[error("{}: after row {row}: the gzip data is damaged or ends too early ({source}); fetch the file again", path.display())]
    Gzip {
        /// Path of the trace file.
        path: PathBuf,
        /// The last whole row before the damage; 0 where there is none.
        row: u64,
        /// What the decoder says.
        source: io::Error,
    },
    /// The path is not a regular file, or its content is not text.
    #[error("{}: {problem}", path.display())]
    NoText {
        /// Path of the trace file.
        path: PathBuf,
        /// What it is, and what to do about it.
        problem: &'static str,
    },
    /// A plain file with the name of a compressed one.
    #[error("{}: is not gzip data although its name ends in `.gz`; remove the ending or compress the file", path.display())]
    NotGzip {
        /// Path of the trace file.
        path: PathBuf,
    },
    /// There is no byte in it, or only blank lines.
    #[error("{}: is empty; row 1 should be a header with a column `{expected}`", path.display())]
    Empty {
        /// Path of the trace file.
        path: PathBuf,
        /// A column that should be there.
        expected: &'static str,
    },
    /// There is nothing below the header.
    #[error("{}: has a header, but no row below it", path.display())]
    NoRows {
        /// Path of the trace file.
        path: PathBuf,
    },
    /// The header is no text in UTF-8.
    #[error("{}: row 1, column {column}: the header is not UTF-8; save the file as UTF-8", path.display())]
    HeaderEncoding {
        /// Path of the trace file.
        path: PathBuf,
        /// Number of the column, from 1.
        column: usize,
    },
    /// Cells are not separated by commas.
    #[error(
        "{}: row 1: the cells of the header are separated by {found}; save the file with commas, and with points in its numbers",
        path.display()
    )]
    Separator {
        /// Path of the trace file.
        path: PathBuf,
        /// What separates them.
        found: &'static str,
    },
    /// Lines do not end as they should.
    #[error("{}: row 1: its lines end with a carriage return alone; save the file with line ends LF or CRLF", path.display())]
    LineEnds {
        /// Path of the trace file.
        path: PathBuf,
    },
    /// A line is longer than any row of a trace.
    #[error("{}: row {row}: is longer than {} MiB; no row of a trace is", path.display(), LONGEST_LINE >> 20)]
    LongLine {
        /// Path of the trace file.
        path: PathBuf,
        /// Number of the row; the header is row 1.
        row: u64,
    },
    /// A column is missing.
    #[error("{}: row 1: has no column `{column}`; its columns are {}", path.display(), found.join(", "))]
    MissingColumn {
        /// Path of the trace file.
        path: PathBuf,
        /// What is missing.
        column: String,
        /// The first columns that are there.
        found: Vec<String>,
    },
    /// Two columns have one name.
    #[error("{}: row 1, column `{column}`: stands in the header twice, at {first} and at {second}; remove one", path.display())]
    DuplicateColumn {
        /// Path of the trace file.
        path: PathBuf,
        /// Name of the repeated column.
        column: String,
        /// Number of the first of the two, from 1.
        first: usize,
        /// Number of the second.
        second: usize,
    },
    /// Minute columns do not follow each other.
    #[error("{}: row 1, column `{column}`: follows minute {after} where minute {} should be; minutes must be contiguous and ascending", path.display(), after + 1)]
    Minutes {
        /// Path of the trace file.
        path: PathBuf,
        /// Name of the column that breaks the sequence.
        column: String,
        /// Minute of the column before it.
        after: u32,
    },
    /// The header stands in the file again: files were put one behind the other.
    #[error("{}: row {row}: a second header begins here; remove this row, or give a file with one header", path.display())]
    SecondHeader {
        /// Path of the trace file.
        path: PathBuf,
        /// Number of the row; the header is row 1.
        row: u64,
    },
    /// A row is damaged and the trace is not read leniently.
    #[error(transparent)]
    Row(#[from] Damage),
    /// Configured minutes lie outside the file.
    #[error("{}: has minutes {} to {}, not {first} to {last}", path.display(), available[0], available[1])]
    Range {
        /// Path of the trace file.
        path: PathBuf,
        /// First minute asked for.
        first: u32,
        /// Last minute asked for.
        last: u32,
        /// First and last minute that the file has.
        available: [u32; 2],
    },
    /// Every row was left out.
    #[error("{}: nothing usable is left of it; left out: {skipped}", path.display())]
    NothingLeft {
        /// Path of the trace file.
        path: PathBuf,
        /// Why rows were left out.
        skipped: String,
    },
    /// What was left out is too much for what is left to be the same workload.
    #[error(
        "{}: too much is left out even for lenient reading: {:.1}% of the invocations and {:.1}% of the work, where {:.0}% of \
         each may be lost with {what}; left out: {skipped}",
        path.display(), 100.0 * invocations, 100.0 * work, 100.0 * most
    )]
    TooMuchSkipped {
        /// Path of the trace file.
        path: PathBuf,
        /// Fraction (0–1) of the invocations that was left out.
        invocations: f64,
        /// Fraction (0–1) of the work that was left out.
        work: f64,
        /// Largest fraction (0–1) that may be left out.
        most: f64,
        /// For what reason, and what would be right.
        what: &'static str,
        /// Why rows were left out.
        skipped: String,
    },
    /// There is nothing to cut out.
    #[error("{}: no function is called in these minutes; choose others", path.display())]
    NoneCalled {
        /// Path of the trace file.
        path: PathBuf,
    },
    /// The header is that of no known trace file.
    #[error(
        "{}: row 1: is the header of no known trace file; one of the columns `1` (counts a minute), \
         `percentile_Average_50`, `AverageAllocatedMb` or `end_timestamp` should be there; its columns are {}",
        path.display(), found.join(", ")
    )]
    Unrecognised {
        /// Path of the trace file.
        path: PathBuf,
        /// Its first columns.
        found: Vec<String>,
    },
    /// Two files of one kind, or files of two formats.
    #[error("{}: holds {kind}; {problem}", path.display())]
    Combination {
        /// Path of the trace file.
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
    /// The duration reaches back to before the trace began.
    BeforeStart,
}

impl Fault {
    /// Whether it is of a function that another file lacks, and not of a row that is damaged.
    #[must_use]
    pub fn is_incomplete(self) -> bool {
        matches!(self, Fault::NoDurations | Fault::NoMemory)
    }

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
            Fault::BeforeStart => "that begin before the trace",
        }
    }
}

/// A damaged row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: row {row}, column `{column}`: {message}", path.display())]
pub struct Damage {
    /// Path of the trace file.
    pub path: PathBuf,
    /// Number of the row; the header is row 1.
    pub row: u64,
    /// Name of the damaged column.
    pub column: String,
    /// What kind of damage.
    pub fault: Fault,
    /// What is wrong and what would be right.
    pub message: String,
}
