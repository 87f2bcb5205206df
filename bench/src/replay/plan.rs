//! What is compared: cases, loads, and for how long.

use std::fmt;
use std::path::PathBuf;

use super::load::Load;

/// What is done to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Case {
    /// One process inserts as fast as it can.
    Insert,
    /// One process samples as fast as it can.
    Sample,
    /// Both at once.
    Both,
    /// One process inserts and waits for each acknowledgement.
    Latency,
    /// One process inserts, eight items ahead of acknowledgements, while a disk is cleaned, and while it is not.
    Cleaning,
}

impl Case {
    /// Whether it is for such items: small ones take minutes until a segment is worth cleaning.
    pub(super) fn takes(self, load: Load) -> bool {
        self != Case::Cleaning || load == Load::Trajectory
    }

    /// Whether anything is inserted while it is measured.
    #[must_use]
    pub fn inserts(self) -> bool {
        self != Case::Sample
    }

    /// Whether anything is sampled.
    #[must_use]
    pub fn samples(self) -> bool {
        matches!(self, Case::Sample | Case::Both)
    }

    /// Whether the time until an acknowledgement says something of the service, and not of a queue that is always full.
    #[must_use]
    pub fn has_latency(self) -> bool {
        self.window().is_some()
    }

    /// Items that its writer may have on the way; `None` as many as are fastest.
    pub(super) fn window(self) -> Option<usize> {
        match self {
            Case::Insert | Case::Sample | Case::Both => None,
            Case::Latency => Some(1),
            Case::Cleaning => Some(8),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Case::Insert => "insert",
            Case::Sample => "sample",
            Case::Both => "both",
            Case::Latency => "latency",
            Case::Cleaning => "cleaning",
        })
    }
}

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is done.
    pub cases: Vec<Case>,
    /// Kinds of load.
    pub loads: Vec<Load>,
    /// Numbers of shards.
    pub shards: Vec<usize>,
    /// How long a turn is measured, s.
    pub seconds: f64,
    /// Each contender's turns on one case; medians are over them.
    pub rounds: u32,
    /// Folder of the peers' environments (`reverb`); without it they are left out.
    pub peers: Option<PathBuf>,
    /// Where shards of durability `disk` write, in folders of their own that are removed afterwards.
    pub disk: PathBuf,
    /// This program; that of the shards lies beside it.
    pub program: PathBuf,
}
