//! The three files of the Azure Functions trace of 2019 joined: functions that all of them know.

use std::collections::HashMap;
use std::path::Path;

use super::azure2019::{InvocationRow, Invocations, Memory, mean_seconds, read_durations, total};
use super::error::{Damage, Fault, TraceError};
use super::function_key::FunctionKey;
use super::keyed::{APPLICATION_COLUMN, FUNCTION_COLUMN};
use super::skipped::{Judge, Kept, Loss, Skipped};
use super::table::shown;

/// A function that all three files know.
#[derive(Clone, Debug)]
pub struct TraceFunction {
    /// Hashes of the function and its application.
    pub key: FunctionKey,
    /// Number of its application.
    pub application: u32,
    /// Number of functions of its application in the file of invocations.
    pub application_size: u32,
    /// Number of invocations in each minute.
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
    /// Number of minute columns.
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
