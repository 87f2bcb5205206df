//! Where the invocations of `serverless` come from, and what each kind of workload can be told.

use std::path::{Path, PathBuf};

use garde::Validate;
use serde::{Deserialize, Serialize};

/// Where the invocations of `serverless` come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkloadKind {
    /// Synthetic functions with nearly regular arrivals.
    #[default]
    Steady,
    /// Synthetic functions whose calls multiply in spikes.
    Bursty,
    /// Synthetic functions that follow the day and the hour, and timers.
    Periodic,
    /// Classes of functions that want different things.
    Mixed,
    /// Web services as short chains, and data pipelines that fan out and in.
    Workflow,
    /// A recorded trace.
    Trace,
}

/// Synthetic functions whose gaps between arrivals are normal with CV 0.3, truncated at 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct SteadyConfig {
    /// Functions.
    #[garde(range(min = 1, max = 1_000_000))]
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
    /// Share of a typical duration that goes into data in and out; 30% are I/O, the rest is CPU.
    #[garde(range(min = 0.0, max = 0.6))]
    pub network_share: f64,
}

/// Synthetic functions of `bursty` and `periodic`, drawn from the distributions measured in the Azure trace of 2019.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticConfig {
    /// Functions.
    #[garde(range(min = 1, max = 1_000_000))]
    pub functions: u32,
    /// A mean duration that is longer, in seconds, is drawn again.
    #[garde(range(min = 0.1, max = 86_400.0))]
    pub longest_seconds: f64,
    /// Share of the work (memory × time) to which each function is thinned down.
    #[garde(range(min = 0.0001, max = 1.0))]
    pub max_function_share: f64,
    /// σ of the log-normal noise on every duration.
    #[garde(range(min = 0.0, max = 5.0))]
    pub noise_sigma: f64,
    /// σ of the log-normal input size.
    #[garde(range(min = 0.0, max = 5.0))]
    pub input_sigma: f64,
}

/// Poisson arrivals whose rate is multiplied in spikes that all functions of an application share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct BurstyConfig {
    /// Mean of the exponential length of a spike, seconds.
    #[garde(range(min = 0.1, max = 1e6))]
    pub spike_seconds: f64,
    /// Mean of the exponential time between two spikes, seconds.
    #[garde(range(min = 0.1, max = 1e6))]
    pub gap_seconds: f64,
    /// Least and greatest factor of a spike, drawn uniformly for each.
    #[garde(inner(range(min = 1.0, max = 1000.0)), custom(low_then_high))]
    pub factors: [f64; 2],
}

/// Poisson arrivals with daily and hourly cycles, and timers; an episode begins at a random time of the day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct PeriodicConfig {
    /// Amplitude of the daily cycle as a share of the mean rate.
    #[garde(range(min = 0.0, max = 0.5))]
    pub day_amplitude: f64,
    /// Amplitude of the hourly cycle as a share of the mean rate.
    #[garde(range(min = 0.0, max = 0.5))]
    pub hour_amplitude: f64,
    /// Share of the functions that a timer calls, every 1, 5, 15 or 60 minutes.
    #[garde(range(min = 0.0, max = 1.0))]
    pub timer_share: f64,
    /// What one firing calls comes within so many seconds.
    #[garde(range(min = 0.0, max = 60.0))]
    pub timer_jitter_seconds: f64,
}

/// Classes of functions with Poisson arrivals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct MixedConfig {
    /// The classes.
    #[garde(length(min = 1, max = 100), dive)]
    pub classes: Vec<ClassConfig>,
    /// σ of the log-normal noise on every duration.
    #[garde(range(min = 0.0, max = 5.0))]
    pub noise_sigma: f64,
    /// σ of the log-normal input size.
    #[garde(range(min = 0.0, max = 5.0))]
    pub input_sigma: f64,
}

/// Functions of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct ClassConfig {
    /// Name; its functions are numbered behind it.
    #[garde(length(min = 1))]
    pub name: String,
    /// Share of all invocations, relative to the other classes.
    #[garde(range(min = 1e-6))]
    pub share: f64,
    /// Functions.
    #[garde(range(min = 1, max = 100_000))]
    pub functions: u32,
    /// Median of the log-normal mean duration of a function, seconds.
    #[garde(range(min = 0.001, max = 86_400.0))]
    pub median_seconds: f64,
    /// Its σ.
    #[garde(range(min = 0.0, max = 3.0))]
    pub sigma: f64,
    /// Memory that each function needs, MB.
    #[garde(range(min = 1, max = 10_240))]
    pub memory_mb: u32,
    /// vCPUs that an invocation can use at most.
    #[garde(range(min = 0.01, max = 64.0))]
    pub parallelism: f64,
}

