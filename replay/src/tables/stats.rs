/// Counts of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableStats {
    /// Name of the table.
    pub name: String,
    /// Items in it.
    pub items: u64,
    /// Bytes of those items.
    pub bytes: u64,
    /// Σ p^α where its sampler is prioritised, the number of items where it is uniform, 1 where it is FIFO. Learners ask shards in
    /// proportion to it.
    pub mass: f64,
    /// Items that were inserted, restored ones included.
    pub inserted: u64,
    /// Items that were sampled, each time counted.
    pub sampled: u64,
    /// Items that left to make room.
    pub evicted: u64,
    /// Items that left without ever having been sampled.
    pub dropped: u64,
    /// Priorities that were refused: NaN or negative.
    pub refused_priorities: u64,
    /// Steps that were inserted, restored ones included.
    pub inserted_steps: u64,
    /// Steps that were sampled, each time counted.
    pub sampled_steps: u64,
    /// Steps that the rate limiter still owes to learners; negative where they are ahead.
    pub owed_steps: f64,
}

/// Counts of a shard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Counts of each table, in the order of their names.
    pub tables: Vec<TableStats>,
    /// Items in at least one table.
    pub items: u64,
    /// Bytes of those items, each counted once.
    pub bytes: u64,
}

/// What happened to new priorities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriorityCounts {
    /// Number of priorities that were changed.
    pub updated: u64,
    /// Number of priorities for items that are not in the table, or no longer.
    pub unknown: u64,
    /// Number of priorities that were refused because they are NaN or negative.
    pub refused: u64,
}
