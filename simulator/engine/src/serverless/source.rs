//! The trait through which a workload describes its functions and their arrivals.

use std::sync::Arc;

use common::RunSeed;
use common::cluster::WorkflowSpec;

use super::arrivals::ArrivalProcess;
use super::function::WorkLaw;

/// Which part of a workload an episode is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What policies learn from.
    Training,
    /// What checkpoints are chosen on.
    Validation,
    /// What only the report sees.
    Test,
}

/// A function as a workload describes it; the rest (runtime, priority, isolation tag) is drawn once.
#[derive(Clone)]
pub struct FunctionDescription {
    /// Name, unique in the workload.
    pub name: String,
    /// Number of the application that it belongs to.
    pub application: u32,
    /// Number of the tenant who owns it.
    pub tenant: u32,
    /// Memory that it needs at least, MB.
    pub peak_memory_mb: u32,
    /// How the work of its invocations is distributed.
    pub law: Arc<dyn WorkLaw>,
    /// σ of the log-normal noise (of mean 1) on every duration.
    pub noise_sigma: f64,
    /// vCPUs that it can use at most.
    pub parallelism: f64,
    /// Fraction of a duration that is I/O, where the workload states durations one by one.
    pub io_share: f64,
    /// Its objective is violated when latency exceeds this factor × p95 of its reference duration; `None`: the configured factor.
    pub slo_factor: Option<f64>,
    /// Number of its past invocations that a platform has seen at most.
    pub history: u64,
}

impl FunctionDescription {
    /// A function of an application and a tenant of its own, that uses one vCPU and has a long history.
    #[must_use]
    pub fn new(name: String, place: u32, peak_memory_mb: u32, law: Arc<dyn WorkLaw>) -> Self {
        FunctionDescription {
            name,
            application: place,
            tenant: place,
            peak_memory_mb,
            law,
            noise_sigma: 0.0,
            parallelism: 1.0,
            io_share: 0.3,
            slo_factor: None,
            history: u64::MAX,
        }
    }
}

/// The stretch of a workload that an episode covers, in seconds from the start of its part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The part that it lies in.
    pub part: Part,
    /// Start of the episode, seconds from the start of the part.
    pub start: f64,
    /// Length of the episode, seconds.
    pub seconds: f64,
}

/// Functions, workflows made of them, and when they come. Subjects are numbered: functions first, then workflows.
pub trait WorkloadSource: Send + Sync {
    /// Functions that the workload calls; their index is the number of the subject.
    fn functions(&self) -> &[FunctionDescription];

    /// Workflows that the workload starts, numbered after the functions.
    fn workflows(&self) -> &[WorkflowSpec] {
        &[]
    }

    /// Mean arrivals a second of each subject (functions, then workflows), before scaling.
    fn rates(&self) -> Vec<f64>;

    /// The stretch that an episode of `seconds` seconds covers; 0 stands for the whole part.
    fn span(&self, _episode: RunSeed, part: Part, seconds: f64) -> Span {
        Span { part, start: 0.0, seconds }
    }

    /// When `subject` comes in `span`, with rates × `scale`. `episode` may seed what several subjects share.
    fn arrivals(&self, subject: usize, scale: f64, span: Span, episode: RunSeed) -> Box<dyn ArrivalProcess>;

    /// Arrivals of `subject` to be expected in `span`, with rates × `scale`, where that is not rate × time.
    fn expected(&self, _subject: usize, _scale: f64, _span: Span) -> Option<f64> {
        None
    }
}
