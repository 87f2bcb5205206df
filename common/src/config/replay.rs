use std::collections::BTreeMap;

use garde::Validate;
use serde::{Deserialize, Serialize};

use super::table_checks::{FRESH, REPLAYED, sound_names};
use super::{LearnerConfig, RemoverConfig, SamplerConfig, TableConfig};

/// How a replay shard stores and samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayConfig {
    /// Shards that `longshore train` starts in its own process.
    #[garde(range(min = 1, max = 256))]
    pub shards: usize,
    /// Trajectories one shard holds; the oldest goes first.
    #[garde(range(min = 1))]
    pub max_items: usize,
    /// Bytes of trajectories one shard holds, in MiB; the oldest goes first.
    #[garde(range(min = 1))]
    pub max_mib: usize,
    /// Trajectories that one actor may have on the way to one shard, unacknowledged. What actors may run ahead beyond
    /// `max_waiting_steps` is bounded by this, times actors, times `actor.unroll`.
    #[garde(range(min = 1, max = 65_536))]
    pub credits: u32,
    /// Steps that may wait, never sampled, in one shard before it withholds credits, so that actors do not run far
    /// ahead of the learner. A learner that waits for more is served all the same.
    #[garde(range(min = 1))]
    pub max_waiting_steps: u64,
    /// Uniform sampling begins when this many trajectories are stored.
    #[garde(range(min = 1))]
    pub min_items: usize,
    /// The tables of every shard by name, `[replay.tables.NAME]`; without any, those of [`ReplayConfig::tables_for`].
    #[garde(dive, custom(sound_names))]
    pub tables: BTreeMap<String, TableConfig>,
    /// What a shard of its own process binds, where it is not its entry in `transport.shards` (e.g. `tcp://0.0.0.0:7710`).
    #[garde(skip)]
    pub bind: Option<String>,
    /// Where a shard's service listens for health checks and metrics, e.g. `127.0.0.1:9110`; none by default.
    #[garde(skip)]
    pub metrics_address: Option<String>,
}

impl ReplayConfig {
    /// The tables that shards have. Without `replay.tables`: `fresh`, a queue that gives each trajectory once, and where the
    /// learner replays, `replayed`, out of which it samples uniformly.
    #[must_use]
    pub fn tables_for(&self, learner: &LearnerConfig) -> BTreeMap<String, TableConfig> {
        if !self.tables.is_empty() {
            return self.tables.clone();
        }
        let queue = TableConfig::new(SamplerConfig::Fifo, RemoverConfig::TimesSampled(1));
        let fresh = TableConfig { samples_per_insert: Some(1.0), ..queue };
        let mut tables = BTreeMap::from([(FRESH.to_owned(), fresh)]);
        if learner.replayed_share > 0.0 {
            let replayed = TableConfig::new(SamplerConfig::Uniform, RemoverConfig::Fifo);
            tables.insert(REPLAYED.to_owned(), replayed);
        }
        tables
    }
}

impl Default for ReplayConfig {
    fn default() -> Self {
        ReplayConfig {
            shards: 2,
            max_items: 100_000,
            max_mib: 512,
            credits: 8,
            max_waiting_steps: 8192,
            min_items: 1,
            tables: BTreeMap::new(),
            bind: None,
            metrics_address: None,
        }
    }
}
