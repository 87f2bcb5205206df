//! Where runs run. An executor starts, watches and stops jobs; what it needs to find a job again lies in files, so that another
//! coordinator can go on with it.

mod local;
mod slurm;

pub use local::LocalExecutor;
pub use slurm::SlurmExecutor;

use crate::SweepError;
use crate::job::Job;

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It runs, or waits for its turn.
    Running,
    /// It ended with this exit status.
    Ended(i32),
    /// It is not there any more, and left no exit status.
    Gone,
}

/// Starts, watches and stops jobs.
pub trait Executor {
    /// Starts a job.
    ///
    /// # Errors
    /// [`SweepError::Io`] where the place cannot start any.
    fn start(&mut self, job: &Job) -> Result<(), SweepError>;

    /// What a job does that was started here or by an earlier coordinator.
    ///
    /// # Errors
    /// [`SweepError::Io`] where that cannot be found out.
    fn poll(&mut self, job: &Job) -> Result<JobStatus, SweepError>;

    /// Asks a job to end in order: a training leaves a checkpoint.
    fn stop(&mut self, job: &Job);

    /// The cores that all jobs together can have; `None` where jobs wait in a queue of their own.
    fn cores(&self) -> Option<u32>;

    /// Whether the place itself gives each job its GPUs.
    fn chooses_gpus(&self) -> bool;
}
