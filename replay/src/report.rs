//! A shard's metrics.

use common::ids::ShardId;

use crate::core::Core;

/// Sets the metrics to the shard's current counts.
pub(crate) fn report(shard: ShardId, core: &Core) {
    let (stats, shard) = (core.stats(), shard.to_string());
    for (name, value) in [
        ("longshore_replay_items", stats.items),
        ("longshore_replay_bytes", stats.bytes),
        ("longshore_replay_waiting_steps", stats.waiting_steps),
        ("longshore_replay_peers", core.peers() as u64),
    ] {
        metrics::gauge!(name, "shard" => shard.clone()).set(value as f64);
    }
    for (name, value) in [
        ("longshore_replay_inserted_total", stats.inserted),
        ("longshore_replay_sampled_total", stats.sampled),
        ("longshore_replay_evicted_total", stats.evicted),
        ("longshore_replay_dropped_total", stats.dropped),
        ("longshore_replay_duplicates_total", stats.duplicates),
    ] {
        metrics::counter!(name, "shard" => shard.clone()).absolute(value);
    }
    for table in core.tables().stats().tables {
        let labels = [("shard", shard.clone()), ("table", table.name.clone())];
        for (name, value) in [
            ("longshore_replay_table_items", table.items as f64),
            ("longshore_replay_table_bytes", table.bytes as f64),
            ("longshore_replay_table_owed_steps", table.owed_steps),
        ] {
            metrics::gauge!(name, &labels).set(value);
        }
        metrics::counter!("longshore_replay_table_sampled_total", &labels).absolute(table.sampled);
    }
}
