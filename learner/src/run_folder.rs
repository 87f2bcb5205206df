//! The run folder: the identity of a run, the number of its learner's life, and the configuration of each life.
//!
//! `lock` (held while a learner lives), `run.json` (run id, fencing token, seed, revision), `config.toml` (effective, of
//! the newest life), `lives/` (that of every life), `metrics.jsonl`, `tensorboard/`, `checkpoints/`, `report/`.

use std::fs;
use std::path::{Path, PathBuf};

use common::RunSeed;
use common::ids::{FencingToken, RunId};
use common::user_file::{read_bytes, read_text};
use configuration::{Config, parse_earlier};
use durable::{FolderLock, atomic_write, remove_leftovers};
use serde::{Deserialize, Serialize};

use crate::LearnerError;
use crate::changes::forbidden_changes;
use crate::checkpoints::holds_checkpoint;
use crate::other_runs::CopiedFrom;

/// Most bytes of `run.json`, and of a configuration: far more than either ever has.
const MOST_BYTES: u64 = 4 << 20;
/// Newest layout of `run.json`.
const RECORD_LAYOUT: u32 = 2;

/// Content of `run.json`, which identifies the run of a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Layout of the file; 2. In layout 1 the token was called `epoch`.
    pub schema: u32,
    /// The run, in hex.
    pub run: String,
    /// Starts of a learner on this folder so far, which is the fencing token of the newest.
    #[serde(alias = "epoch")]
    pub token: FencingToken,
    /// The run's seed.
    pub seed: RunSeed,
    /// Commit that the learner was built from.
    pub revision: String,
    /// The checkpoint that the run went on from, where it began as a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<CopiedFrom>,
}

/// An open run folder; no other learner can open it meanwhile.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    record: RunRecord,
    run: RunId,
    _lock: FolderLock,
}

impl RunFolder {
    /// Makes or reopens `path` and takes the next fencing token.
    ///
    /// # Errors
    /// As [`check_run_folder`]; [`LearnerError::Durable`] when another learner holds it, [`LearnerError::File`] when it cannot be
    /// written.
    pub fn open(path: &Path, config: &Config, init_from: Option<&Path>) -> Result<Self, LearnerError> {
        fs::create_dir_all(path.join("checkpoints")).map_err(|source| file_error(path, source))?;
        let lock = FolderLock::take(path)?;
        remove_leftovers(&path.join("checkpoints"))?;
        check_run_folder(path, config, init_from)?;
        let file = path.join("run.json");
        let mut record = match read_bytes(&file, MOST_BYTES) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| LearnerError::Config(format!("{}: {error}", file.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => new_record(config),
            Err(source) => return Err(file_error(&file, source)),
        };
        // Without a checkpoint nothing of what was trained is left: the run begins anew, with this seed.
        if record.seed != config.seed {
            record = RunRecord { token: record.token, ..new_record(config) };
        }
        record.schema = RECORD_LAYOUT;
        record.token.0 += 1;
        env!("LONGSHORE_REVISION").clone_into(&mut record.revision);
        let run = record
            .run
            .parse()
            .map_err(|error| LearnerError::Config(format!("{}: key `run`: {error}", file.display())))?;
        write_record(&file, &record)?;
        Ok(RunFolder { path: path.to_owned(), record, run, _lock: lock })
    }

    /// Writes the configuration that this life of the learner uses. A learner that finds its run finished does not call this, so
    /// that the folder keeps what the run was trained with.
    ///
    /// # Errors
    /// [`LearnerError::File`], [`LearnerError::Durable`].
    pub fn keep(&self, config: &Config) -> Result<(), LearnerError> {
        write_config(&self.path, self.record.token, config)
    }

    /// Notes which checkpoint the run goes on from.
    ///
    /// # Errors
    /// [`LearnerError::Durable`].
    pub(crate) fn note_copy(&mut self, from: CopiedFrom) -> Result<(), LearnerError> {
        self.record.copied_from = Some(from);
        write_record(&self.path.join("run.json"), &self.record)
    }

    /// Path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Id of the run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// This learner's fencing token.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.record.token
    }
}

/// Refuses a folder whose run was trained with another configuration than `config`, or that holds a run where `init_from` asks
/// for a fresh one. It changes nothing.
///
/// # Errors
/// [`LearnerError::OtherRun`], [`LearnerError::HoldsRun`], or [`LearnerError::Config`] where its configuration cannot be read.
pub fn check_run_folder(path: &Path, config: &Config, init_from: Option<&Path>) -> Result<(), LearnerError> {
    if !holds_checkpoint(path) {
        return Ok(());
    }
    if init_from.is_some() {
        return Err(LearnerError::HoldsRun { folder: path.display().to_string() });
    }
    let file = path.join("config.toml");
    let text = read_text(&file, MOST_BYTES).map_err(|source| file_error(&file, source))?;
    let before = parse_earlier(&text, &file.display().to_string()).map_err(|error| {
        LearnerError::Config(format!(
            "this version cannot tell what the run was trained with: {error}; go on with the version that made it, or name \
             another run folder"
        ))
    })?;
    let changes = forbidden_changes(&before, config);
    if changes.is_empty() {
        return Ok(());
    }
    Err(LearnerError::OtherRun { folder: path.display().to_string(), changes })
}

