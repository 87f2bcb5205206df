//! What tables hold, what is sampled, and what leaves.

use std::sync::Arc;

use common::trajectory::TrajectoryHeader;

/// A stored trajectory. `C` holds its bytes, which tables do not read.
#[derive(Debug)]
pub struct StoredItem<C> {
    /// Its key; keys grow in the order of insertion and are never used again.
    pub key: u64,
    /// Header of the trajectory.
    pub header: TrajectoryHeader,
    /// Bytes that it takes in memory, overhead included.
    pub bytes: u64,
    /// Stored blocks of the trajectory.
    pub content: C,
}

impl<C> StoredItem<C> {
    /// Steps as rate limiters count them. An item without steps counts as one step: with zero it would never help to fill a request.
    #[must_use]
    pub fn steps(&self) -> u64 {
        u64::from(self.header.steps.max(1))
    }
}

/// An item that was sampled.
#[derive(Debug)]
pub struct Sampled<C> {
    /// Item that was sampled.
    pub item: Arc<StoredItem<C>>,
    /// The probability with which it was selected among the items of its table: p^α / Σ p^α, 1/n, or 1 where nothing is
    /// drawn. The importance weight of Schaul et al. (2016, arXiv 1511.05952) is (n · probability)^−β.
    pub probability: f64,
}

/// An item that has left a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Key of the item.
    pub key: u64,
    /// Id of the table ([`configuration::table_id`]).
    pub table: u32,
    /// It is in no table any more, and will not be sampled again.
    pub last: bool,
}
