//! A trial and its runs, as the journal says.

use std::collections::BTreeMap;

use crate::entry::{CopiedFrom, Origin, Values};
use crate::outcome::Outcome;
use crate::space::Setting;

/// A trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its number.
    pub number: u64,
    /// Who chose it.
    pub origin: Origin,
    /// What it sets.
    pub setting: Setting,
    /// Where it goes on from, where it is a copy.
    pub copied_from: Option<CopiedFrom>,
    /// The rung up to which it may go.
    pub rung: usize,
    /// The rung at which it was ended, if it was.
    pub pruned: Option<usize>,
    /// Its runs, by number of the seed.
    pub runs: BTreeMap<u32, Run>,
    /// What it came to at each rung that it has completed.
    pub outcomes: Vec<Outcome>,
}

/// A run of a trial with one seed.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// How often it was started.
    pub attempts: u32,
    /// How often it failed.
    pub failures: u32,
    /// How often it was lost.
    pub losses: u32,
    /// What it reported, by what it had spent.
    pub points: Vec<(u64, Values)>,
    /// What it does now.
    pub status: RunStatus,
    /// The last failure: why, and the end of the log.
    pub failure: Option<(String, String)>,
}

/// What a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunStatus {
    /// It waits for its start, or for going on.
    #[default]
    Waiting,
    /// It runs until it has spent this.
    Running(u64),
    /// It has spent all that a run spends.
    Finished,
    /// It failed too often.
    Failed,
}

/// What a trial does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialStatus {
    /// None of its runs runs; one will.
    Waiting,
    /// A run runs.
    Running,
    /// It has completed a rung and may be promoted.
    Paused,
    /// It was ended early.
    Pruned,
    /// It has completed the last rung.
    Finished,
    /// A run of it failed too often.
    Failed,
}

impl Run {
    /// What it has spent, as far as it reported.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.points.last().map_or(0, |(spent, _)| *spent)
    }

    /// Whether it has spent so much.
    #[must_use]
    pub fn has_spent(&self, spent: u64) -> bool {
        self.status == RunStatus::Finished || self.spent() >= spent
    }

    /// The reports from the first that has spent more than `since`; where there is none, the last one.
    pub(crate) fn points_since(&self, since: u64) -> &[(u64, Values)] {
        let first = self.points.partition_point(|(spent, _)| *spent <= since);
        &self.points[first.min(self.points.len().saturating_sub(1))..]
    }

    /// Notes a report, each point once: a coordinator that was killed may read one again.
    pub(crate) fn report(&mut self, spent: u64, values: &Values) {
        if self.points.last().is_none_or(|(last, _)| *last < spent) {
            self.points.push((spent, values.clone()));
        }
    }
}
