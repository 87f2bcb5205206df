use garde::Validate;
use serde::{Deserialize, Serialize};

/// How a replay shard stores and samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayConfig {
    /// Shards that `longshore train` starts in its own process.
    #[garde(range(min = 1, max = 256))]
    pub shards: usize,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        ReplayConfig { shards: 2 }
    }
}
