//! Files with one row for each function, or for each application.

use std::collections::HashMap;
use std::path::Path;

use super::error::{Damage, Fault, TraceError};
use super::function_key::FunctionKey;
use super::skipped::{Judge, Loss};
use super::table::{Row, Table, shown};

pub(super) const APPLICATION_COLUMN: &str = "HashApp";
pub(super) const FUNCTION_COLUMN: &str = "HashFunction";

/// Columns that name a function, or an application where there is no column for functions.
#[derive(Clone, Copy)]
pub(super) struct KeyColumns {
    pub application: usize,
    pub function: Option<usize>,
}

impl KeyColumns {
    pub fn of_functions(table: &Table) -> Result<Self, TraceError> {
        let function = Some(table.column(FUNCTION_COLUMN)?);
        Ok(KeyColumns { application: table.column(APPLICATION_COLUMN)?, function })
    }

    pub fn of(self, row: &Row<'_>) -> Result<FunctionKey, Damage> {
        Ok(FunctionKey {
            application: row.text(self.application)?,
            function: self.function.map(|column| row.text(column)).transpose()?.unwrap_or_default(),
        })
    }

    /// Whose row the last one is, where that can be made out although it is damaged.
    pub fn rough(self, table: &Table) -> Option<FunctionKey> {
        let function = self.function.map_or(Some(""), |column| table.rough_text(column))?;
        let application = table.rough_text(self.application)?;
        Some(FunctionKey { application: application.to_owned(), function: function.to_owned() })
    }
}

/// Reads all rows, one for each key, and hands the sound ones to `take`; `lost` says what goes with one that is damaged.
pub(super) fn read_once<T>(
    table: &mut Table,
    keys: KeyColumns,
    judge: &mut Judge,
    read: impl Fn(&Row<'_>) -> Result<T, Damage>,
    lost: impl Fn(&Table) -> Loss,
    mut take: impl FnMut(FunctionKey, T),
) -> Result<(), TraceError> {
    let mut seen: HashMap<FunctionKey, u64> = HashMap::new();
    let mut rows = 0_u64;
    while let Some(row) = table.next()? {
        rows += 1;
        let parsed = row.and_then(|row| {
            let key = keys.of(&row)?;
            if let Some(first) = seen.get(&key) {
                return Err(repeated(&row, keys, *first));
            }
            let value = read(&row)?;
            seen.insert(key.clone(), row.number());
            Ok((key, value))
        });
        if let Some((key, value)) = judge.judge(parsed, || lost(table))? {
            take(key, value);
        }
    }
    refuse_nothing(table.path(), rows, seen.len(), judge)
}

fn repeated(row: &Row<'_>, keys: KeyColumns, first: u64) -> Damage {
    let (column, what) = match keys.function {
        Some(function) => (function, "function"),
        None => (keys.application, "application"),
    };
    let name = shown(row.raw(column));
    let message = format!("`{name}` has row {first} already; each {what} must have one row");
    row.damage(column, Fault::Duplicate, message)
}

/// Refuses a file without rows, and one without a sound row.
pub(super) fn refuse_nothing(path: &Path, rows: u64, sound: usize, judge: &Judge) -> Result<(), TraceError> {
    if rows == 0 {
        return Err(TraceError::NoRows { path: path.to_owned() });
    }
    if sound == 0 {
        let skipped = judge.skipped().to_string();
        return Err(TraceError::NothingLeft { path: path.to_owned(), skipped });
    }
    Ok(())
}
