//! The workload that a configuration names.

use std::sync::Arc;

use common::RunSeed;
use configuration::{ServerlessConfig, TraceConfig, TraceFiles, WorkloadKind};
use engine::serverless::{MemoryShares, Workload, WorkloadSource};

use crate::error::WorkloadError;
use crate::trace::Azure2019Paths;
use crate::{azure2019, azure2021, bursty, mixed, periodic, steady, workflow};

/// Makes the functions that are configured, and reads the trace where one is.
///
/// # Errors
/// When a trace file is missing or malformed, a function fits on no node, or nothing ever arrives.
pub fn serverless_workload(config: &ServerlessConfig) -> Result<Arc<Workload>, WorkloadError> {
    let source = open(config, MemoryShares::new(config))?;
    Ok(Arc::new(Workload::new(config, source)?))
}

fn open(config: &ServerlessConfig, shares: MemoryShares) -> Result<Box<dyn WorkloadSource>, WorkloadError> {
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
        (WorkloadKind::Trace, None) => return Err(WorkloadError::NoTrace),
        (WorkloadKind::Steady, _) => Box::new(steady::Steady::new(&config.steady, seed, shares)),
    })
}

fn open_trace(trace: &TraceConfig, seed: RunSeed) -> Result<Box<dyn WorkloadSource>, WorkloadError> {
    Ok(match trace.files().ok_or(WorkloadError::NoTrace)? {
        TraceFiles::Azure2019 { invocations, durations, memory } => Box::new(azure2019::CountedSource::read(
            trace,
            Azure2019Paths { invocations, durations, memory },
        )?),
        TraceFiles::Azure2021 { events } => Box::new(azure2021::EventSource::read(trace, events, seed)?),
    })
}
