use engine::SetUpError;

use crate::trace::TraceError;

/// Why a workload could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// A trace could not be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A trace is to be played, but its files are not named.
    #[error(
        "workload \"trace\" needs a section [simulator.serverless.trace] with `invocations`, `durations` and `memory`, or \
         with `events`"
    )]
    NoTrace,
    /// The configured cluster cannot run it.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
}

impl common::ExitStatus for WorkloadError {
    fn exit_code(&self) -> common::ExitCode {
        common::ExitCode::Input
    }
}
