//! The counts of a shard.

/// Counts of a shard, for its metrics and its summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStats {
    /// Trajectories stored now.
    pub items: u64,
    /// Bytes that they take in memory.
    pub bytes: u64,
    /// Steps that the table `fresh` holds beyond what was sampled, as its rate limiter counts them.
    pub waiting_steps: u64,
    /// Trajectories stored in this life of the shard.
    pub inserted: u64,
    /// Trajectories sampled in this life, repetitions counted.
    pub sampled: u64,
    /// Trajectories that made room for others.
    pub evicted: u64,
    /// Those of them that `fresh` lost unsampled.
    pub dropped: u64,
    /// Trajectories that arrived again after they had been stored.
    pub duplicates: u64,
    /// Trajectories that were dropped because of their header, their size or a missing credit.
    pub unfit: u64,
}
