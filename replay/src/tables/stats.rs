/// Counts of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableStats {
    /// Its name.
    pub name: String,
    /// Items in it.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Σ p^α where its sampler is prioritised, the number of items where it is uniform, 1 where it is FIFO: learners ask
    /// shards in proportion to it.
    pub mass: f64,
    /// Items that came, restored ones included.
    pub inserted: u64,
    /// Times that an item was given out.
    pub sampled: u64,
    /// Items that made room.
    pub evicted: u64,
    /// Items that left without ever having been given out.
    pub dropped: u64,
    /// Priorities that were NaN or negative.
    pub refused_priorities: u64,
    /// Steps that came, restored ones included.
    pub inserted_steps: u64,
    /// Steps that were given out, each time counted.
    pub sampled_steps: u64,
    /// Steps that the rate limiter still owes to learners; negative where they are ahead.
    pub owed_steps: f64,
}

/// Counts of a shard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Of each table, in the order of their names.
    pub tables: Vec<TableStats>,
    /// Items in at least one table.
    pub items: u64,
    /// Their bytes, each counted once.
    pub bytes: u64,
}

/// What became of new priorities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriorityCounts {
    /// Taken.
    pub updated: u64,
    /// Of items that are not in the table (any more).
    pub unknown: u64,
    /// NaN or negative.
    pub refused: u64,
}
