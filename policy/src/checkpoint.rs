//! Checkpoints: a folder of files that appears whole or not at all, with a manifest that holds the hash of each.
//!
//! A checkpoint is read only after every file was found with the length and SHA-256 that the manifest says, so a
//! truncated or altered one is refused with the file's name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::RunSeed;
use common::ids::{Digest, PolicyVersion};
use configuration::{Config, bring_up_to_date};
use serde::{Deserialize, Serialize};

use crate::{Behaviour, PolicyError, PolicyNetwork, PolicyScheduler, schema_of};

const MANIFEST: &str = "manifest.json";
/// The file of the policy network's weights in every checkpoint.
const POLICY: &str = "policy.safetensors";

/// Length and hash of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Length of the file in bytes.
    pub bytes: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// The description of a checkpoint, stored as `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest's format; always 1.
    pub schema: u32,
    /// The run's id, in hex.
    pub run: String,
    /// Version of the policy's weights.
    pub version: PolicyVersion,
    /// Number of environment steps that the run has learnt from so far.
    pub environment_steps: u64,
    /// Score on the validation seeds (lower is better), where it was evaluated.
    pub validation: Option<f64>,
    /// Digest of the observation schema, in hex.
    pub observation: String,
    /// The run's effective configuration.
    pub config: Config,
    /// The files beside the manifest, by name.
    pub files: BTreeMap<String, FileEntry>,
}

/// A checkpoint whose files were all verified.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    /// The checkpoint's manifest.
    pub manifest: Manifest,
    contents: BTreeMap<String, Vec<u8>>,
}

/// Writes a checkpoint folder; `manifest.files` is filled in from `files`.
///
/// # Errors
/// [`PolicyError::Write`] when the disk refuses.
pub fn write_checkpoint(
    folder: &Path,
    mut manifest: Manifest,
    files: &[(&str, Vec<u8>)],
) -> Result<(), PolicyError> {
    let entry = |bytes: &[u8]| FileEntry { bytes: bytes.len() as u64, sha256: Digest::of(bytes).to_string() };
    manifest.files = files.iter().map(|(name, bytes)| ((*name).to_owned(), entry(bytes))).collect();
    let fail = |message: String| PolicyError::Checkpoint { path: folder.to_owned(), message };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| fail(error.to_string()))?;
    Ok(durable::atomic_folder(folder, |temporary| {
        for (name, bytes) in files {
            durable::write_file(&temporary.join(name), bytes)?;
        }
        durable::write_file(&temporary.join(MANIFEST), &text)
    })?)
}

impl Checkpoint {
    /// Opens a checkpoint folder and verifies every file.
    ///
    /// # Errors
    /// [`PolicyError::Checkpoint`] that names the file and what is wrong with it.
    pub fn open(folder: &Path) -> Result<Self, PolicyError> {
        let path = folder.join(MANIFEST);
        let fail = |path: &Path, message: String| PolicyError::Checkpoint { path: path.to_owned(), message };
        let text = fs::read(&path).map_err(|error| fail(&path, error.to_string()))?;
        let manifest = read_manifest(&text).map_err(|message| fail(&path, message))?;
        check_observation(&manifest).map_err(|message| fail(folder, message))?;
        let mut contents = BTreeMap::new();
        for (name, entry) in &manifest.files {
            let path = folder.join(name);
            let bytes = fs::read(&path).map_err(|error| fail(&path, error.to_string()))?;
            if bytes.len() as u64 != entry.bytes {
                let message =
                    format!("{} bytes where the manifest says {}: truncated?", bytes.len(), entry.bytes);
                return Err(fail(&path, message));
            }
            if Digest::of(&bytes).to_string() != entry.sha256 {
                return Err(fail(
                    &path,
                    "its SHA-256 is not the manifest's: the file was altered".to_owned(),
                ));
            }
            contents.insert(name.clone(), bytes);
        }
        Ok(Checkpoint { folder: folder.to_owned(), manifest, contents })
    }

    /// The folder that holds the checkpoint.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The verified content of a file.
    ///
    /// # Errors
    /// [`PolicyError::Checkpoint`] where the checkpoint has no such file.
    pub fn file(&self, name: &str) -> Result<&[u8], PolicyError> {
        self.contents.get(name).map(Vec::as_slice).ok_or_else(|| PolicyError::Checkpoint {
            path: self.folder.clone(),
            message: format!("holds no {name}"),
        })
    }

    /// The policy as a scheduler that takes what it thinks best, with the preference that it was validated with.
    ///
    /// # Errors
    /// [`PolicyError`] where the weights do not fit the configuration in the manifest.
    pub fn scheduler(&self, name: &str) -> Result<PolicyScheduler, PolicyError> {
        let config = &self.manifest.config;
        let network = PolicyNetwork::new(&schema_of(config), &config.policy, RunSeed::default());
        let mut scheduler = PolicyScheduler::new(name, network, Behaviour::for_evaluation(&config.learner))?;
        scheduler.read_weights(self.file(POLICY)?)?;
        Ok(scheduler)
    }
}

/// Refuses a policy that was trained on states with other features than those that this version shows it: equal shapes would let
/// it be misread.
fn check_observation(manifest: &Manifest) -> Result<(), String> {
    let here = schema_of(&manifest.config).digest().to_string();
    if manifest.observation == here {
        return Ok(());
    }
    let short = |digest: &str| digest.chars().take(8).collect::<String>();
    Err(format!(
        "this policy was trained on states with other features (schema {}) than this version of Longshore has (schema {}); \
         train it again (`longshore train -c` with the `config.toml` of its run), or use the version that made it",
        short(&manifest.observation),
        short(&here),
    ))
}

fn read_manifest(text: &[u8]) -> Result<Manifest, String> {
    let mut value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| format!("no valid manifest: {error}"))?;
    let schema = value.get("schema").and_then(serde_json::Value::as_u64);
    match schema {
        Some(1) => {}
        Some(other) => return Err(format!("schema {other} where this version reads schema 1")),
        None => return Err("no valid manifest: key `schema` is missing".to_owned()),
    }
    if let Some(config) = value.get_mut("config") {
        bring_up_to_date(config);
    }
    Manifest::deserialize(value).map_err(|error| {
        format!(
            "written by another version of Longshore, whose configuration this one does not know ({error}); use the \
             version that wrote it, or train anew"
        )
    })
}

/// The checkpoint at `path`: `path` itself, or the best checkpoint of a run folder, or else its newest.
///
/// # Errors
/// [`PolicyError::Checkpoint`] where there is none.
pub fn find_checkpoint(path: &Path) -> Result<PathBuf, PolicyError> {
    if path.join(MANIFEST).is_file() {
        return Ok(path.to_owned());
    }
    let checkpoints = path.join("checkpoints");
    let best = checkpoints.join("best");
    if best.join(MANIFEST).is_file() {
        return Ok(best);
    }
    newest_checkpoint(&checkpoints).ok_or_else(|| {
        let message = if path.exists() {
            "is neither a checkpoint (a folder with manifest.json) nor a run folder with checkpoints/"
        } else {
            "there is no such folder; a run folder or a checkpoint is due"
        };
        PolicyError::Checkpoint { path: path.to_owned(), message: message.to_owned() }
    })
}

fn newest_checkpoint(checkpoints: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(checkpoints).ok()?;
    let complete = entries.flatten().map(|entry| entry.path()).filter(|path| path.join(MANIFEST).is_file());
    complete.filter(|path| path.extension().is_none()).max()
}
