//! A run that begins with what another run has learnt: with its weights only, or with a copy of everything.

use std::path::{Path, PathBuf};

use common::ids::PolicyVersion;
use configuration::Config;
use policy::{Checkpoint, schema_of};
use serde::{Deserialize, Serialize};

use crate::LearnerError;
use crate::changes::{changes_of_shape, forbidden_changes};
use crate::checkpoints::{POLICY, Progress, STATE, newest_checkpoint, open};
use crate::update::Updater;

/// The checkpoint that a run goes on from as a copy, as its own manifest names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopiedFrom {
    /// The run that wrote it, in hex.
    pub run: String,
    /// Version of its weights.
    pub version: PolicyVersion,
    /// Recorded decisions that it had learnt from.
    pub environment_steps: u64,
}

/// Refuses to start a run of `config` from the networks of another run, `path`, that have another shape.
///
/// # Errors
/// [`LearnerError::Policy`], which names the keys.
pub fn check_init_from(path: &Path, config: &Config) -> Result<(), LearnerError> {
    check_shape(&policy::find_checkpoint(path)?, config)
}

fn check_shape(path: &Path, config: &Config) -> Result<(), LearnerError> {
    let checkpoint = Checkpoint::open(path)?;
    let theirs = &checkpoint.manifest.config;
    let networks = |config: &Config| {
        let policy = &config.policy;
        let sizes = (policy.width, policy.heads, policy.layers, policy.value_layers);
        let kinds = (policy.encoder, config.learner.algorithm);
        (schema_of(config), sizes, kinds)
    };
    if networks(theirs) == networks(config) {
        return Ok(());
    }
    let changes = changes_of_shape(theirs, config);
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let message = format!(
        "its networks have another shape than this run's: {}; give these keys the values of that run",
        changes.join("; ")
    );
    Err(policy::PolicyError::Checkpoint { path: path.to_owned(), message }.into())
}

/// Starts from another run's networks, and from the scales that their outputs are in.
///
/// # Errors
/// [`LearnerError::Policy`] where they are damaged or of another shape.
pub fn init_from(path: &Path, updater: &mut Updater) -> Result<(), LearnerError> {
    let checkpoint = Checkpoint::open(&policy::find_checkpoint(path)?)?;
    for network in [&updater.networks.policy, updater.networks.kept_policy()] {
        network.parameters().read_bytes(checkpoint.file(POLICY)?)?;
    }
    updater.networks.value.parameters().read_bytes(checkpoint.file("value.safetensors")?)?;
    // Values are in units of the return scale.
    let progress: Progress = serde_json::from_slice(checkpoint.file(STATE)?).map_err(LearnerError::State)?;
    updater.scales = progress.scales;
    tracing::info!(checkpoint = %checkpoint.folder().display(), "starts from these weights");
    Ok(())
}

/// Refuses to go on from a copy of a checkpoint, `path`, whose networks have another shape than those of `config`.
///
/// # Errors
/// [`LearnerError::Policy`], which names the keys.
pub fn check_copy_from(path: &Path, config: &Config) -> Result<(), LearnerError> {
    check_shape(&to_copy(path)?, config)
}

/// Takes over all that another run's checkpoint holds: networks, optimisers, scales and steps. `config` may say otherwise how to go on.
///
/// # Errors
/// [`LearnerError::Policy`] where it is damaged or of another shape.
pub fn copy_from(
    path: &Path,
    config: &Config,
    updater: &mut Updater,
) -> Result<(Progress, CopiedFrom), LearnerError> {
    let folder = to_copy(path)?;
    check_shape(&folder, config)?;
    let manifest = Checkpoint::open(&folder)?.manifest;
    let progress = open(&folder, updater)?;
    for change in forbidden_changes(&manifest.config, config) {
        tracing::info!(%change, "goes on with another value");
    }
    let from = CopiedFrom {
        run: manifest.run,
        version: manifest.version,
        environment_steps: manifest.environment_steps,
    };
    tracing::info!(
        checkpoint = %folder.display(), run = from.run, steps = from.environment_steps, "goes on from a copy of this checkpoint"
    );
    // Which policy was best, and whether the run has ended, is this run's own.
    Ok((
        Progress { best: None, best_breaks: false, finished: false, validation_due: false, ..progress },
        from,
    ))
}

/// The checkpoint at `path`: `path` itself, or the newest of a run folder. The best one would throw away what came after it.
fn to_copy(path: &Path) -> Result<PathBuf, LearnerError> {
    match newest_checkpoint(path) {
        Some(newest) => Ok(newest),
        None => Ok(policy::find_checkpoint(path)?),
    }
}
