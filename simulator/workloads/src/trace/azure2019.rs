//! The Azure Functions trace of 2019: counts a minute, percentiles of durations, and memory by application or by function.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{Damage, Fault, TraceError};
use super::function_key::FunctionKey;
use super::keyed::{APPLICATION_COLUMN, FUNCTION_COLUMN, KeyColumns, read_once};
use super::skipped::{Judge, Loss};
use super::table::{Limits, Row, Table};

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
/// A column that only the file of durations has.
pub(super) const DURATIONS_COLUMN: &str = PERCENTILE_COLUMNS[3];
/// A column that only the file of memory has.
pub(super) const MEMORY_COLUMN: &str = "AverageAllocatedMb";
const TRIGGER_COLUMN: &str = "Trigger";

pub(super) const COUNTS: Limits =
    Limits { most: 1e7, expected: "a whole number of invocations in this minute, from 0 to 10000000" };
const MILLISECONDS: Limits =
    Limits { most: 6.048e8, expected: "a number of milliseconds from 0 to 604800000 (a week)" };
pub(super) const MEGABYTES: Limits =
    Limits { most: 1_048_576.0, expected: "a number of MB from 0 to 1048576 (1 TB)" };

/// A row of the file of invocations.
#[derive(Clone, Debug)]
pub struct InvocationRow {
    /// Number of the row; the header is row 1.
    pub row: u64,
    /// Hashes of the function that the row describes.
    pub key: FunctionKey,
    /// What calls it, e.g. `timer`; empty where the file has no such column.
    pub trigger: String,
    /// Number of invocations in each minute.
    pub counts: Vec<u32>,
}

/// The file of invocations.
#[derive(Clone, Debug)]
pub struct Invocations {
    /// Path of the file, for error messages.
    pub path: PathBuf,
    /// Number of the first minute column.
    pub first_minute: u32,
    /// Number of minute columns.
    pub minutes: u32,
    /// Functions in the order of the file.
    pub rows: Vec<InvocationRow>,
}

impl Invocations {
    pub(super) fn read(path: &Path, judge: &mut Judge) -> Result<Self, TraceError> {
        let mut table = Table::open(path, FUNCTION_COLUMN)?;
        let keys = KeyColumns::of_functions(&table)?;
        let trigger = table.find(TRIGGER_COLUMN);
        let (first_column, first_minute) = table.minutes()?;
        let minutes = (table.header().len() - first_column) as u32;
        let read = |row: &Row<'_>| {
            Ok(InvocationRow {
                row: row.number(),
                key: keys.of(row)?,
                trigger: trigger.map(|column| row.text(column)).transpose()?.unwrap_or_default(),
                counts: (0..minutes as usize)
                    .map(|minute| row.count(first_column + minute, COUNTS))
                    .collect::<Result<_, _>>()?,
            })
        };
        let lost = |table: &Table| Loss {
            key: keys.rough(table),
            invocations: rough_count(table, first_column),
            ..Loss::default()
        };
        let mut rows = Vec::new();
        read_once(&mut table, keys, judge, read, lost, |_, value| rows.push(value))?;
        Ok(Invocations { path: path.to_owned(), first_minute, minutes, rows })
    }

    /// First and last minute.
    #[must_use]
    pub fn range(&self) -> [u32; 2] {
        [self.first_minute, self.first_minute + self.minutes - 1]
    }

    /// Number of functions of each application.
    #[must_use]
    pub fn application_sizes(&self) -> HashMap<&str, u32> {
        let mut sizes = HashMap::new();
        for row in &self.rows {
            *sizes.entry(row.key.application.as_str()).or_default() += 1;
        }
        sizes
    }
}

/// What can be made out of the counts of a damaged row.
fn rough_count(table: &Table, first_column: usize) -> Option<f64> {
    let counts = (first_column..table.rough_width()).filter_map(|column| table.rough_number(column, COUNTS));
    counts.reduce(|sum, count| sum + count)
}

