//! Checkpoints of a learner: everything that the next update depends on, so that a resumed run goes on as if it had
//! never stopped. Which ones are kept is decided by a pure function.

use std::fs;
use std::path::{Path, PathBuf};

use common::ids::{FencingToken, PolicyVersion, RunId};
use common::reward::Preference;
use configuration::Config;
use policy::{
    Checkpoint, Manifest, Parameters, decode_tensors, encode_tensors, preference_header, schema_of,
    write_checkpoint,
};
use serde::{Deserialize, Serialize};

use crate::LearnerError;
use crate::adam::Adam;
use crate::multipliers::Multipliers;
use crate::scale::Scales;
use crate::update::Updater;

pub(crate) const STATE: &str = "learner.json";
/// The policy that is validated and played.
pub(crate) const POLICY: &str = "policy.safetensors";
/// The policy that learns, where the other is the running mean of its weights.
const LEARNING_POLICY: &str = "learning_policy.safetensors";

/// The state of a learner beside its tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Number of the newest published version.
    pub version: u64,
    /// Recorded decisions learnt from.
    pub environment_steps: u64,
    /// Rounds of learning.
    pub rounds: u64,
    /// Wall time spent in all lives, seconds.
    pub wall_seconds: f64,
    /// Running magnitudes of targets and advantages.
    pub scales: Scales,
    /// Best validation score so far (lower is better).
    pub best: Option<f64>,
    /// Newest validation score.
    pub validation: Option<f64>,
    /// Whether the budget was spent and the run over; a larger budget lets it go on.
    pub finished: bool,
    /// Whether a validation began after the newest round and did not end.
    #[serde(default)]
    pub validation_due: bool,
    /// Multipliers of the limits of the reward, as published with the newest version.
    #[serde(default)]
    pub multipliers: Multipliers,
    /// Those of the next version, where the newest was validated.
    #[serde(default)]
    pub next_multipliers: Option<Multipliers>,
    /// Whether the best policy so far exceeds a limit of the reward on the validation seeds.
    #[serde(default)]
    pub best_breaks: bool,
    /// The preference with which the policy was validated for the last time, where weights are not fixed: the policy is played with it.
    #[serde(default)]
    pub preference: Option<Preference>,
}

/// A checkpoint that is not on the disk yet.
#[derive(Debug)]
pub(crate) struct Snapshot {
    manifest: Manifest,
    files: Vec<(&'static str, Vec<u8>)>,
}

/// The folder of a run's checkpoints.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    run: RunId,
    token: FencingToken,
    config: Config,
}

impl Checkpoints {
    /// Those of the run in `run_folder`.
    #[must_use]
    pub fn new(run_folder: &Path, run: RunId, token: FencingToken, config: &Config) -> Self {
        Checkpoints { folder: run_folder.join("checkpoints"), run, token, config: config.clone() }
    }

    /// A checkpoint in memory.
    ///
    /// # Errors
    /// [`LearnerError::NotRestorable`].
    pub(crate) fn snapshot(&self, updater: &Updater, progress: &Progress) -> Result<Snapshot, LearnerError> {
        let files = contents(updater, progress)?;
        check_restorable(&files)?;
        let manifest = Manifest {
            schema: 1,
            run: self.run.to_string(),
            version: PolicyVersion { token: self.token, number: progress.version },
            environment_steps: progress.environment_steps,
            validation: progress.validation,
            observation: schema_of(&self.config).digest().to_string(),
            config: self.config.clone(),
            files: std::collections::BTreeMap::new(),
        };
        Ok(Snapshot { manifest, files })
    }

    /// Writes a checkpoint as the best one.
    ///
    /// # Errors
    /// [`LearnerError::Policy`] when the disk refuses.
    pub(crate) fn write_best(&self, best: &Snapshot) -> Result<(), LearnerError> {
        Ok(write_checkpoint(&self.folder.join("best"), best.manifest.clone(), &best.files)?)
    }

    /// Writes a checkpoint under its version's number; then deletes old ones.
    ///
    /// # Errors
    /// [`LearnerError::Policy`] when the disk refuses.
    pub(crate) fn write(&self, snapshot: &Snapshot) -> Result<(), LearnerError> {
        let Snapshot { manifest, files } = snapshot;
        write_checkpoint(&self.folder.join(folder_name(manifest.version.number)), manifest.clone(), files)?;
        for number in superseded(&self.numbers(), self.config.learner.keep_checkpoints) {
            let old = self.folder.join(folder_name(number));
            if let Err(error) = fs::remove_dir_all(&old) {
                tracing::warn!(checkpoint = %old.display(), %error, "an old checkpoint stays");
            }
        }
        Ok(())
    }

