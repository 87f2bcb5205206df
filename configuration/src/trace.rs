//! Recorded traces as workloads of `serverless`.

use std::path::{Path, PathBuf};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A recorded trace: the three files of Azure Functions 2019, or the one of 2021. Relative paths are relative to the
/// current folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// 2019: counts a minute by function.
    #[garde(custom(one_format(self)))]
    pub invocations: Option<PathBuf>,
    /// 2019: percentiles of durations by function.
    #[garde(skip)]
    pub durations: Option<PathBuf>,
    /// 2019: memory by function or by application.
    #[garde(skip)]
    pub memory: Option<PathBuf>,
    /// 2021: a row for each invocation.
    #[garde(skip)]
    pub events: Option<PathBuf>,
    /// Damaged rows, and functions without durations or memory, are counted and left out; else they are errors.
    #[garde(skip)]
    #[serde(default)]
    pub lenient: bool,
    /// First and last minute that training episodes are drawn from: columns of 2019; minute 1 is the first of 2021.
    #[garde(custom(ordered), inner(range(max = 10_000_000)))]
    pub training_minutes: [u32; 2],
    /// The same for validation.
    #[garde(custom(ordered), inner(range(max = 10_000_000)))]
    pub validation_minutes: [u32; 2],
    /// The same for tests.
    #[garde(custom(ordered), inner(range(max = 10_000_000)), custom(unseen(self.training_minutes, self.validation_minutes)))]
    pub test_minutes: [u32; 2],
    /// Rates are scaled once so that these minutes have the configured load; the training minutes by default.
    #[garde(inner(custom(ordered)))]
    #[schemars(inner(range(max = 10_000_000)))]
    #[serde(default)]
    pub scale_minutes: Option<[u32; 2]>,
    /// Share of the work (memory × time) to which each function is thinned down; off by default.
    #[garde(inner(range(min = 0.0001, max = 1.0)))]
    #[schemars(range(min = 0.0001, max = 1.0))]
    #[serde(default)]
    pub max_function_share: Option<f64>,
    /// Share of a duration that is I/O; the rest is CPU.
    #[garde(range(min = 0.0, max = 1.0))]
    #[serde(default = "default_io_share")]
    pub io_share: f64,
    /// σ of a log-normal noise on every duration.
    #[garde(range(min = 0.0, max = 5.0))]
    #[serde(default)]
    pub noise_sigma: f64,
}

impl Default for TraceConfig {
    /// Names no files: these, and the minutes, are to be filled in.
    fn default() -> Self {
        TraceConfig {
            invocations: None,
            durations: None,
            memory: None,
            events: None,
            lenient: false,
            training_minutes: [1, 1],
            validation_minutes: [1, 1],
            test_minutes: [1, 1],
            scale_minutes: None,
            max_function_share: None,
            io_share: default_io_share(),
            noise_sigma: 0.0,
        }
    }
}

/// The files of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFiles<'a> {
    /// Azure Functions 2019.
    Azure2019 {
        /// Counts a minute by function.
        invocations: &'a Path,
        /// Percentiles of durations by function.
        durations: &'a Path,
        /// Memory by function or by application.
        memory: &'a Path,
    },
    /// Azure Functions 2021.
    Azure2021 {
        /// A row for each invocation.
        events: &'a Path,
    },
}

impl TraceConfig {
    /// The files, unless those of neither format, or of both, are named; a validated configuration always has them.
    #[must_use]
    pub fn files(&self) -> Option<TraceFiles<'_>> {
        match (&self.invocations, &self.durations, &self.memory, &self.events) {
            (Some(invocations), Some(durations), Some(memory), None) => {
                Some(TraceFiles::Azure2019 { invocations, durations, memory })
            }
            (None, None, None, Some(events)) => Some(TraceFiles::Azure2021 { events }),
            _ => None,
        }
    }
}

fn one_format(trace: &TraceConfig) -> impl FnOnce(&Option<PathBuf>, &()) -> garde::Result {
    let sound = trace.files().is_some();
    move |_, _context| {
        if sound {
            return Ok(());
        }
        Err(garde::Error::new(
            "give `invocations`, `durations` and `memory` (Azure 2019), or `events` alone (Azure 2021)",
        ))
    }
}

fn default_io_share() -> f64 {
    0.3
}

/// A test on minutes that were learnt from, or that chose the checkpoint, says nothing.
fn unseen(training: [u32; 2], validation: [u32; 2]) -> impl FnOnce(&[u32; 2], &()) -> garde::Result {
    move |test, _context| {
        for (part, minutes) in [("training_minutes", training), ("validation_minutes", validation)] {
            if test[0] <= minutes[1] && minutes[0] <= test[1] {
                return Err(garde::Error::new(format!(
                    "is {test:?} and shares minutes with {part} = {minutes:?}; a test needs minutes that nothing has seen"
                )));
            }
        }
        Ok(())
    }
}

fn ordered(minutes: &[u32; 2], _context: &()) -> garde::Result {
    if minutes[0] <= minutes[1] {
        return Ok(());
    }
    Err(garde::Error::new(format!("is {minutes:?}; give the first minute, then the last")))
}
