//! What was left out of a trace that was read leniently: how many rows of which fault, and how much of the trace that is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::error::{Damage, Fault, TraceError};
use super::function_key::FunctionKey;

/// Fraction of the invocations, and of the work, that damaged rows may have: with more, what is left is another workload.
const MOST_DAMAGED: f64 = 0.05;
/// The same for functions that the files of durations or memory do not have, which the published trace is full of.
const MOST_INCOMPLETE: f64 = 0.5;

/// Rows of one fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SkippedRows {
    /// Number of rows left out.
    pub rows: u64,
    /// The first of them, as an error would have named it.
    pub first: String,
    /// Fraction of all invocations that was lost with them.
    pub invocation_share: f64,
    /// Fraction of all work (memory × duration; duration where memory is not known).
    pub work_share: f64,
}

/// Rows that were left out of a trace that was read leniently, by fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Skipped {
    /// By fault; only those that occurred.
    pub faults: BTreeMap<Fault, SkippedRows>,
}

impl Skipped {
    /// Number of rows left out, over all faults.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.faults.values().map(|skipped| skipped.rows).sum()
    }

    /// Refuses a trace, known by the file of its invocations, of which too much was left out.
    ///
    /// # Errors
    /// [`TraceError::TooMuchSkipped`].
    pub fn check(&self, path: &Path) -> Result<(), TraceError> {
        for (incomplete, most, what) in [
            (false, MOST_DAMAGED, "damaged rows; mend them"),
            (
                true,
                MOST_INCOMPLETE,
                "functions without durations or memory; give the files that belong together",
            ),
        ] {
            let [invocations, work] = self.shares(incomplete);
            if invocations.max(work) > most {
                let (path, skipped) = (path.to_owned(), self.to_string());
                return Err(TraceError::TooMuchSkipped { path, invocations, work, most, what, skipped });
            }
        }
        Ok(())
    }

    /// Logs once in this process what was left out.
    pub(super) fn tell(&self, path: &Path) {
        static TOLD: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
        if self.faults.is_empty() {
            return;
        }
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get_or_insert_default().insert(path.to_owned()) {
            tracing::warn!("{}: read leniently; left out: {self}", path.display());
        }
    }

    /// Fractions of invocations and of work, of functions that another file lacks or of all else.
    fn shares(&self, incomplete: bool) -> [f64; 2] {
        let of_kind = self.faults.iter().filter(|(fault, _)| fault.is_incomplete() == incomplete);
        of_kind.fold([0.0, 0.0], |[invocations, work], (_, rows)| {
            [invocations + rows.invocation_share, work + rows.work_share]
        })
    }
}

/// A fraction in per cent, to two decimals so that little does not look like nothing.
fn percent(fraction: f64) -> String {
    let percent = 100.0 * fraction;
    if percent > 0.0 && percent < 0.01 { "under 0.01%".to_owned() } else { format!("{percent:.2}%") }
}

impl fmt::Display for SkippedRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.invocation_share > 0.0 || self.work_share > 0.0 {
            let shares = (percent(self.invocation_share), percent(self.work_share));
            write!(formatter, "{} of the invocations, {} of the work; ", shares.0, shares.1)?;
        }
        write!(formatter, "first: {}", self.first)
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (fault, skipped)) in self.faults.iter().enumerate() {
            let separator = if place > 0 { "; " } else { "" };
            let rows = if skipped.rows == 1 { "row" } else { "rows" };
            write!(formatter, "{separator}{} {rows} {} ({skipped})", skipped.rows, fault.words())?;
        }
        if self.faults.is_empty() { formatter.write_str("no rows") } else { Ok(()) }
    }
}

/// What goes with a row that is left out. What is not known counts as the mean of what is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Loss {
    /// Whose row it is.
    pub key: Option<FunctionKey>,
    /// Number of invocations that the row counted.
    pub invocations: Option<f64>,
    /// Duration of each invocation, seconds.
    pub seconds: Option<f64>,
    /// Memory of each invocation, MB.
    pub megabytes: Option<f64>,
}

impl Loss {
    /// A row that holds no invocations but says something of a function's.
    pub fn of_property(key: Option<FunctionKey>) -> Self {
        Loss { key, invocations: Some(0.0), ..Loss::default() }
    }
}

/// What is kept of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    rows: f64,
    invocations: f64,
    mean_seconds: f64,
    mean_megabytes: f64,
    work: f64,
}

