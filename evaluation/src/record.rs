//! What is kept of one episode, in memory and as a line of `episodes.jsonl`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use common::trajectory::Scenario;
use serde::{Deserialize, Serialize};

use crate::decision_times::DecisionTimes;
use crate::metrics::{metrics_of, sums_of};

/// Buckets of an octave that slowdowns are kept in: 4% wide.
pub(crate) const PARTS: usize = 16;

/// Which episodes belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Workload; in `slots` the episode length, as `slots-50`.
    pub workload: Arc<str>,
    /// Offered load, percent.
    pub load: f64,
    /// Canonical name of the scheduler that played.
    pub scheduler: Arc<str>,
}

/// One finished episode.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRecord {
    /// Workload, load and scheduler of the episode.
    pub cell: Cell,
    /// Number of its seed; episodes of one number are the same for every scheduler.
    pub seed: u32,
    /// Each metric, in the order of [`metrics_of`].
    pub figures: Vec<f64>,
    /// Each sum, in the order of [`sums_of`].
    pub sums: Vec<f64>,
    /// Slowdowns as (lower edge, count), 16 buckets an octave; empty in `slots`.
    pub slowdowns: Vec<(f64, u64)>,
    /// Wall times of the decisions taken since the episode before it ended; the only part that does not repeat.
    pub decisions: DecisionTimes,
}

#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    workload: &'a str,
    load: f64,
    scheduler: &'a str,
    seed: u32,
    metrics: InOrder<'a>,
    sums: InOrder<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    slowdowns: &'a [(f64, u64)],
    decision_times: &'a DecisionTimes,
}

#[derive(Deserialize)]
struct Read<'a> {
    schema: u32,
    #[serde(borrow)]
    workload: Cow<'a, str>,
    load: f64,
    #[serde(borrow)]
    scheduler: Cow<'a, str>,
    seed: u32,
    #[serde(borrow)]
    metrics: HashMap<&'a str, Option<f64>>,
    #[serde(borrow)]
    sums: HashMap<&'a str, Option<f64>>,
    #[serde(default)]
    slowdowns: Vec<(f64, u64)>,
    #[serde(default)]
    decision_times: DecisionTimes,
}

/// Values by name, in a fixed order; what is not finite becomes null.
struct InOrder<'a>(Vec<(&'a str, f64)>);

impl Serialize for InOrder<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl EpisodeRecord {
    /// The record as one line of JSON, without its end.
    #[must_use]
    pub fn to_line(&self, scenario: Scenario) -> String {
        let metrics = metrics_of(scenario).iter().map(|metric| metric.key).zip(self.figures.iter().copied());
        let sums = sums_of(scenario).iter().copied().zip(self.sums.iter().copied());
        let written = Written {
            schema: 1,
            workload: &self.cell.workload,
            load: self.cell.load,
            scheduler: &self.cell.scheduler,
            seed: self.seed,
            metrics: InOrder(metrics.collect()),
            sums: InOrder(sums.collect()),
            slowdowns: &self.slowdowns,
            decision_times: &self.decisions,
        };
        serde_json::to_string(&written).expect("names and numbers can be written as JSON")
    }

    /// Reads a line; a metric that it lacks is NaN.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_line(line: &str, scenario: Scenario) -> Result<Self, String> {
        let read: Read<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if read.schema != 1 {
            return Err(format!("schema is {}; this version of Longshore reads schema 1", read.schema));
        }
        let value = |values: &HashMap<&str, Option<f64>>, key: &str| {
            values.get(key).copied().flatten().unwrap_or(f64::NAN)
        };
        let figures = metrics_of(scenario).iter().map(|metric| value(&read.metrics, metric.key)).collect();
        let sums = sums_of(scenario).iter().map(|key| value(&read.sums, key)).collect();
        Ok(EpisodeRecord {
            cell: Cell { workload: read.workload.into(), load: read.load, scheduler: read.scheduler.into() },
            seed: read.seed,
            figures,
            sums,
            slowdowns: read.slowdowns,
            decisions: read.decision_times,
        })
    }
}
