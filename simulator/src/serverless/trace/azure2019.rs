//! The Azure Functions trace of 2019: counts a minute, percentiles of durations, and memory by application or by function.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{Damage, Fault, TraceError};
use super::keyed::{APPLICATION_COLUMN, FUNCTION_COLUMN, FunctionKey, KeyColumns, read_once};
use super::skipped::{Judge, Kept, Loss, Skipped};
use super::table::{Limits, Row, Table, shown};

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
    /// Its line.
    pub row: u64,
    /// Whose.
    pub key: FunctionKey,
    /// What calls it, e.g. `timer`; empty where the file has no such column.
    pub trigger: String,
    /// Invocations by minute.
    pub counts: Vec<u32>,
}

/// The file of invocations.
#[derive(Clone, Debug)]
pub struct Invocations {
    /// The file.
    pub path: PathBuf,
    /// Number of the first minute column.
    pub first_minute: u32,
    /// Minutes.
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

    /// Functions of each application.
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
    /// Average MB.
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

/// A function that all three files know.
#[derive(Clone, Debug)]
pub struct TraceFunction {
    /// Its hashes.
    pub key: FunctionKey,
    /// Number of its application.
    pub application: u32,
    /// Functions of its application in the file of invocations.
    pub application_size: u32,
    /// Invocations by minute.
    pub counts: Vec<u32>,
    /// Percentiles 0, 1, 25, 50, 75, 99 and 100 of its durations, ms.
    pub percentiles_ms: [f64; 7],
    /// Average memory, MB.
    pub memory_mb: f64,
}

/// The three files joined.
#[derive(Clone, Debug)]
pub struct Azure2019 {
    /// Functions in the order of the file of invocations.
    pub functions: Vec<TraceFunction>,
    /// Number of the first minute column.
    pub first_minute: u32,
    /// Minutes.
    pub minutes: u32,
    /// Rows that were left out.
    pub skipped: Skipped,
}

/// Where the three files are.
#[derive(Clone, Copy, Debug)]
pub struct Azure2019Paths<'a> {
    /// Counts a minute by function.
    pub invocations: &'a Path,
    /// Percentiles of durations by function.
    pub durations: &'a Path,
    /// Memory by application or by function.
    pub memory: &'a Path,
}

impl Azure2019 {
    /// Reads and joins the files.
    ///
    /// # Errors
    /// When a file is missing or its structure is damaged; when a row is damaged or a function lacks durations or memory,
    /// unless `lenient`: such rows are then left out, counted and told of in the log, unless they are too much of the trace.
    pub fn read(paths: Azure2019Paths<'_>, lenient: bool) -> Result<Self, TraceError> {
        let mut judge = Judge::new(lenient);
        let durations = read_durations(paths.durations, &mut judge)?;
        let memory = Memory::read(paths.memory, &mut judge)?;
        let invocations = Invocations::read(paths.invocations, &mut judge)?;
        let joined = Join { paths, durations: &durations, memory: &memory };
        joined.join(invocations, judge)
    }

    /// First and last minute.
    #[must_use]
    pub fn range(&self) -> [u32; 2] {
        [self.first_minute, self.first_minute + self.minutes - 1]
    }

    /// Refuses minutes that the file of invocations, `path`, does not have.
    ///
    /// # Errors
    /// [`TraceError::Range`].
    pub fn check_minutes(&self, path: &Path, [first, last]: [u32; 2]) -> Result<(), TraceError> {
        let available = self.range();
        if first >= available[0] && last <= available[1] {
            return Ok(());
        }
        Err(TraceError::Range { path: path.to_owned(), first, last, available })
    }
}

/// Invocations of all minutes.
pub(super) fn total(counts: &[u32]) -> f64 {
    counts.iter().map(|&count| f64::from(count)).sum()
}

fn kept(functions: &[TraceFunction]) -> Kept {
    Kept::of(functions.iter().map(|function| {
        let seconds = mean_seconds(&function.percentiles_ms);
        (total(&function.counts), Some(seconds), Some(function.memory_mb))
    }))
}

struct Join<'a> {
    paths: Azure2019Paths<'a>,
    durations: &'a HashMap<FunctionKey, [f64; 7]>,
    memory: &'a Memory,
}

impl Join<'_> {
    fn join(&self, invocations: Invocations, mut judge: Judge) -> Result<Azure2019, TraceError> {
        let sizes: HashMap<String, u32> =
            invocations.application_sizes().into_iter().map(|(name, size)| (name.to_owned(), size)).collect();
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut functions = Vec::new();
        for row in invocations.rows {
            let application_size = sizes[&row.key.application];
            let found = self.properties(&row, application_size);
            let lost = || self.loss(&row, application_size);
            let Some((percentiles_ms, memory_mb)) = judge.judge(found, lost)? else { continue };
            let next = numbers.len() as u32;
            let application = *numbers.entry(row.key.application.clone()).or_insert(next);
            functions.push(TraceFunction {
                key: row.key,
                application,
                application_size,
                counts: row.counts,
                percentiles_ms,
                memory_mb,
            });
        }
        if functions.is_empty() {
            let skipped = judge.skipped().to_string();
            return Err(TraceError::NothingLeft { path: invocations.path, skipped });
        }
        judge.complete(|key| {
            let application_size = sizes.get(&key.application).copied().unwrap_or(1);
            let percentiles = self.durations.get(key);
            (percentiles.map(mean_seconds), self.memory.of(key, application_size))
        });
        let skipped = judge.finish(kept(&functions));
        skipped.check(&invocations.path)?;
        skipped.tell(&invocations.path);
        let (first_minute, minutes) = (invocations.first_minute, invocations.minutes);
        Ok(Azure2019 { functions, first_minute, minutes, skipped })
    }

    /// What is lost with a function that lacks durations or memory.
    fn loss(&self, row: &InvocationRow, application_size: u32) -> Loss {
        Loss {
            key: Some(row.key.clone()),
            invocations: Some(total(&row.counts)),
            seconds: self.durations.get(&row.key).map(mean_seconds),
            megabytes: self.memory.of(&row.key, application_size),
        }
    }

    fn properties(&self, row: &InvocationRow, application_size: u32) -> Result<([f64; 7], f64), Damage> {
        let percentiles = *self
            .durations
            .get(&row.key)
            .ok_or_else(|| self.lacking(row, FUNCTION_COLUMN, Fault::NoDurations))?;
        let column = if self.memory.by_application { APPLICATION_COLUMN } else { FUNCTION_COLUMN };
        let memory = self
            .memory
            .of(&row.key, application_size)
            .ok_or_else(|| self.lacking(row, column, Fault::NoMemory))?;
        Ok((percentiles, memory))
    }

    /// The complaint that another file has no sound row for this one.
    fn lacking(&self, row: &InvocationRow, column: &str, fault: Fault) -> Damage {
        let name = if column == APPLICATION_COLUMN { &row.key.application } else { &row.key.function };
        let other = if fault == Fault::NoDurations { self.paths.durations } else { self.paths.memory };
        let message = format!(
            "`{}` has no row in {}; the whole trace has such functions, and reading it leniently leaves them out",
            shown(name),
            other.display()
        );
        let path = self.paths.invocations.to_owned();
        Damage { path, row: row.row, column: column.to_owned(), fault, message }
    }
}