/// The mean of durations with these percentiles, seconds: they are piecewise linear between them.
pub(super) fn mean_seconds(percentiles_ms: &[f64; 7]) -> f64 {
    const SHARES: [f64; 7] = [0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0];
    let part = |place: usize| {
        let width = SHARES[place + 1] - SHARES[place];
        width * (percentiles_ms[place] + percentiles_ms[place + 1]) / 2.0
    };
    (0..6).map(part).sum::<f64>() / 1000.0
}

/// The file of durations: seven percentiles in ms, ascending, by function.
pub(super) fn read_durations(
    path: &Path,
    judge: &mut Judge,
) -> Result<HashMap<FunctionKey, [f64; 7]>, TraceError> {
    let mut table = Table::open(path, DURATIONS_COLUMN)?;
    let keys = KeyColumns::of_functions(&table)?;
    let columns = percentile_columns(&table)?;
    let mut durations = HashMap::new();
    let read = |row: &Row<'_>| percentiles(row, &columns);
    let lost = |table: &Table| Loss::of_property(keys.rough(table));
    read_once(&mut table, keys, judge, read, lost, |key, value| {
        durations.insert(key, value);
    })?;
    Ok(durations)
}

pub(super) fn percentile_columns(table: &Table) -> Result<[usize; 7], TraceError> {
    let mut columns = [0; 7];
    for (column, title) in columns.iter_mut().zip(PERCENTILE_COLUMNS) {
        *column = table.column(title)?;
    }
    Ok(columns)
}

pub(super) fn percentiles(row: &Row<'_>, columns: &[usize; 7]) -> Result<[f64; 7], Damage> {
    let mut percentiles = [0.0; 7];
    for (place, &column) in columns.iter().enumerate() {
        percentiles[place] = row.amount(column, MILLISECONDS)?;
        if place > 0 && percentiles[place] < percentiles[place - 1] {
            let (here, before) = (percentiles[place], percentiles[place - 1]);
            let message = format!(
                "`{here}` is less than the percentile before it, {before}; percentiles must not decrease"
            );
            return Err(row.damage(column, Fault::DecreasingPercentiles, message));
        }
    }
    Ok(percentiles)
}

/// The file of memory.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Whether its rows are applications; else functions.
    pub by_application: bool,
    /// Average memory by application or by function, MB.
    pub megabytes: HashMap<FunctionKey, f64>,
}

impl Memory {
    pub(super) fn read(path: &Path, judge: &mut Judge) -> Result<Self, TraceError> {
        let mut table = Table::open(path, MEMORY_COLUMN)?;
        let application = table.column(APPLICATION_COLUMN)?;
        let value = table.column(MEMORY_COLUMN)?;
        let keys = KeyColumns { application, function: table.find(FUNCTION_COLUMN) };
        let mut megabytes = HashMap::new();
        let read = |row: &Row<'_>| row.amount(value, MEGABYTES);
        let lost = |table: &Table| Loss::of_property(keys.rough(table));
        read_once(&mut table, keys, judge, read, lost, |key, value| {
            megabytes.insert(key, value);
        })?;
        Ok(Memory { by_application: keys.function.is_none(), megabytes })
    }

    /// Whether it has a row for a function or for its application.
    pub(super) fn knows(&self, key: &FunctionKey) -> bool {
        self.of(key, 1).is_some()
    }

    /// Average MB of a function; an application's is shared equally by its functions.
    pub(super) fn of(&self, key: &FunctionKey, application_size: u32) -> Option<f64> {
        if !self.by_application {
            return self.megabytes.get(key).copied();
        }
        let whole = FunctionKey { application: key.application.clone(), function: String::new() };
        self.megabytes.get(&whole).map(|megabytes| megabytes / f64::from(application_size))
    }
}

/// Invocations of all minutes.
pub(super) fn total(counts: &[u32]) -> f64 {
    counts.iter().map(|&count| f64::from(count)).sum()
}
