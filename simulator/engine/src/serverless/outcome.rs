//! The outcome of an episode, complete enough for every metric, in memory that does not grow with the episode.

use super::distribution::Distribution;

/// Number of resources.
pub const RESOURCES: usize = 3;
/// Multiples of `p95(T_ref)` against which latencies are also held, beside each function's own.
pub const SLO_FACTORS: [f64; 2] = [2.0, 10.0];

/// A resource of a node, as a place in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Resource {
    /// vCPUs.
    Cpu = 0,
    /// Memory, MB.
    Memory = 1,
    /// Bandwidth, Mbit/s.
    Network = 2,
}

impl Resource {
    /// All of them, in order.
    pub const ALL: [Resource; RESOURCES] = [Resource::Cpu, Resource::Memory, Resource::Network];

    /// Name of the resource in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Network => "network",
        }
    }
}

/// Slowdowns of the counted arrivals of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FunctionOutcome {
    /// Number of counted arrivals.
    pub arrivals: u64,
    /// Sum of their slowdowns, each a ratio of at least 1.
    pub slowdown_sum: f64,
}

/// Integrals over the counted time. Resource-seconds are vCPU·s, MB·s and Mbit, in the order of [`Resource`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Counted time, seconds.
    pub seconds: f64,
    /// ∫ used, in resource-seconds.
    pub used: [f64; RESOURCES],
    /// ∫ allocated, in resource-seconds: what containers hold (memory also when idle).
    pub allocated: [f64; RESOURCES],
    /// ∫ capacity, in resource-seconds.
    pub capacity: [f64; RESOURCES],
    /// GB·s of containers that start or run.
    pub bound_gb_seconds: f64,
    /// GB·s of idle containers.
    pub idle_gb_seconds: f64,
    /// `bound_gb_seconds`, each node's weighted with its price class.
    pub priced_bound_gb_seconds: f64,
    /// `idle_gb_seconds`, weighted likewise.
    pub priced_idle_gb_seconds: f64,
}

/// The outcome of an episode. Only arrivals after the warm-up count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerlessOutcome {
    /// Slowdowns by function, in the order of the cluster's functions.
    pub functions: Vec<FunctionOutcome>,
    /// Slowdowns of the counted arrivals.
    pub slowdowns: Distribution,
    /// Latencies of the counted arrivals, seconds.
    pub latencies: Distribution,
    /// Number of counted arrivals that waited for a cold start.
    pub cold_starts: u64,
    /// Number of counted arrivals that had not finished by the drain limit.
    pub unfinished: u64,
    /// Number of counted arrivals whose latency broke their function's objective.
    pub violations: u64,
    /// The same for the factors of [`SLO_FACTORS`].
    pub violations_at: [u64; SLO_FACTORS.len()],
    /// Number of starts of counted arrivals that were lost when their node failed.
    pub retries: u64,
    /// Workflows that arrived after the warm-up, from end to end.
    pub workflows: WorkflowOutcome,
    /// Use of the cluster.
    pub usage: Usage,
}

/// The outcome of workflows, from the arrival of a run to the end of its last stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkflowOutcome {
    /// Latency / max(critical path of reference durations, 100 ms), at least 1.
    pub slowdowns: Distribution,
    /// Latencies of counted runs from end to end, seconds.
    pub latencies: Distribution,
    /// Number of runs whose latency exceeded their workflow's factor × that critical path.
    pub violations: u64,
    /// Number of runs that had not finished by the drain limit.
    pub unfinished: u64,
}
