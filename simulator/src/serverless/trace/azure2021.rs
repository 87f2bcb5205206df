//! The Azure Functions trace of 2021: one row for each invocation, with its end and its duration.

use std::collections::HashMap;
use std::path::Path;

use super::error::{Damage, Fault, Judge, Skipped, TraceError};
use super::keyed::{FunctionKey, refuse_nothing};
use super::table::{Limits, Row, Table};

const APPLICATION_COLUMN: &str = "app";
const FUNCTION_COLUMN: &str = "func";
/// A column that only this format has.
pub(super) const END_COLUMN: &str = "end_timestamp";
const DURATION_COLUMN: &str = "duration";

const TIMESTAMPS: Limits =
    Limits { most: 1e9, expected: "a number of seconds since the start of the trace, from 0 to 1000000000" };
const DURATIONS: Limits =
    Limits { most: 604_800.0, expected: "a number of seconds from 0 to 604800 (a week)" };
/// By how much a row may arrive before one above it, seconds: the trace is nearly sorted by arrival.
const DISORDER_SECONDS: f64 = 60.0;
/// Rounding of end and duration may put an arrival this far before the start of the trace.
const ROUNDING_SECONDS: f64 = 0.01;
const SECONDS_PER_MINUTE: f64 = 60.0;

/// One invocation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceEvent {
    /// Place in [`Azure2021::functions`].
    pub function: u32,
    /// When it arrived (end − duration), seconds since the start of the trace.
    pub arrival: f64,
    /// How long it ran, seconds.
    pub seconds: f64,
}

impl TraceEvent {
    /// The minute that it arrived in; minute 1 is the first, as in the trace of 2019.
    #[must_use]
    pub fn minute(&self) -> u32 {
        (self.arrival / SECONDS_PER_MINUTE) as u32 + 1
    }
}

/// A function of the trace.
#[derive(Clone, Debug)]
pub struct EventFunction {
    /// Its hashes.
    pub key: FunctionKey,
    /// Number of its application.
    pub application: u32,
}

/// The whole file.
#[derive(Clone, Debug)]
pub struct Azure2021 {
    /// Functions in order of appearance.
    pub functions: Vec<EventFunction>,
    /// Invocations by arrival.
    pub events: Vec<TraceEvent>,
    /// Rows that were left out.
    pub skipped: Skipped,
}

impl Azure2021 {
    /// Reads the file and puts its invocations in the order of their arrivals.
    ///
    /// # Errors
    /// When the file is missing or its structure is damaged, or, unless `lenient`, when a row is damaged.
    pub fn read(path: &Path, lenient: bool) -> Result<Self, TraceError> {
        let mut table = Table::open(path, END_COLUMN)?;
        let columns = EventColumns::of(&table)?;
        let mut judge = Judge::new(lenient);
        let mut catalogue = Catalogue::default();
        let mut events = Vec::new();
        let (mut latest, mut rows) = (0.0_f64, 0);
        while let Some(row) = table.next()? {
            rows += 1;
            let parsed = row.and_then(|row| columns.read(&row, latest));
            let Some((key, event)) = judge.judge(parsed)? else { continue };
            latest = latest.max(event.arrival);
            events.push(TraceEvent { function: catalogue.number(key), ..event });
        }
        refuse_nothing(path, rows, events.len(), &judge)?;
        events.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
        Ok(Azure2021 { functions: catalogue.functions, events, skipped: judge.skipped })
    }

    /// Refuses minutes that the file, `path`, does not have; minute 1 is the first.
    ///
    /// # Errors
    /// [`TraceError::Range`].
    pub fn check_minutes(&self, path: &Path, [first, last]: [u32; 2]) -> Result<(), TraceError> {
        let available = [1, self.range()[1]];
        if first >= available[0] && last <= available[1] {
            return Ok(());
        }
        Err(TraceError::Range { path: path.to_owned(), first, last, available })
    }

    /// First and last minute with an arrival.
    #[must_use]
    pub fn range(&self) -> [u32; 2] {
        let minute = |event: Option<&TraceEvent>| event.map_or(1, TraceEvent::minute);
        [minute(self.events.first()), minute(self.events.last())]
    }
}

/// Places of the columns.
pub(super) struct EventColumns {
    application: usize,
    function: usize,
    end: usize,
    duration: usize,
}

impl EventColumns {
    pub fn of(table: &Table) -> Result<Self, TraceError> {
        Ok(EventColumns {
            application: table.column(APPLICATION_COLUMN)?,
            function: table.column(FUNCTION_COLUMN)?,
            end: table.column(END_COLUMN)?,
            duration: table.column(DURATION_COLUMN)?,
        })
    }

    /// The invocation of a row, its function not yet numbered; `latest` is the latest arrival above it.
    pub fn read(&self, row: &Row<'_>, latest: f64) -> Result<(FunctionKey, TraceEvent), Damage> {
        let key =
            FunctionKey { application: row.text(self.application)?, function: row.text(self.function)? };
        let end = row.amount(self.end, TIMESTAMPS)?;
        let seconds = row.amount(self.duration, DURATIONS)?;
        let arrival = end - seconds;
        if arrival < -ROUNDING_SECONDS {
            let message = format!(
                "`{seconds}` is longer than the {end} s since the start of the trace; it must not exceed `{END_COLUMN}`"
            );
            return Err(row.damage(self.duration, Fault::BeforeStart, message));
        }
        if arrival < latest - DISORDER_SECONDS {
            let message = format!(
                "arrives (end − duration) at {arrival:.3} s, {:.3} s before a row above it; rows may be at most \
                 {DISORDER_SECONDS} s out of order, so sort the file by arrival",
                latest - arrival
            );
            return Err(row.damage(self.end, Fault::Unsorted, message));
        }
        Ok((key, TraceEvent { function: 0, arrival: arrival.max(0.0), seconds }))
    }
}

/// Numbers functions and applications in order of appearance.
#[derive(Default)]
struct Catalogue {
    functions: Vec<EventFunction>,
    numbers: HashMap<FunctionKey, u32>,
    applications: HashMap<String, u32>,
}

impl Catalogue {
    fn number(&mut self, key: FunctionKey) -> u32 {
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        let number = self.functions.len() as u32;
        let next = self.applications.len() as u32;
        let application = *self.applications.entry(key.application.clone()).or_insert(next);
        self.numbers.insert(key.clone(), number);
        self.functions.push(EventFunction { key, application });
        number
    }
}
