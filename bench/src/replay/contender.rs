//! The services that are compared.

use std::path::{Path, PathBuf};

use anyhow::Result;
use configuration::Durability;

use super::load::Load;
use super::plan::{Case, Plan};
use super::reverb::Reverb;
use super::service::{Keeps, Service};
use super::shards::Shards;

/// A service that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Replay shards of this project.
    Longshore {
        /// When it acknowledges.
        durability: Durability,
        /// Number of shard processes.
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

/// The services that take part in a case.
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
