use std::collections::BTreeMap;
use std::path::PathBuf;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::addresses::{LinkAddress, MetricsAddress};
use crate::tables::sound_names;
use crate::{LearnerConfig, RemoverConfig, SamplerConfig, TableConfig};

/// The table that gives each trajectory once, oldest first: what the learner learns from first.
pub const FRESH_TABLE: &str = "fresh";
/// The table that trajectories are sampled from again and again: what the learner replays.
pub const REPLAYED_TABLE: &str = "replayed";

/// How a replay shard stores and samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayConfig {
    /// Shards that `longshore train` starts in its own process.
    #[garde(range(min = 1, max = 256))]
    pub shards: usize,
    /// Trajectories that one actor may have on the way to one shard, unacknowledged. What actors may run ahead beyond
    /// a table's `tolerance_steps` is bounded by this, times actors, times `actor.unroll`.
    #[garde(range(min = 1, max = 65_536))]
    pub credits: u32,
    /// The tables of every shard by name, `[replay.tables.NAME]`; without any, those of [`ReplayConfig::tables_for`].
    #[garde(dive, custom(sound_names))]
    pub tables: BTreeMap<String, TableConfig>,
    /// When a trajectory is acknowledged: `"disk"`, once it survives the crash of its shard and a loss of power; or `"memory"`,
    /// as soon as it came. Without it, shards of their own processes use `disk`, and those of `longshore train` `memory`.
    #[garde(skip)]
    pub durability: Option<Durability>,
    /// Where shards of durability `disk` keep their segments, each in a folder `shard-ID` of its own.
    #[garde(skip)]
    pub folder: PathBuf,
    /// A segment of this many MiB is full, and the next one begins.
    #[garde(range(min = 1, max = 4096))]
    pub segment_mib: u32,
    /// What a shard of its own process binds, where it is not its entry in `transport.shards` (e.g. `tcp://0.0.0.0:7710`).
    #[garde(skip)]
    pub bind: Option<LinkAddress>,
    /// Where a shard's service listens for health checks and metrics, e.g. `127.0.0.1:9110`; none by default.
    #[garde(skip)]
    pub metrics_address: Option<MetricsAddress>,
}

/// When a trajectory is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Once it is in the shard's memory.
    Memory,
    /// Once it is on the shard's disk.
    Disk,
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
        let mut tables = BTreeMap::from([(FRESH_TABLE.to_owned(), fresh)]);
        if learner.replayed_share > 0.0 {
            let replayed = TableConfig::new(SamplerConfig::Uniform, RemoverConfig::Fifo);
            tables.insert(REPLAYED_TABLE.to_owned(), replayed);
        }
        tables
    }
}

impl Default for ReplayConfig {
    fn default() -> Self {
        ReplayConfig {
            shards: 2,
            credits: 8,
            tables: BTreeMap::new(),
            durability: None,
            folder: PathBuf::from("replay-data"),
            segment_mib: 64,
            bind: None,
            metrics_address: None,
        }
    }
}
