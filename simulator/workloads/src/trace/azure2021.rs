//! The Azure Functions trace of 2021: one row for each invocation, with its end and its duration.

use std::collections::HashMap;
use std::path::Path;

use super::error::{Damage, Fault, TraceError};
use super::function_key::FunctionKey;
use super::keyed::refuse_nothing;
use super::skipped::{Judge, Kept, Loss, Skipped};
use super::table::{Limits, Row, Table};

const APPLICATION_COLUMN: &str = "app";
const FUNCTION_COLUMN: &str = "func";
/// A column that only this format has.
pub(super) const END_COLUMN: &str = "end_timestamp";
const DURATION_COLUMN: &str = "duration";

const TIMESTAMPS: Limits = Limits {
    most: 1e8,
    expected: "a number of seconds since the start of the trace, from 0 to 100000000 (three years)",
};
const DURATIONS: Limits =
    Limits { most: 604_800.0, expected: "a number of seconds from 0 to 604800 (a week)" };
/// Rounding of end and duration may put an arrival this far before the start of the trace.
const ROUNDING_SECONDS: f64 = 0.01;
const SECONDS_PER_MINUTE: f64 = 60.0;

/// One recorded invocation.
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
    /// Hashes of the function and its application.
    pub key: FunctionKey,
    /// Number of its application.
    pub application: u32,
}

/// The whole file.
#[derive(Clone, Debug)]
pub struct Azure2021 {
    /// Functions in the order of their first arrival.
    pub functions: Vec<EventFunction>,
    /// Invocations by arrival.
    pub events: Vec<TraceEvent>,
    /// Rows that were left out.
    pub skipped: Skipped,
}

impl Azure2021 {
    /// Reads the file and puts its invocations in the order of their arrivals, whatever order its rows have.
    ///
    /// # Errors
    /// When the file is missing or its structure is damaged, or when a row is damaged; `lenient`ly such rows are left out,
    /// counted and told of in the log, unless they are too much of the trace.
    pub fn read(path: &Path, lenient: bool) -> Result<Self, TraceError> {
        let trace = Self::read_any(path, lenient)?;
        trace.skipped.check(path)?;
        trace.skipped.tell(path);
        Ok(trace)
    }

    /// The same, however much is left out.
    pub(super) fn read_any(path: &Path, lenient: bool) -> Result<Self, TraceError> {
        let mut table = Table::open(path, END_COLUMN)?;
        let columns = EventColumns::of(&table)?;
        let mut judge = Judge::new(lenient);
        let mut names = Names::default();
        let mut events = Vec::new();
        let mut rows = 0;
        while let Some(row) = table.next()? {
            rows += 1;
            let parsed = row.and_then(|row| columns.read(&row));
            let Some((key, event)) = judge.judge(parsed, || columns.loss(&table))? else { continue };
            events.push(TraceEvent { function: names.number(key), ..event });
        }
        refuse_nothing(path, rows, events.len(), &judge)?;
        let functions = names.sort(&mut events);
        let skipped = judge.finish(Kept::of(events.iter().map(|event| (1.0, Some(event.seconds), None))));
        Ok(Azure2021 { functions, events, skipped })
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

    /// The invocation of a row, its function not yet numbered.
    pub fn read(&self, row: &Row<'_>) -> Result<(FunctionKey, TraceEvent), Damage> {
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
        Ok((key, TraceEvent { function: 0, arrival: arrival.max(0.0), seconds }))
    }

    /// What goes with the last row when it is left out.
    fn loss(&self, table: &Table) -> Loss {
        let seconds = table.rough_number(self.duration, DURATIONS);
        Loss { invocations: Some(1.0), seconds, ..Loss::default() }
    }
}

/// Numbers functions in order of appearance.
#[derive(Default)]
struct Names {
    keys: Vec<FunctionKey>,
    numbers: HashMap<FunctionKey, u32>,
}

impl Names {
    fn number(&mut self, key: FunctionKey) -> u32 {
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        let number = self.keys.len() as u32;
        self.numbers.insert(key.clone(), number);
        self.keys.push(key);
        number
    }

    /// Sorts invocations by arrival and numbers functions anew in that order, so that nothing depends on the order of the rows.
    fn sort(self, events: &mut [TraceEvent]) -> Vec<EventFunction> {
        let key = |event: &TraceEvent| &self.keys[event.function as usize];
        events.sort_by(|a, b| {
            let by_time = a.arrival.total_cmp(&b.arrival).then(a.seconds.total_cmp(&b.seconds));
            by_time.then_with(|| key(a).cmp(key(b)))
        });
        let mut places: Vec<Option<u32>> = vec![None; self.keys.len()];
        let mut applications: HashMap<&str, u32> = HashMap::new();
        let mut functions = Vec::new();
        for event in events {
            let key = &self.keys[event.function as usize];
            event.function = *places[event.function as usize].get_or_insert_with(|| {
                let next = applications.len() as u32;
                let application = *applications.entry(&key.application).or_insert(next);
                functions.push(EventFunction { key: key.clone(), application });
                functions.len() as u32 - 1
            });
        }
        functions
    }
}