    /// Restores the newest checkpoint that is whole; `None` where there is none at all. A damaged one is named in the
    /// log and skipped.
    ///
    /// # Errors
    /// The newest one's error when every checkpoint is damaged or of other networks.
    pub fn restore(&self, updater: &mut Updater) -> Result<Option<Progress>, LearnerError> {
        let mut newest_error = None;
        for number in self.numbers().into_iter().rev() {
            let folder = self.folder.join(folder_name(number));
            match open(&folder, updater) {
                Ok(progress) => {
                    tracing::info!(checkpoint = %folder.display(), steps = progress.environment_steps, "resumed");
                    return Ok(Some(progress));
                }
                Err(error) => {
                    tracing::error!(%error, "a checkpoint cannot be used; trying the one before");
                    newest_error.get_or_insert(error);
                }
            }
        }
        newest_error.map_or(Ok(None), Err)
    }

    fn numbers(&self) -> Vec<u64> {
        numbers(&self.folder)
    }
}

/// Refuses a run folder that holds no checkpoint. It changes nothing.
///
/// # Errors
/// [`LearnerError::NothingToResume`] where there is no such folder or no checkpoint in it.
pub fn check_resumable(run_folder: &Path) -> Result<(), LearnerError> {
    let nothing = |why| Err(LearnerError::NothingToResume { folder: run_folder.display().to_string(), why });
    if !run_folder.is_dir() {
        return nothing("there is no such folder");
    }
    if !holds_checkpoint(run_folder) {
        return nothing("it holds no checkpoint");
    }
    Ok(())
}

/// Whether a run folder holds a checkpoint, whole or not: something was trained in it.
pub(crate) fn holds_checkpoint(run_folder: &Path) -> bool {
    !numbers(&run_folder.join("checkpoints")).is_empty()
}

/// The newest checkpoint of a run folder.
pub(crate) fn newest_checkpoint(run_folder: &Path) -> Option<PathBuf> {
    let folder = run_folder.join("checkpoints");
    numbers(&folder).last().map(|number| folder.join(folder_name(*number)))
}

