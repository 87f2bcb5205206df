//! Synthetic workloads of `serverless`, and which kinds there are.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the invocations of `serverless` come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

impl std::fmt::Display for WorkloadKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            WorkloadKind::Steady => "steady",
            WorkloadKind::Bursty => "bursty",
            WorkloadKind::Periodic => "periodic",
            WorkloadKind::Mixed => "mixed",
            WorkloadKind::Workflow => "workflow",
            WorkloadKind::Trace => "trace",
        })
    }
}

/// Synthetic functions whose gaps between arrivals are normal with CV 0.3, truncated at 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SteadyConfig {
    /// Functions.
    #[garde(range(min = 1, max = 1_000_000))]
    pub functions: u32,
    /// Median of the log-normal mean duration of a function, seconds.
    #[garde(range(min = 0.001, max = 86_400.0))]
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

/// Synthetic functions of `bursty` and `periodic`, drawn from the distributions measured in the Azure trace of 2019.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
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

/// Poisson arrivals whose rate is multiplied in spikes that all functions of an application share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
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

impl Default for BurstyConfig {
    fn default() -> Self {
        BurstyConfig { spike_seconds: 20.0, gap_seconds: 200.0, factors: [5.0, 10.0] }
    }
}

/// Poisson arrivals with daily and hourly cycles, and timers; an episode begins at a random time of the day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
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

/// Classes of functions with Poisson arrivals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
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

/// Functions of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassConfig {
    /// Name; its functions are numbered behind it.
    #[garde(custom(crate::names::sound_name))]
    pub name: String,
    /// Share of all invocations, relative to the other classes.
    #[garde(range(min = 1e-6, max = 1e9))]
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

/// Refuses a range that ends before it begins.
pub(crate) fn low_then_high(range: &[f64; 2], _context: &()) -> garde::Result {
    if range[0] <= range[1] {
        return Ok(());
    }
    Err(garde::Error::new(format!("is {range:?}; give the least value, then the greatest")))
}
