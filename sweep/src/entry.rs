//! What a journal holds: everything that was decided and everything that runs reported, in the order in which it happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::program::Configs;
use crate::space::Setting;

/// Values of metrics, by name.
pub type Values = BTreeMap<String, f64>;

/// A run: one trial with one seed. An evaluation trial has one run, number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId {
    /// Number of the trial.
    pub trial: u64,
    /// Number of the seed, from 0.
    pub seed: u32,
}

/// Number of the first seed of the comparison at the end; trials have those before it.
const FIRST_HELD_OUT: u32 = 1000;

impl RunId {
    /// Run `number` of a trial in the comparison at the end.
    #[must_use]
    pub fn held_out(trial: u64, number: u32) -> Self {
        RunId { trial, seed: FIRST_HELD_OUT + number }
    }

    /// Whether it is one of the comparison at the end.
    #[must_use]
    pub fn is_held_out(self) -> bool {
        self.seed >= FIRST_HELD_OUT
    }
}

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The study began with this file, or goes on with it.
    Study {
        /// The text of the study file.
        text: String,
        /// The texts of the configurations that it names.
        configs: Configs,
    },
    /// A trial came into being.
    Trial {
        /// Its number: trials are numbered from 0, and 0 is the baseline.
        trial: u64,
        /// Who chose it.
        origin: Origin,
        /// What it sets.
        setting: Setting,
        /// Where it goes on from, where it is a copy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copied_from: Option<CopiedFrom>,
    },
    /// A trial may spend what the rung says.
    Promoted {
        /// Number of the trial.
        trial: u64,
        /// Index of the rung.
        rung: usize,
    },
    /// A trial is ended early.
    Pruned {
        /// Number of the trial.
        trial: u64,
        /// Index of the rung at which it was too weak.
        rung: usize,
    },
    /// The comparison at the end begins: these trials run with held-out seeds.
    HeldOut {
        /// Numbers of the trials.
        trials: Vec<u64>,
    },
    /// A run is started, or started again.
    Started {
        /// The run.
        run: RunId,
        /// Counts the starts of the run from 1: the token that tells them apart.
        attempt: u32,
        /// What it is to have spent in the end.
        target: u64,
    },
    /// A run reported.
    Reported {
        /// The run.
        run: RunId,
        /// What it has spent.
        spent: u64,
        /// What it measured.
        values: Values,
    },
    /// A run ended, or was stopped.
    Ended {
        /// The run.
        run: RunId,
        /// Which of its starts.
        attempt: u32,
        /// How.
        how: End,
    },
}

/// Who chose a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The study itself: what it is compared with.
    Baseline,
    /// A person: `start` of the file, or `longshore sweep add-trial`.
    Person,
    /// The sampler.
    Sampler,
    /// Population-based training: a copy of a stronger trial with settings changed a little.
    Copy,
}

/// Where a copied trial goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedFrom {
    /// Number of the stronger trial.
    pub trial: u64,
    /// Index of the rung that both have completed.
    pub rung: usize,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum End {
    /// It has spent all that a run spends.
    Finished,
    /// It was stopped where it was to stop, and can go on.
    Paused,
    /// By its own fault.
    Failed {
        /// The exit status and what it means.
        why: String,
        /// The last lines of its log.
        log: String,
        /// Whether another start may go better.
        again: bool,
    },
    /// By the machine's fault: it is run again from its checkpoint.
    Lost {
        /// What happened.
        why: String,
    },
}
