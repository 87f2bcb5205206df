//! Who is compared.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use configuration::Durability;

use super::load::Load;
use super::plan::{Case, Plan};
use super::process::Process;
use super::reverb::Reverb;
use super::shards::Shards;

/// Which items a table keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Keeps {
    /// The newest: what was written together dies together, and nothing is ever cleaned.
    #[default]
    Newest,
    /// Each for a time of its own, drawn from an exponential distribution: segments die by halves.
    Mixed,
}

/// A service that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contender {
    /// This project's.
    Longshore {
        /// When it acknowledges.
        durability: Durability,
        /// Processes.
        shards: usize,
        /// Which items it keeps.
        keeps: Keeps,
    },
    /// DeepMind Reverb, with the Python of its environment.
    Reverb(PathBuf),
}

impl Contender {
    /// As figures show it.
    #[must_use]
    pub fn name(&self) -> String {
        let Contender::Longshore { durability, shards, keeps } = self else { return "reverb".to_owned() };
        let mut name = match durability {
            Durability::Memory => "longshore-memory".to_owned(),
            Durability::Disk => "longshore-disk".to_owned(),
        };
        if *shards > 1 {
            name += &format!("-{shards}-shards");
        }
        if *keeps == Keeps::Mixed {
            name += "-cleaning";
        }
        name
    }

    /// Whether it is this project's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Contender::Longshore { .. })
    }

    pub(super) fn start(&self, plan: &Plan, load: Load) -> Result<Box<dyn Service>> {
        Ok(match self {
            Contender::Longshore { durability, shards, keeps } => {
                Box::new(Shards::start(plan, load, *durability, *shards, *keeps)?)
            }
            Contender::Reverb(python) => Box::new(Reverb::start(python, load)?),
        })
    }
}

/// Those that take part in a case.
#[must_use]
pub fn contenders(case: Case, shards: &[usize], peers: Option<&Path>) -> Vec<Contender> {
    let ours = |durability, shards, keeps| Contender::Longshore { durability, shards, keeps };
    if case == Case::Cleaning {
        return [Keeps::Newest, Keeps::Mixed].map(|keeps| ours(Durability::Disk, 1, keeps)).into();
    }
    let spread = |shards: &&usize| **shards == 1 || matches!(case, Case::Insert | Case::Sample);
    let of_count = |&shards: &usize| {
        [Durability::Memory, Durability::Disk].map(|durability| ours(durability, shards, Keeps::Newest))
    };
    let mut all: Vec<Contender> = shards.iter().filter(spread).flat_map(of_count).collect();
    all.extend(peers.map(|folder| Contender::Reverb(folder.join("reverb/bin/python"))));
    all
}

/// A service that has been started and holds nothing yet; it ends with this value.
pub(super) trait Service {
    /// Its processes.
    fn servers(&self) -> &[Process];
    /// Where their clients' complaints go.
    fn folder(&self) -> &Path;
    /// The process that fills it and then inserts for `seconds`, with `window` items not acknowledged at most.
    fn writer(&self, window: usize, seconds: f64) -> Command;
    /// The process that samples for `seconds`.
    fn sampler(&self, seconds: f64) -> Command;
    /// Bytes that it has copied so far, to free its disk of what is dead.
    fn cleaned_bytes(&self) -> Result<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_its_contenders() {
        let names = |case| -> Vec<String> {
            contenders(case, &[1, 2], Some(Path::new("peers"))).iter().map(Contender::name).collect()
        };
        let all = [
            "longshore-memory",
            "longshore-disk",
            "longshore-memory-2-shards",
            "longshore-disk-2-shards",
            "reverb",
        ];
        assert_eq!(names(Case::Insert), all);
        assert_eq!(names(Case::Both), ["longshore-memory", "longshore-disk", "reverb"]);
        assert_eq!(names(Case::Cleaning), ["longshore-disk", "longshore-disk-cleaning"]);
    }
}
