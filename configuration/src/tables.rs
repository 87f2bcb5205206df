//! Tables of a replay shard.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MAX_TABLES: usize = 8;
const MAX_NAME: usize = 32;

/// A table of every replay shard. Every trajectory enters every table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// Which item is given out next: `"fifo"`, `"uniform"` or `{ prioritised = { exponent = 0.6 } }`.
    #[garde(skip)]
    pub sampler: SamplerConfig,
    /// Which item makes room: `"fifo"`, `"lowest_priority"` or `{ times_sampled = 1 }`.
    #[garde(custom(sound_remover))]
    #[serde(default)]
    pub remover: RemoverConfig,
    /// Items it holds.
    #[garde(range(min = 1, max = 1_000_000_000))]
    #[serde(default = "default_max_items")]
    pub max_items: usize,
    /// Bytes it holds, in MiB. An item of more than a quarter of it is not stored.
    #[garde(range(min = 1, max = 16_777_216))]
    #[serde(default = "default_max_mib")]
    pub max_mib: usize,
    /// Sampling begins with this many items; where fewer fill `max_mib`, when it is full.
    #[garde(range(min = 1, max = 1_000_000_000), custom(within_table(self.max_items)))]
    #[serde(default = "default_min_items")]
    pub min_items: usize,
    /// Steps that are to be sampled for each step that is inserted; without it the two go at their own paces.
    #[garde(inner(range(min = 1e-6, max = 1e6)), custom(within_limit(self.remover)))]
    #[schemars(range(min = 1e-6, max = 1e6))]
    pub samples_per_insert: Option<f64>,
    /// Steps by which samples may lag behind or run ahead of `samples_per_insert` × inserted steps. A learner that waits for
    /// more is served all the same.
    #[garde(range(min = 1, max = 1_000_000_000_000_000_u64))]
    #[serde(default = "default_tolerance_steps")]
    pub tolerance_steps: u64,
}

/// Which item of a table is given out next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SamplerConfig {
    /// The oldest; the same again until it leaves the table.
    Fifo,
    /// Any, each with the same probability.
    Uniform,
    /// Any, with a probability in proportion to its priority to the power of `exponent` (Schaul et al. 2016).
    Prioritised {
        /// 0 (all alike) to 4 (powers of `f32` beyond come near the ends of `f64`); 1 is in proportion.
        #[schemars(range(min = 0.0, max = 4.0))]
        exponent: f64,
    },
}

/// Which item leaves a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RemoverConfig {
    /// The oldest makes room.
    #[default]
    Fifo,
    /// The one of lowest priority makes room, the oldest among equals.
    LowestPriority,
    /// An item leaves once it was sampled so often; where there is no room, the most often sampled one leaves early, the oldest
    /// among equals.
    TimesSampled(u32),
}

impl TableConfig {
    /// A table of `sampler` and `remover` with the default bounds and no rate.
    #[must_use]
    pub fn new(sampler: SamplerConfig, remover: RemoverConfig) -> Self {
        TableConfig {
            sampler,
            remover,
            max_items: default_max_items(),
            max_mib: default_max_mib(),
            min_items: default_min_items(),
            samples_per_insert: None,
            tolerance_steps: default_tolerance_steps(),
        }
    }

    /// Bytes it holds.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        (self.max_mib as u64).saturating_mul(1 << 20)
    }
}

/// The id of a table in files: CRC32C of its name.
#[must_use]
pub fn table_id(name: &str) -> u32 {
    common::checksum::crc32c(name.as_bytes())
}

/// For `garde`: names of tables that people and ids can tell apart.
pub(crate) fn sound_names(tables: &BTreeMap<String, TableConfig>, _context: &()) -> garde::Result {
    if tables.len() > MAX_TABLES {
        return fail(format!("has {} tables; at most {MAX_TABLES} are possible", tables.len()));
    }
    let mut ids = BTreeMap::new();
    for name in tables.keys() {
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(sound) {
            return fail(format!(
                "has a table \"{name}\"; a name has 1 to {MAX_NAME} characters out of a-z, 0-9, _ and -"
            ));
        }
        if let Some(other) = ids.insert(table_id(name), name) {
            return fail(format!(
                "has tables \"{other}\" and \"{name}\", whose names have the same CRC32C, by which files know them; rename one"
            ));
        }
    }
    Ok(())
}

fn default_max_items() -> usize {
    100_000
}

fn default_max_mib() -> usize {
    512
}

fn default_min_items() -> usize {
    1
}

fn default_tolerance_steps() -> u64 {
    8192
}

fn sound_remover(remover: &RemoverConfig, _context: &()) -> garde::Result {
    match remover {
        RemoverConfig::TimesSampled(0) => {
            fail("has times_sampled = 0; no item could ever be sampled; it must be at least 1".to_owned())
        }
        _ => Ok(()),
    }
}

fn within_table(max_items: usize) -> impl Fn(&usize, &()) -> garde::Result {
    move |min_items, ()| {
        if *min_items <= max_items {
            return Ok(());
        }
        fail(format!("is {min_items}, more than max_items = {max_items}: sampling would never begin"))
    }
}

fn within_limit(remover: RemoverConfig) -> impl Fn(&Option<f64>, &()) -> garde::Result {
    move |samples_per_insert, ()| match (samples_per_insert, remover) {
        (Some(value), RemoverConfig::TimesSampled(limit)) if *value > f64::from(limit) => fail(format!(
            "is {value}, more than remover.times_sampled = {limit}: no item can be sampled that often before it leaves"
        )),
        _ => Ok(()),
    }
}

fn fail(message: String) -> garde::Result {
    Err(garde::Error::new(message))
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
