//! Sources of functions and of their arrivals: what a configuration can name, and the trait that any other implements.

mod azure2019;
mod azure2021;
mod bursty;
#[cfg(test)]
mod load_tests;
mod measured;
mod mixed;
mod periodic;
mod poisson;
mod steady;
mod synthetic;
mod trace;
mod workflow;

use std::sync::Arc;

use common::RunSeed;
use common::cluster::WorkflowSpec;
use configuration::{ServerlessConfig, TraceConfig, TraceFiles, WorkloadKind};

use super::arrivals::ArrivalProcess;
use super::function::{MemoryShares, WorkLaw};
use super::trace::Azure2019Paths;
use crate::error::SimulatorError;

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
    /// Application that it belongs to.
    pub application: u32,
    /// Who owns it.
    pub tenant: u32,
    /// Memory that it needs, MB.
    pub peak_memory_mb: u32,
    /// What its invocations have to do.
    pub law: Arc<dyn WorkLaw>,
    /// σ of the log-normal noise (of mean 1) on every duration.
    pub noise_sigma: f64,
    /// vCPUs that it can use at most.
    pub parallelism: f64,
    /// Share of a duration that is I/O, where the workload states durations one by one.
    pub io_share: f64,
    /// Its objective is violated when latency exceeds this × p95 of its reference duration; the configured factor if none.
    pub slo_factor: Option<f64>,
    /// Invocations of it that history holds at most.
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
    /// Which part.
    pub part: Part,
    /// Where it begins.
    pub start: f64,
    /// How long it is.
    pub seconds: f64,
}

/// Functions, workflows made of them, and when they come. Subjects are numbered: functions first, then workflows.
pub trait WorkloadSource: Send + Sync {
    /// Its functions.
    fn functions(&self) -> &[FunctionDescription];

    /// Its workflows.
    fn workflows(&self) -> &[WorkflowSpec] {
        &[]
    }

    /// Mean arrivals of each subject a second, before scaling.
    fn rates(&self) -> Vec<f64>;

    /// Where an episode of `seconds` seconds (0: all there is) lies.
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

/// The workload that a configuration names.
///
/// # Errors
/// When a trace file is missing or malformed.
pub(super) fn open(
    config: &ServerlessConfig,
    shares: MemoryShares,
) -> Result<Box<dyn WorkloadSource>, SimulatorError> {
    let seed = config.functions_seed;
    let synthetic = &config.synthetic;
    Ok(match (config.workload, &config.trace) {
        (WorkloadKind::Bursty, _) => Box::new(bursty::Bursty::new(&config.bursty, synthetic, seed, shares)),
        (WorkloadKind::Periodic, _) => {
            Box::new(periodic::Periodic::new(&config.periodic, synthetic, seed, shares))
        }
        (WorkloadKind::Mixed, _) => Box::new(mixed::Mixed::new(&config.mixed, seed, shares)),
        (WorkloadKind::Workflow, _) => Box::new(workflow::Workflows::new(&config.workflow, seed, shares)),
        (WorkloadKind::Trace, Some(trace)) => open_trace(trace, seed)?,
        (WorkloadKind::Trace, None) => return Err(SimulatorError::NoTrace),
        (WorkloadKind::Steady, _) => Box::new(steady::Steady::new(&config.steady, seed, shares)),
    })
}

fn open_trace(trace: &TraceConfig, seed: RunSeed) -> Result<Box<dyn WorkloadSource>, SimulatorError> {
    Ok(match trace.files().ok_or(SimulatorError::NoTrace)? {
        TraceFiles::Azure2019 { invocations, durations, memory } => Box::new(azure2019::CountedSource::read(
            trace,
            Azure2019Paths { invocations, durations, memory },
        )?),
        TraceFiles::Azure2021 { events } => Box::new(azure2021::EventSource::read(trace, events, seed)?),
    })
}