/// Web services and data pipelines with Poisson arrivals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct WorkflowConfig {
    /// Web services: chains of 2 to 4 short functions with little data.
    #[garde(range(max = 100_000))]
    pub services: u32,
    /// Data pipelines: split, 4 to 8 workers side by side, merge, with much data.
    #[garde(range(max = 100_000), custom(any_workflow(self.services)))]
    pub pipelines: u32,
    /// Share of the pipelines in the work (memory × time), where there are both.
    #[garde(range(min = 0.001, max = 0.999))]
    pub pipeline_share: f64,
    /// Median of the log-normal mean duration of a service's function, seconds.
    #[garde(range(min = 0.001, max = 3600.0))]
    pub service_median_seconds: f64,
    /// The same for a pipeline's.
    #[garde(range(min = 0.001, max = 3600.0))]
    pub pipeline_median_seconds: f64,
    /// σ of both.
    #[garde(range(min = 0.0, max = 3.0))]
    pub duration_sigma: f64,
    /// A service's objective is violated beyond this × its critical path.
    #[garde(range(min = 1.0))]
    pub service_slo_factor: f64,
    /// The same for a pipeline.
    #[garde(range(min = 1.0))]
    pub pipeline_slo_factor: f64,
    /// Least and greatest data between two stages of a service, Mbit; drawn log-uniformly.
    #[garde(inner(range(min = 0.001)), custom(low_then_high))]
    pub service_megabits: [f64; 2],
    /// The same for a pipeline.
    #[garde(inner(range(min = 0.001)), custom(low_then_high))]
    pub pipeline_megabits: [f64; 2],
    /// σ of the log-normal noise on every duration.
    #[garde(range(min = 0.0, max = 5.0))]
    pub noise_sigma: f64,
}

/// A recorded trace: the three files of Azure Functions 2019, or the one of 2021. Relative paths are relative to the
/// current folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
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
            network_share: 0.1,
        }
    }
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        SyntheticConfig {
            functions: 100,
            longest_seconds: 60.0,
            max_function_share: 0.1,
            noise_sigma: 0.1,
            input_sigma: 0.2,
        }
    }
}

impl Default for BurstyConfig {
    fn default() -> Self {
        BurstyConfig { spike_seconds: 20.0, gap_seconds: 200.0, factors: [5.0, 10.0] }
    }
}

impl Default for PeriodicConfig {
    /// Timers call 28.5% of the functions of the Azure trace of 2019.
    fn default() -> Self {
        PeriodicConfig {
            day_amplitude: 0.4,
            hour_amplitude: 0.3,
            timer_share: 0.285,
            timer_jitter_seconds: 1.0,
        }
    }
}

impl Default for MixedConfig {
    fn default() -> Self {
        let class = |name: &str, share, functions, median_seconds, memory_mb, parallelism| ClassConfig {
            name: name.to_owned(),
            share,
            functions,
            median_seconds,
            sigma: 0.5,
            memory_mb,
            parallelism,
        };
        MixedConfig {
            classes: vec![
                class("short-small", 0.8, 40, 0.1, 128, 1.0),
                class("long-large", 0.05, 10, 10.0, 1769, 2.0),
                class("memory-heavy", 0.15, 10, 1.0, 3008, 1.0),
            ],
            noise_sigma: 0.1,
            input_sigma: 0.2,
        }
    }
}

impl Default for WorkflowConfig {
    fn default() -> Self {
        WorkflowConfig {
            services: 20,
            pipelines: 4,
            pipeline_share: 0.7,
            service_median_seconds: 0.2,
            pipeline_median_seconds: 4.0,
            duration_sigma: 0.7,
            service_slo_factor: 2.0,
            pipeline_slo_factor: 5.0,
            service_megabits: [0.1, 4.0],
            pipeline_megabits: [50.0, 500.0],
            noise_sigma: 0.1,
        }
    }
}

fn low_then_high(range: &[f64; 2], _context: &()) -> garde::Result {
    if range[0] <= range[1] {
        return Ok(());
    }
    Err(garde::Error::new(format!("is {range:?}; give the least value, then the greatest")))
}

fn any_workflow(services: u32) -> impl FnOnce(&u32, &()) -> garde::Result {
    move |pipelines, _context| {
        if services + pipelines > 0 {
            return Ok(());
        }
        Err(garde::Error::new("is 0 as `services` is; there must be a workflow"))
    }
}

fn ordered(minutes: &[u32; 2], _context: &()) -> garde::Result {
    if minutes[0] <= minutes[1] {
        return Ok(());
    }
    Err(garde::Error::new(format!("is {minutes:?}; give the first minute, then the last")))
}