impl Kept {
    /// Of rows: invocations, and the duration and memory of each where they are known.
    pub fn of(rows: impl Iterator<Item = (f64, Option<f64>, Option<f64>)> + Clone) -> Self {
        let mean = |weighted: &mut dyn Iterator<Item = (f64, f64)>| {
            let (sum, weight) =
                weighted.fold((0.0, 0.0), |(sum, all), (value, weight)| (sum + value * weight, all + weight));
            // Without any, work is what is known: invocations, or time.
            if weight > 0.0 { sum / weight } else { 1.0 }
        };
        let mean_seconds = mean(&mut rows.clone().filter_map(|(count, seconds, _)| Some((seconds?, count))));
        let mean_megabytes = mean(&mut rows.clone().filter_map(|(count, seconds, megabytes)| {
            Some((megabytes?, count * seconds.unwrap_or(mean_seconds)))
        }));
        let mut kept = Kept { rows: 0.0, invocations: 0.0, mean_seconds, mean_megabytes, work: 0.0 };
        for (count, seconds, megabytes) in rows {
            kept.rows += 1.0;
            kept.invocations += count;
            kept.work += count * seconds.unwrap_or(mean_seconds) * megabytes.unwrap_or(mean_megabytes);
        }
        kept
    }

    /// Invocations and work of a loss.
    fn lost(&self, loss: &Loss) -> [f64; 2] {
        let invocations = loss.invocations.unwrap_or(self.invocations / self.rows.max(1.0));
        let each = loss.seconds.unwrap_or(self.mean_seconds) * loss.megabytes.unwrap_or(self.mean_megabytes);
        [invocations, invocations * each]
    }
}

/// Decides what becomes of damaged rows: the first is an error, or, leniently, all are counted and left out.
#[derive(Debug)]
pub(super) struct Judge {
    lenient: bool,
    skipped: Skipped,
    losses: Vec<(Fault, Loss)>,
    /// Functions, and applications, whose durations or memory were in a damaged row.
    damaged: HashMap<FunctionKey, Fault>,
}

impl Judge {
    pub fn new(lenient: bool) -> Self {
        Judge { lenient, skipped: Skipped::default(), losses: Vec::new(), damaged: HashMap::new() }
    }

    /// The value of a sound row, `None` for one to leave out, with which `loss` goes.
    pub fn judge<T>(
        &mut self,
        row: Result<T, Damage>,
        loss: impl FnOnce() -> Loss,
    ) -> Result<Option<T>, TraceError> {
        match row {
            Ok(value) => Ok(Some(value)),
            Err(damage) if self.lenient => {
                self.count(&damage, loss());
                Ok(None)
            }
            Err(damage) => Err(damage.into()),
        }
    }

    fn count(&mut self, damage: &Damage, loss: Loss) {
        if damage.fault.is_incomplete()
            && let Some(cause) = self.cause(&loss)
        {
            // Its properties were there and damaged: that row is counted already.
            self.losses.push((cause, loss));
            return;
        }
        let first = || SkippedRows { first: damage.to_string(), ..SkippedRows::default() };
        self.skipped.faults.entry(damage.fault).or_insert_with(first).rows += 1;
        if loss.invocations == Some(0.0)
            && let Some(key) = &loss.key
        {
            self.damaged.insert(key.clone(), damage.fault);
        }
        self.losses.push((damage.fault, loss));
    }

    fn cause(&self, loss: &Loss) -> Option<Fault> {
        let key = loss.key.as_ref()?;
        let whole = FunctionKey { application: key.application.clone(), function: String::new() };
        self.damaged.get(key).or_else(|| self.damaged.get(&whole)).copied()
    }

    /// What was left out so far, without fractions.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Fills in seconds and MB of losses whose function is known.
    pub fn complete(&mut self, know: impl Fn(&FunctionKey) -> (Option<f64>, Option<f64>)) {
        for (_, loss) in &mut self.losses {
            if let Some(key) = &loss.key {
                let (seconds, megabytes) = know(key);
                loss.seconds = loss.seconds.or(seconds);
                loss.megabytes = loss.megabytes.or(megabytes);
            }
        }
    }

    /// What was left out, with its fractions of what is kept and left out together.
    pub fn finish(mut self, kept: Kept) -> Skipped {
        let mut lost: BTreeMap<Fault, [f64; 2]> = BTreeMap::new();
        let (mut invocations, mut work) = (kept.invocations, kept.work);
        for (fault, loss) in &self.losses {
            let one = kept.lost(loss);
            let sum = lost.entry(*fault).or_default();
            *sum = [sum[0] + one[0], sum[1] + one[1]];
            invocations += one[0];
            work += one[1];
        }
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        for (fault, rows) in &mut self.skipped.faults {
            let [of_invocations, of_work] = lost.get(fault).copied().unwrap_or_default();
            rows.invocation_share = share(of_invocations, invocations);
            rows.work_share = share(of_work, work);
        }
        self.skipped
    }
}
