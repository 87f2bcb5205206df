//! Which file of which trace a header belongs to.

use std::path::Path;

use super::azure2019::{DURATIONS_COLUMN, MEMORY_COLUMN};
use super::azure2021::END_COLUMN;
use super::error::TraceError;
use super::table::Table;

/// What a file of a trace holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceFileKind {
    /// Azure 2019: counts a minute by function.
    Invocations,
    /// Azure 2019: percentiles of durations by function.
    Durations,
    /// Azure 2019: memory by application or by function.
    Memory,
    /// Azure 2021: a row for each invocation.
    Events,
}

impl TraceFileKind {
    /// What the file holds, for messages.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            TraceFileKind::Invocations => "counts a minute (Azure 2019)",
            TraceFileKind::Durations => "percentiles of durations (Azure 2019)",
            TraceFileKind::Memory => "memory (Azure 2019)",
            TraceFileKind::Events => "a row for each invocation (Azure 2021)",
        }
    }

    /// Recognises a file by its header.
    ///
    /// # Errors
    /// When it cannot be read or its header is that of no known file.
    pub fn of(path: &Path) -> Result<Self, TraceError> {
        let table = Table::open(path, END_COLUMN)?;
        let has = |title: &str| table.find(title).is_some();
        if has(END_COLUMN) {
            return Ok(TraceFileKind::Events);
        }
        if has(DURATIONS_COLUMN) {
            return Ok(TraceFileKind::Durations);
        }
        if has(MEMORY_COLUMN) {
            return Ok(TraceFileKind::Memory);
        }
        match table.minutes() {
            // A file with a gap in its minutes is still this kind; reading it names the column.
            Ok(_) | Err(TraceError::Minutes { .. }) => Ok(TraceFileKind::Invocations),
            Err(_) => Err(TraceError::Unrecognised { path: path.to_owned(), found: table.first_columns() }),
        }
    }
}

/// The files of a trace, sorted out by their headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceFileSet<'a> {
    /// Azure 2019: counts a minute.
    pub invocations: Option<&'a Path>,
    /// Azure 2019: durations.
    pub durations: Option<&'a Path>,
    /// Azure 2019: memory.
    pub memory: Option<&'a Path>,
    /// Azure 2021: one row for each invocation.
    pub events: Option<&'a Path>,
}

impl<'a> TraceFileSet<'a> {
    /// Recognises each file.
    ///
    /// # Errors
    /// When one is of no known kind, two are of the same kind, or they are of two formats.
    pub fn recognise(paths: impl IntoIterator<Item = &'a Path>) -> Result<Self, TraceError> {
        let mut files = TraceFileSet::default();
        for path in paths {
            files.add(path, TraceFileKind::of(path)?)?;
        }
        Ok(files)
    }

    fn add(&mut self, path: &'a Path, kind: TraceFileKind) -> Result<(), TraceError> {
        let fail = |problem| TraceError::Combination { path: path.to_owned(), kind: kind.words(), problem };
        let older = [self.invocations, self.durations, self.memory].iter().any(Option::is_some);
        let mixed = if kind == TraceFileKind::Events { older } else { self.events.is_some() };
        if mixed {
            return Err(fail("another file is of the other format; give the files of one trace"));
        }
        let place = match kind {
            TraceFileKind::Invocations => &mut self.invocations,
            TraceFileKind::Durations => &mut self.durations,
            TraceFileKind::Memory => &mut self.memory,
            TraceFileKind::Events => &mut self.events,
        };
        if place.replace(path).is_some() {
            return Err(fail("so does another file; give one of each kind"));
        }
        Ok(())
    }
}
