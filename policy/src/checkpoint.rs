//! Checkpoints: a folder of files that appears whole or not at all, with a manifest that holds the hash of each.
//!
//! A checkpoint is read only after every file was found with the length and SHA-256 that the manifest says, so a
//! truncated or altered one is refused with the file's name.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use common::RunSeed;
use common::folder_file::{open_within, read_within};
use common::ids::{Digest, PolicyVersion, RunId};
use common::name::printable;
use configuration::{Config, bring_up_to_date, check_values};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Behaviour, PolicyError, PolicyNetwork, PolicyScheduler, schema_of};

const MANIFEST: &str = "manifest.json";
/// Bytes of a manifest. Its configuration lists every node of a cluster.
const LARGEST_MANIFEST: u64 = 64 << 20;
/// Files of a checkpoint.
const MOST_FILES: usize = 64;
/// Bytes of one of them, and of all together.
const LARGEST_FILE: u64 = 4 << 30;
const LARGEST_CHECKPOINT: u64 = 16 << 30;
/// The file of the policy network's weights in every checkpoint.
const POLICY: &str = "policy.safetensors";

/// Length and hash of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Length of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

/// The description of a checkpoint, stored as `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest's format; always 1.
    pub schema: u32,
    /// The run's id, in hex.
    #[serde(deserialize_with = "run_id")]
    pub run: String,
    /// Version of the policy's weights.
    pub version: PolicyVersion,
    /// Number of environment steps that the run has learnt from so far.
    pub environment_steps: u64,
    /// Score on the validation seeds (lower is better), where it was evaluated.
    pub validation: Option<f64>,
    /// Digest of the observation schema, in hex.
    #[serde(deserialize_with = "digest")]
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
    let entry = |bytes: &[u8]| FileEntry { bytes: bytes.len() as u64, sha256: Digest::of(bytes) };
    manifest.files = files.iter().map(|(name, bytes)| ((*name).to_owned(), entry(bytes))).collect();
    let fail = |message: String| PolicyError::Checkpoint { path: folder.to_owned(), message };
    check_files(&manifest).map_err(|(key, message)| fail(format!("cannot be written: `{key}` {message}")))?;
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
        let fail = |name: &str, message: String| PolicyError::Checkpoint { path: folder.join(name), message };
        let text = read_within(folder, MANIFEST, LARGEST_MANIFEST)
            .map_err(|error| fail(MANIFEST, error.to_string()))?;
        let manifest = read_manifest(&text).map_err(|message| fail(MANIFEST, message))?;
        check_observation(&manifest)
            .map_err(|message| PolicyError::Checkpoint { path: folder.to_owned(), message })?;
        let mut contents = BTreeMap::new();
        for (name, entry) in &manifest.files {
            let bytes = read_file(folder, name, entry).map_err(|message| fail(name, message))?;
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

/// Reads a file of a checkpoint, no more of it than its entry says, and compares both.
fn read_file(folder: &Path, name: &str, entry: &FileEntry) -> Result<Vec<u8>, String> {
    let found = open_within(folder, name, LARGEST_FILE).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (length, file) = found.map_err(|error| error.to_string())?;
    if length != entry.bytes {
        let why = if length < entry.bytes { "truncated?" } else { "altered?" };
        return Err(format!("{length} bytes where the manifest says {}: {why}", entry.bytes));
    }
    let mut bytes = Vec::new();
    file.take(entry.bytes).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if Digest::of(&bytes) != entry.sha256 {
        return Err("its SHA-256 is not the manifest's: the file was altered".to_owned());
    }
    Ok(bytes)
}

/// Refuses what no run writes. Returns the key, and what is wrong with it.
fn check_files(manifest: &Manifest) -> Result<(), (String, String)> {
    let (files, mut all) = (&manifest.files, 0_u64);
    if files.len() > MOST_FILES {
        return Err(("files".to_owned(), format!("names {} files; at most {MOST_FILES}", files.len())));
    }
    for (name, entry) in files {
        let key = format!("files.{}", printable(name));
        if Path::new(name).file_name() != Some(name.as_ref()) || name == MANIFEST {
            let problem =
                "is no name of a file in the checkpoint's folder: such a one has no `/` and is not `..`";
            return Err((key, problem.to_owned()));
        }
        all = all.saturating_add(entry.bytes);
        if entry.bytes > LARGEST_FILE || all > LARGEST_CHECKPOINT {
            return Err((
                key,
                format!(
                    "has {} bytes, with which there are {all}; a file has at most {} GiB, a checkpoint at most {} GiB",
                    entry.bytes,
                    LARGEST_FILE >> 30,
                    LARGEST_CHECKPOINT >> 30
                ),
            ));
        }
    }
    Ok(())
}

/// Hex digits that are a digest.
fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Digest::deserialize(deserializer)?.to_string())
}

/// Hex digits that are the id of a run.
fn run_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let id: RunId = text.parse().map_err(|error| {
        D::Error::custom(format!("the id of a run has 32 hex digits, 0 to 9 and a to f ({error})"))
    })?;
    Ok(id.to_string())
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
    let manifest: Manifest = serde_path_to_error::deserialize(value).map_err(|error| {
        let key = error.path().to_string();
        let wrong = format!("`{}`: {}", printable(&key), printable(&error.inner().to_string()));
        if key.starts_with("config") {
            return format!(
                "written by another version of Longshore, whose configuration this one does not know ({wrong}); use the \
                 version that wrote it, or train anew"
            );
        }
        format!("no valid manifest: {wrong}")
    })?;
    check_values(&manifest.config).map_err(|wrong| format!("its configuration cannot be played: {wrong}"))?;
    check_files(&manifest).map_err(|(key, message)| format!("`{key}` {message}"))?;
    Ok(manifest)
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