/// The versions whose checkpoints lie in `folder`, ascending.
fn numbers(folder: &Path) -> Vec<u64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers: Vec<u64> = names.filter_map(|name| name.strip_prefix('v')?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// Sorts as its number does.
fn folder_name(number: u64) -> String {
    format!("v{number:08}")
}

/// Which of the sorted `numbers` are no longer among the `keep` newest.
fn superseded(numbers: &[u64], keep: usize) -> Vec<u64> {
    numbers[..numbers.len().saturating_sub(keep)].to_vec()
}

/// Every file of a checkpoint.
pub(crate) fn contents(
    updater: &Updater,
    progress: &Progress,
) -> Result<Vec<(&'static str, Vec<u8>)>, LearnerError> {
    let state = serde_json::to_vec_pretty(progress)
        .map_err(|error| LearnerError::Config(format!("the learner's state cannot be written: {error}")))?;
    let header: Vec<_> = progress.preference.iter().map(preference_header).collect();
    let optimizer = |adam: &Adam, parameters: &Parameters| encode_tensors(&adam.state(parameters), &[]);
    let mut files = vec![
        (POLICY, updater.networks.kept_policy().parameters().to_bytes(&header)?),
        ("value.safetensors", updater.networks.value.parameters().to_bytes(&[])?),
        ("target_policy.safetensors", updater.networks.target_policy.parameters().to_bytes(&[])?),
        ("target_value.safetensors", updater.networks.target_value.parameters().to_bytes(&[])?),
        (
            "policy_optimizer.safetensors",
            optimizer(&updater.optimisers.policy, updater.networks.policy.parameters())?,
        ),
        (
            "value_optimizer.safetensors",
            optimizer(&updater.optimisers.value, updater.networks.value.parameters())?,
        ),
        (STATE, state),
    ];
    if updater.networks.averages() {
        files.push((LEARNING_POLICY, updater.networks.policy.parameters().to_bytes(&[])?));
    }
    Ok(files)
}

/// Refuses what could not be restored: a state that does not read back, or tensors that are not finite.
fn check_restorable(files: &[(&str, Vec<u8>)]) -> Result<(), LearnerError> {
    for (name, bytes) in files {
        let is_sound = if *name == STATE {
            // A number that is not finite has no JSON, and reads back as an error.
            serde_json::from_slice::<Progress>(bytes).is_ok()
        } else {
            decode_tensors(bytes)?.iter().all(|(_, tensor)| tensor.isfinite().all().int64_value(&[]) != 0)
        };
        if !is_sound {
            return Err(LearnerError::NotRestorable { file: (*name).to_owned() });
        }
    }
    Ok(())
}

/// Restores the checkpoint in `folder`.
pub(crate) fn open(folder: &Path, updater: &mut Updater) -> Result<Progress, LearnerError> {
    let checkpoint = Checkpoint::open(folder)?;
    restore_from(|name| Ok(checkpoint.file(name)?), updater).map_err(|error| match error {
        LearnerError::State(error) => {
            let message = format!(
                "written by another version of Longshore ({error}); go on with the version that wrote it, or use another \
                 run folder"
            );
            policy::PolicyError::Checkpoint { path: folder.join(STATE), message }.into()
        }
        other => other,
    })
}

/// Takes over the state that the files of a checkpoint hold.
pub(crate) fn restore_from<'a>(
    file: impl Fn(&str) -> Result<&'a [u8], LearnerError>,
    updater: &mut Updater,
) -> Result<Progress, LearnerError> {
    let progress: Progress = serde_json::from_slice(file(STATE)?).map_err(LearnerError::State)?;
    let read =
        |parameters: &Parameters, name: &str| Ok::<_, LearnerError>(parameters.read_bytes(file(name)?)?);
    read(updater.networks.kept_policy().parameters(), POLICY)?;
    if updater.networks.averages() {
        read(updater.networks.policy.parameters(), LEARNING_POLICY)?;
    }
    read(updater.networks.value.parameters(), "value.safetensors")?;
    read(updater.networks.target_policy.parameters(), "target_policy.safetensors")?;
    read(updater.networks.target_value.parameters(), "target_value.safetensors")?;
    let state = |name: &str| Ok::<_, LearnerError>(decode_tensors(file(name)?)?);
    updater
        .optimisers
        .policy
        .restore(updater.networks.policy.parameters(), &state("policy_optimizer.safetensors")?)?;
    updater
        .optimisers
        .value
        .restore(updater.networks.value.parameters(), &state("value_optimizer.safetensors")?)?;
    updater.rounds = progress.rounds;
    updater.scales = progress.scales.clone();
    Ok(progress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ExitStatus as _;
    use configuration::parse;
    use telemetry::Health;

    use crate::saving::Saver;

    fn updater(seed: u64) -> (Config, Updater) {
        let text = format!(
            "schema = 1\nname = \"t\"\nseed = {seed}\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 8\nheads = 2\n\
             layers = 1\n[learner]\nkeep_checkpoints = 2"
        );
        let config = parse(&text, "test", &[]).unwrap();
        let updater = Updater::new(&schema_of(&config), &config, tch::Device::Cpu);
        (config, updater)
    }

    fn save(
        checkpoints: &Checkpoints,
        updater: &Updater,
        progress: &Progress,
        is_best: bool,
    ) -> Result<(), LearnerError> {
        Saver::new(checkpoints.clone(), Health::new()).save_at_last(updater, progress, is_best)
    }

    fn sum(parameters: &Parameters) -> f64 {
        parameters.named().iter().map(|(_, value)| value.sum(tch::Kind::Double).double_value(&[])).sum()
    }

    #[test]
    fn the_newest_whole_checkpoint_comes_back_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let (config, first) = updater(1);
        let checkpoints = Checkpoints::new(folder.path(), RunId([1; 16]), FencingToken(1), &config);
        for version in 1..=4 {
            let progress = Progress { version, rounds: version, ..Progress::default() };
            save(&checkpoints, &first, &progress, version == 2).unwrap();
        }
        assert_eq!(checkpoints.numbers(), vec![3, 4]);
        // The newest is truncated: it is passed over.
        let damaged = folder.path().join("checkpoints/v00000004/policy.safetensors");
        let bytes = fs::read(&damaged).unwrap();
        fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
        let (_, mut second) = updater(2);
        assert_ne!(sum(first.networks.policy.parameters()), sum(second.networks.policy.parameters()));
        let progress = checkpoints.restore(&mut second).unwrap().unwrap();
        assert_eq!((progress.version, second.rounds), (3, 3));
        assert_eq!(sum(first.networks.policy.parameters()), sum(second.networks.policy.parameters()));
        // Both damaged: an error that names the newest one's file.
        fs::remove_file(folder.path().join("checkpoints/v00000003/manifest.json")).unwrap();
        let error = checkpoints.restore(&mut second).unwrap_err();
        assert!(error.to_string().contains("v00000004/policy.safetensors"), "{error}");
        assert_eq!(error.exit_code(), common::ExitCode::Checkpoint);
        let best = Checkpoint::open(&folder.path().join("checkpoints/best")).unwrap();
        assert_eq!(best.manifest.version.number, 2);
    }

    #[test]
    fn the_mean_of_the_weights_is_kept_and_what_learns_comes_back_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut config, _) = updater(1);
        config.learner.average_decay = 0.75;
        let schema = schema_of(&config);
        let new = || Updater::new(&schema, &config, tch::Device::Cpu);
        let learnt = new();
        let before = sum(learnt.networks.policy.parameters());
        let _ =
            tch::no_grad(|| learnt.networks.policy.parameters().values().shallow_clone().g_add_scalar_(1.0));
        learnt.networks.average().unwrap();
        let named = learnt.networks.policy.parameters().named();
        let weights = named.iter().map(|(_, value)| value.numel()).sum::<usize>() as f64;
        let kept = sum(learnt.networks.kept_policy().parameters());
        assert!((kept - before - 0.25 * weights).abs() < 1e-3 * weights, "{kept} after {before}");
        let checkpoints = Checkpoints::new(folder.path(), RunId([1; 16]), FencingToken(1), &config);
        save(&checkpoints, &learnt, &Progress { version: 1, ..Progress::default() }, true).unwrap();
        let mut restored = new();
        checkpoints.restore(&mut restored).unwrap().unwrap();
        let bytes = |one: &Updater| {
            [&one.networks.policy, one.networks.kept_policy()]
                .map(|network| network.parameters().to_bytes(&[]).unwrap())
        };
        assert!(bytes(&restored) == bytes(&learnt) && bytes(&restored)[0] != bytes(&restored)[1]);
    }

    #[test]
    fn a_policy_of_other_features_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (config, first) = updater(1);
        let checkpoints = Checkpoints::new(folder.path(), RunId([1; 16]), FencingToken(1), &config);
        save(&checkpoints, &first, &Progress { version: 1, ..Progress::default() }, true).unwrap();
        let best = folder.path().join("checkpoints/best");
        let manifest = best.join("manifest.json");
        let text = fs::read_to_string(&manifest).unwrap();
        let here = Checkpoint::open(&best).unwrap().manifest.observation;
        fs::write(&manifest, text.replace(&here, &"ab".repeat(here.len() / 2))).unwrap();
        let error = Checkpoint::open(&best).unwrap_err();
        assert_eq!(error.exit_code(), common::ExitCode::Checkpoint);
        for words in ["schema abababab", &here[..8], "train it again"] {
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn what_could_not_be_restored_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let (config, updater) = updater(1);
        let checkpoints = Checkpoints::new(folder.path(), RunId([1; 16]), FencingToken(1), &config);
        save(&checkpoints, &updater, &Progress { version: 1, ..Progress::default() }, true).unwrap();
        let progress = Progress { version: 2, validation: Some(1.0), ..Progress::default() };
        let broken = Progress { wall_seconds: f64::NAN, ..progress.clone() };
        let error = save(&checkpoints, &updater, &broken, true).unwrap_err();
        assert!(error.to_string().contains("learner.json"), "{error}");
        let _ = tch::no_grad(|| {
            updater.networks.value.parameters().values().shallow_clone().f_fill_(f64::INFINITY)
        });
        let error = save(&checkpoints, &updater, &progress, true).unwrap_err();
        assert!(error.to_string().contains("not finite"), "{error}");
        assert_eq!(error.exit_code(), common::ExitCode::Diverged);
        assert_eq!(checkpoints.numbers(), [1]);
        assert_eq!(
            Checkpoint::open(&folder.path().join("checkpoints/best")).unwrap().manifest.version.number,
            1
        );
    }

    #[test]
    fn an_empty_folder_is_a_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        let (config, mut updater) = updater(1);
        let checkpoints = Checkpoints::new(folder.path(), RunId([1; 16]), FencingToken(1), &config);
        assert_eq!(checkpoints.restore(&mut updater).unwrap(), None);
    }
}
