//! Where the invocations of `serverless` come from, and what each kind of workload can be told.

use std::path::PathBuf;

use garde::Validate;
use serde::{Deserialize, Serialize};

/// Where the invocations of `serverless` come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkloadKind {
    /// Synthetic functions with nearly regular arrivals.
    #[default]
    Steady,
    /// A recorded trace.
    Trace,
}

/// Synthetic functions whose gaps between arrivals are normal with CV 0.3, truncated at 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct SteadyConfig {
    /// Functions.
    #[garde(range(min = 1, max = 100_000))]
    pub functions: u32,
    /// Median of the log-normal mean duration of a function, seconds.
    #[garde(range(min = 0.001))]
    pub median_seconds: f64,
    /// Its σ.
    #[garde(range(min = 0.0, max = 5.0))]
    pub duration_sigma: f64,
    /// σ of the log-normal rate of a function.
    #[garde(range(min = 0.0, max = 5.0))]
    pub rate_sigma: f64,
    /// Coefficient of variation of the gaps; so small that their truncation at 0 does not move the mean.
    #[garde(range(min = 0.0, max = 0.35))]
    pub gap_cv: f64,
    /// σ of the log-normal noise on every duration.
    #[garde(range(min = 0.0, max = 5.0))]
    pub noise_sigma: f64,
    /// σ of the log-normal input size.
    #[garde(range(min = 0.0, max = 5.0))]
    pub input_sigma: f64,
}

/// A recorded trace (Azure Functions 2019). Relative paths are relative to the current folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// Counts a minute by function.
    #[garde(skip)]
    pub invocations: PathBuf,
    /// Percentiles of durations by function.
    #[garde(skip)]
    pub durations: PathBuf,
    /// Memory by function or by application.
    #[garde(skip)]
    pub memory: PathBuf,
    /// First and last minute column that training episodes are drawn from.
    #[garde(custom(ordered))]
    pub training_minutes: [u32; 2],
    /// The same for validation.
    #[garde(custom(ordered))]
    pub validation_minutes: [u32; 2],
    /// The same for tests.
    #[garde(custom(ordered))]
    pub test_minutes: [u32; 2],
    /// Rates are scaled once so that these minutes have the configured load; the training minutes by default.
    #[garde(inner(custom(ordered)))]
    #[serde(default)]
    pub scale_minutes: Option<[u32; 2]>,
    /// Share of the work (memory × time) to which each function is thinned down; off by default.
    #[garde(inner(range(min = 0.0001, max = 1.0)))]
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

fn default_io_share() -> f64 {
    0.3
}

impl Default for SteadyConfig {
    fn default() -> Self {
        SteadyConfig {
            functions: 20,
            median_seconds: 0.7,
            duration_sigma: 1.0,
            rate_sigma: 1.0,
            gap_cv: 0.3,
            noise_sigma: 0.1,
            input_sigma: 0.2,
        }
    }
}

fn ordered(minutes: &[u32; 2], _context: &()) -> garde::Result {
    if minutes[0] <= minutes[1] {
        return Ok(());
    }
    Err(garde::Error::new(format!("is {minutes:?}; give the first minute, then the last")))
}
