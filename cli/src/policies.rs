//! Learnt policies as contenders.

use std::path::Path;

use common::ids::Digest;
use common::reward::Preference;
use common::trajectory::Scenario;
use configuration::ConfigError;
use engine::{Scheduler, SchedulerError};
use evaluation::MakeScheduler;
use policy::{Checkpoint, find_checkpoint};

/// A policy that can be made anew for each thread.
pub struct LoadedPolicy {
    /// The scenario that the policy was trained for.
    pub scenario: Scenario,
    /// Digest of its checkpoint's files.
    pub digest: Digest,
    /// The preference that it plays with, where `--preference` gives one and it can have one.
    pub preference: Option<String>,
    /// Makes a new scheduler from the policy, one per thread.
    pub make: Box<MakeScheduler<'static>>,
}

/// Opens a run folder or a checkpoint, with the preference that `--preference` gives.
pub type LoadPolicy<'a> = &'a dyn Fn(&Path, Option<&str>) -> anyhow::Result<LoadedPolicy>;

/// The policy of a run folder or checkpoint, named by its path. Without a `preference` (`latency=0.7,cost=0.3`) it plays with the one that
/// it was validated with.
///
/// # Errors
/// When there is none or it is damaged, or it cannot have the preference.
pub fn load_policy(path: &Path, preference: Option<&str>) -> anyhow::Result<LoadedPolicy> {
    let checkpoint = Checkpoint::open(&find_checkpoint(path)?)?;
    let preference = preference.map(|text| read_preference(text, &checkpoint)).transpose()?.flatten();
    let files = serde_json::to_vec(&checkpoint.manifest.files)?;
    Ok(LoadedPolicy {
        scenario: checkpoint.manifest.config.simulator.scenario,
        digest: Digest::of(&files),
        preference: preference.map(|preference| preference.to_string()),
        make: maker(checkpoint, path.display().to_string(), preference),
    })
}

/// The preference for this policy; `None` where it learnt with fixed weights.
fn read_preference(text: &str, checkpoint: &Checkpoint) -> Result<Option<Preference>, ConfigError> {
    let parts = checkpoint.manifest.config.reward.shown_parts();
    if parts.is_empty() {
        return Ok(None);
    }
    let invalid = |message| ConfigError::Invalid { origin: "--preference".to_owned(), message };
    Preference::read(text, &parts).map(Some).map_err(invalid)
}

/// Makes the checkpoint's policy for one thread of an evaluation; the threads share the cores, so each has one for its
/// tensors.
#[must_use]
pub fn maker(
    checkpoint: Checkpoint,
    name: String,
    preference: Option<Preference>,
) -> Box<MakeScheduler<'static>> {
    Box::new(move || {
        policy::set_threads(1);
        match checkpoint.scheduler(&name) {
            Ok(mut scheduler) => {
                preference.into_iter().for_each(|preference| scheduler.set_preference(preference));
                Ok(Box::new(scheduler) as Box<dyn Scheduler>)
            }
            Err(error) => Err(SchedulerError::Failed { scheduler: name.clone(), source: Box::new(error) }),
        }
    })
}