fn write_record(file: &Path, record: &RunRecord) -> Result<(), LearnerError> {
    let text = serde_json::to_vec_pretty(record)
        .map_err(|error| LearnerError::Config(format!("{}: {error}", file.display())))?;
    Ok(atomic_write(file, &text)?)
}

fn write_config(path: &Path, token: FencingToken, config: &Config) -> Result<(), LearnerError> {
    let effective = toml::to_string(config)
        .map_err(|error| LearnerError::Config(format!("the configuration cannot be written: {error}")))?;
    let lives = path.join("lives");
    fs::create_dir_all(&lives).map_err(|source| file_error(&lives, source))?;
    atomic_write(&lives.join(format!("{:04}.toml", token.0)), effective.as_bytes())?;
    atomic_write(&path.join("config.toml"), effective.as_bytes())?;
    Ok(())
}

fn new_record(config: &Config) -> RunRecord {
    RunRecord {
        schema: RECORD_LAYOUT,
        run: RunId(rand::random()).to_string(),
        token: FencingToken(0),
        seed: config.seed,
        revision: String::new(),
        copied_from: None,
    }
}

/// An I/O error with the file's name.
pub(crate) fn file_error(path: &Path, source: std::io::Error) -> LearnerError {
    LearnerError::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ExitStatus as _;
    use configuration::parse;

    #[test]
    fn a_reopened_folder_keeps_its_run_and_counts_its_lives() {
        let folder = tempfile::tempdir().unwrap();
        let text = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"slots\"\n";
        let config = parse(text, "test", &[]).unwrap();
        let first = RunFolder::open(folder.path(), &config, None).unwrap();
        assert!(matches!(RunFolder::open(folder.path(), &config, None), Err(LearnerError::Durable(_))));
        let (run, token) = (first.run(), first.token());
        drop(first);
        let second = RunFolder::open(folder.path(), &config, None).unwrap();
        second.keep(&config).unwrap();
        assert_eq!((second.run(), second.token().0), (run, token.0 + 1));
        let written = fs::read_to_string(folder.path().join("config.toml")).unwrap();
        assert_eq!(parse(&written, "written", &[]).unwrap(), config);
    }

    #[test]
    fn a_folder_of_layout_1_is_read_and_written_as_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let text = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"slots\"\n";
        let config = parse(text, "test", &[]).unwrap();
        let run = "0123456789abcdef0123456789abcdef";
        let early = format!(
            "{{\"schema\": 1, \"run\": \"{run}\", \"epoch\": 4, \"seed\": 3, \"revision\": \"early\"}}"
        );
        fs::write(folder.path().join("run.json"), early).unwrap();
        let opened = RunFolder::open(folder.path(), &config, None).unwrap();
        assert_eq!((opened.run().to_string(), opened.token().0), (run.to_owned(), 5));
        let version: common::ids::PolicyVersion =
            serde_json::from_str("{\"epoch\": 4, \"number\": 7}").unwrap();
        assert_eq!((version.token.0, version.number), (4, 7), "manifests of its checkpoints, too");
        let written = fs::read_to_string(folder.path().join("run.json")).unwrap();
        assert!(written.contains("\"token\": 5") && written.contains("\"schema\": 2"), "{written}");
    }

    #[test]
    fn the_configuration_of_every_life_is_kept_and_what_was_trained_stays() {
        let folder = tempfile::tempdir().unwrap();
        let text = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"slots\"\n";
        let with = |setting: &str| parse(text, "test", &[setting.to_owned()]).unwrap();
        let open = |config: &Config, init_from| {
            let opened = RunFolder::open(folder.path(), config, init_from)?;
            opened.keep(config).map(|()| opened)
        };
        // Nothing was trained yet: the seed may be another, and the record says so.
        drop(open(&with("seed=5"), None).unwrap());
        drop(open(&with("seed=4"), None).unwrap());
        let record = fs::read_to_string(folder.path().join("run.json")).unwrap();
        assert!(record.contains("\"seed\": 4"), "{record}");
        fs::create_dir(folder.path().join("checkpoints/v00000001")).unwrap();
        let changed = open(&with("seed=5"), None).unwrap_err();
        assert_eq!(changed.exit_code(), common::ExitCode::Config);
        let text = changed.to_string();
        assert!(text.contains("key `seed`: the run has 4, asked for is 5"), "{text}");
        let init = open(&with("seed=4"), Some(Path::new("elsewhere"))).unwrap_err();
        assert!(init.to_string().contains("--init-from"), "{init}");
        let longer = parse(text_of_longer(), "test", &[]).unwrap();
        drop(open(&longer, None).unwrap());
        let lives: Vec<Config> = (1..=3)
            .map(|token| folder.path().join(format!("lives/{token:04}.toml")))
            .map(|file| parse(&fs::read_to_string(file).unwrap(), "life", &[]).unwrap())
            .collect();
        assert_eq!(lives, [with("seed=5"), with("seed=4"), longer]);
    }

    fn text_of_longer() -> &'static str {
        "schema = 1\nname = \"t\"\nseed = 4\n[simulator]\nscenario = \"slots\"\n[learner]\nbudget_steps = 9000000\n"
    }
}
