//! The run folder: who the run is, which life of its learner this is, and what was asked for.
//!
//! `lock` (held while a learner lives), `run.json` (run id, epoch, seed, revision), `config.toml` (effective), `metrics.jsonl`,
//! `tensorboard/`, `checkpoints/`, `report/`.

use std::fs;
use std::path::{Path, PathBuf};

use common::RunSeed;
use common::config::{Config, parse};
use common::ids::{LearnerEpoch, RunId};
use durable::{FolderLock, atomic_write};
use serde::{Deserialize, Serialize};

use crate::LearnerError;

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Layout of the file; 1.
    pub schema: u32,
    /// The run, in hex.
    pub run: String,
    /// Starts of a learner on this folder so far: the fencing epoch.
    pub epoch: LearnerEpoch,
    /// The run's seed.
    pub seed: RunSeed,
    /// Commit that the learner was built from.
    pub revision: String,
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
    /// Makes or reopens `path` and begins a new epoch.
    ///
    /// # Errors
    /// [`LearnerError::Config`] when its networks are others than those that `config` asks for, [`LearnerError::Durable`] when
    /// another learner holds it, [`LearnerError::File`] when it cannot be written.
    pub fn open(path: &Path, config: &Config) -> Result<Self, LearnerError> {
        check_networks(&path.join("config.toml"), config)?;
        fs::create_dir_all(path.join("checkpoints")).map_err(|source| file_error(path, source))?;
        let lock = FolderLock::take(path)?;
        let file = path.join("run.json");
        let mut record = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| LearnerError::Config(format!("{}: {error}", file.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => new_record(config),
            Err(source) => return Err(file_error(&file, source)),
        };
        record.epoch.0 += 1;
        record.revision = env!("LONGSHORE_REVISION").to_owned();
        let run = record
            .run
            .parse()
            .map_err(|error| LearnerError::Config(format!("{}: key `run`: {error}", file.display())))?;
        let text = serde_json::to_vec_pretty(&record)
            .map_err(|error| LearnerError::Config(format!("{}: {error}", file.display())))?;
        atomic_write(&file, &text)?;
        let effective = toml::to_string(config)
            .map_err(|error| LearnerError::Config(format!("the configuration cannot be written: {error}")))?;
        atomic_write(&path.join("config.toml"), effective.as_bytes())?;
        Ok(RunFolder { path: path.to_owned(), record, run, _lock: lock })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// This learner's fencing epoch.
    #[must_use]
    pub fn epoch(&self) -> LearnerEpoch {
        self.record.epoch
    }
}

/// Checkpoints of a run can only be gone on from with networks of their shape. What `file` says is left alone where this version
/// cannot read it: the checkpoints say then what does not fit.
fn check_networks(file: &Path, config: &Config) -> Result<(), LearnerError> {
    let Ok(text) = fs::read_to_string(file) else { return Ok(()) };
    let Ok(before) = parse(&text, &file.display().to_string(), &[]) else { return Ok(()) };
    let shape = |config: &Config| {
        let (simulator, policy) = (&config.simulator, &config.policy);
        [
            ("simulator.scenario", simulator.scenario.to_string()),
            ("simulator.serverless.size_multiples", format!("{:?}", simulator.serverless.size_multiples)),
            ("policy.width", policy.width.to_string()),
            ("policy.heads", policy.heads.to_string()),
            ("policy.layers", policy.layers.to_string()),
            ("policy.value_layers", policy.value_layers.to_string()),
        ]
    };
    match shape(&before).into_iter().zip(shape(config)).find(|(before, now)| before != now) {
        None => Ok(()),
        Some(((key, before), (_, now))) => Err(LearnerError::Config(format!(
            "{}: this run was made with {key} = {before}, and {now} is asked for; a run keeps its networks: ask for what it has, or name \
             another run folder",
            file.display()
        ))),
    }
}

fn new_record(config: &Config) -> RunRecord {
    RunRecord {
        schema: 1,
        run: RunId(rand::random()).to_string(),
        epoch: LearnerEpoch(0),
        seed: config.seed,
        revision: String::new(),
    }
}

/// An I/O error with the file's name.
pub(crate) fn file_error(path: &Path, source: std::io::Error) -> LearnerError {
    LearnerError::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::config::parse;

    #[test]
    fn a_reopened_folder_keeps_its_run_and_counts_its_epochs() {
        let folder = tempfile::tempdir().unwrap();
        let text = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"slots\"\n";
        let config = parse(text, "test", &[]).unwrap();
        let first = RunFolder::open(folder.path(), &config).unwrap();
        assert!(matches!(RunFolder::open(folder.path(), &config), Err(LearnerError::Durable(_))));
        let (run, epoch) = (first.run(), first.epoch());
        drop(first);
        let second = RunFolder::open(folder.path(), &config).unwrap();
        assert_eq!((second.run(), second.epoch().0), (run, epoch.0 + 1));
        let written = fs::read_to_string(folder.path().join("config.toml")).unwrap();
        assert_eq!(parse(&written, "written", &[]).unwrap(), config);
    }
}
