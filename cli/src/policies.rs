//! Learnt policies as contenders.

use std::path::Path;

use common::ids::Digest;
use common::trajectory::Scenario;
use engine::{Scheduler, SchedulerError};
use evaluation::MakeScheduler;
use policy::{Checkpoint, find_checkpoint};

/// A policy that can be made anew for each thread.
pub struct LoadedPolicy {
    /// The scenario that the policy was trained for.
    pub scenario: Scenario,
    /// Digest of its checkpoint's files.
    pub digest: String,
    /// Makes a new scheduler from the policy, one per thread.
    pub make: Box<MakeScheduler<'static>>,
}

/// Opens a run folder or a checkpoint.
pub type LoadPolicy<'a> = &'a dyn Fn(&Path) -> anyhow::Result<LoadedPolicy>;

/// The policy of a run folder or checkpoint, named by its path.
///
/// # Errors
/// When there is none or it is damaged.
pub fn load_policy(path: &Path) -> anyhow::Result<LoadedPolicy> {
    let checkpoint = Checkpoint::open(&find_checkpoint(path)?)?;
    let files = serde_json::to_vec(&checkpoint.manifest.files)?;
    Ok(LoadedPolicy {
        scenario: checkpoint.manifest.config.simulator.scenario,
        digest: Digest::of(&files).to_string(),
        make: maker(checkpoint, path.display().to_string()),
    })
}

/// Makes the checkpoint's policy for one thread of an evaluation; the threads share the cores, so each has one for its
/// tensors.
#[must_use]
pub fn maker(checkpoint: Checkpoint, name: String) -> Box<MakeScheduler<'static>> {
    Box::new(move || {
        policy::set_threads(1);
        match checkpoint.scheduler(&name) {
            Ok(scheduler) => Ok(Box::new(scheduler) as Box<dyn Scheduler>),
            Err(error) => Err(SchedulerError::Failed { scheduler: name.clone(), source: Box::new(error) }),
        }
    })
}
