//! What a results folder holds, as its `evaluation.json` says, and what contradicts it.

use std::path::Path;

use common::ids::Digest;
use common::name::printable;
use common::trajectory::Scenario;
use common::user_file::open_bounded;
use heuristics::canonical_name;
use serde::{Deserialize, Serialize};

/// What an evaluation was asked for, and of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of the folder; 1.
    pub schema: u32,
    /// Scenario of all workloads in the folder.
    pub scenario: Scenario,
    /// Version of Longshore that began it.
    pub version: String,
    /// Seed from which all episodes derive.
    pub seed: u64,
    /// Part of the workloads that is played.
    pub part: String,
    /// Largest number of seeds asked for so far.
    pub seeds: u32,
    /// Workloads, in the order in which they were first asked for.
    pub workloads: Vec<WorkloadEntry>,
    /// Schedulers, in the order in which they were first asked for.
    pub schedulers: Vec<SchedulerEntry>,
}

/// A workload of a results folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadEntry {
    /// Canonical name, unique in the folder.
    pub name: String,
    /// Digest of the configuration and its input files; see [`digest_of`].
    pub digest: Digest,
    /// The configuration, so that an episode can be replayed.
    pub config: serde_json::Value,
}

/// A scheduler of a results folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchedulerEntry {
    /// Canonical name, unique in the folder.
    pub name: String,
    /// Digest of its checkpoint, where it is learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Digest>,
}

impl Manifest {
    /// Takes in what `other` asks for beyond this.
    ///
    /// # Errors
    /// A text that says what contradicts.
    pub(crate) fn extend(&mut self, other: &Manifest) -> Result<(), String> {
        let same = |what: &str, here: &str, asked: &str| {
            if here == asked {
                return Ok(());
            }
            Err(format!("holds {what} {here}, and {asked} was asked for; use another folder"))
        };
        same("scenario", &self.scenario.to_string(), &other.scenario.to_string())?;
        same("seed", &self.seed.to_string(), &other.seed.to_string())?;
        same("part", &self.part, &other.part)?;
        for workload in &other.workloads {
            match self.workloads.iter().find(|one| one.name == workload.name) {
                None => self.workloads.push(workload.clone()),
                Some(known) if known.digest == workload.digest => {}
                Some(known) => return Err(differs(known, workload)),
            }
        }
        for scheduler in &other.schedulers {
            match self.schedulers.iter().find(|one| one.name == scheduler.name) {
                None => self.schedulers.push(scheduler.clone()),
                Some(known) if known.checkpoint == scheduler.checkpoint => {}
                Some(known) => {
                    return Err(format!(
                        "has results of another checkpoint of `{}`; use another folder, or name the checkpoint's folder \
                         in place of the run's",
                        printable(&known.name)
                    ));
                }
            }
        }
        self.seeds = self.seeds.max(other.seeds);
        Ok(())
    }

    /// Gives every rule its one name, however it was spelled when the folder was written.
    pub(crate) fn name_rules(&mut self) {
        let scenario = self.scenario;
        for entry in self.schedulers.iter_mut().filter(|entry| entry.checkpoint.is_none()) {
            if let Ok(name) = canonical_name(&entry.name, scenario) {
                entry.name = name;
            }
        }
        let mut names = std::collections::BTreeSet::new();
        self.schedulers.retain(|entry| names.insert(entry.name.clone()));
    }

    /// Whether a learnt policy is called so.
    pub(crate) fn is_learnt(&self, name: &str) -> bool {
        self.schedulers.iter().any(|entry| entry.name == name && entry.checkpoint.is_some())
    }

    /// Names of workloads and of schedulers, in their order.
    #[must_use]
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        let workloads = self.workloads.iter().map(|one| one.name.clone()).collect();
        (workloads, self.schedulers.iter().map(|one| one.name.clone()).collect())
    }
}

fn differs(known: &WorkloadEntry, asked: &WorkloadEntry) -> String {
    let mut keys = Vec::new();
    different_keys("", &known.config, &asked.config, &mut keys);
    let what = if keys.is_empty() {
        "a file that it names has another content".to_owned()
    } else {
        format!("these differ: {}", keys.join(", "))
    };
    format!(
        "has results of another configuration named `{}` ({what}); give the configuration another name, or use another \
         folder",
        asked.name
    )
}

fn different_keys(path: &str, one: &serde_json::Value, other: &serde_json::Value, keys: &mut Vec<String>) {
    use serde_json::Value::Object;
    let (Object(left), Object(right)) = (one, other) else {
        if one != other {
            keys.push(format!("`{path}`"));
        }
        return;
    };
    let all: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    for key in all {
        let key_shown = printable(key);
        let path = if path.is_empty() { key_shown } else { format!("{path}.{key_shown}") };
        let null = serde_json::Value::Null;
        different_keys(&path, left.get(key).unwrap_or(&null), right.get(key).unwrap_or(&null), keys);
    }
}

/// The digest of a configuration and of the content of every file that it names, wherever these lie.
#[must_use]
pub fn digest_of(config: &serde_json::Value) -> Digest {
    let mut config = config.clone();
    name_by_content(&mut config);
    Digest::of(config.to_string().as_bytes())
}

fn name_by_content(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => {
            let path = Path::new(text.as_str());
            // Of a file of any size little is held at once; what is no regular file may have no end.
            if let Ok(digest) = open_bounded(path, u64::MAX).and_then(Digest::of_reader) {
                *text = digest.to_string();
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(name_by_content),
        serde_json::Value::Object(values) => values.values_mut().for_each(name_by_content),
        _ => {}
    }
}
