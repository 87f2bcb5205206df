//! What tables hold, give out, and let go.

use std::sync::Arc;

use common::trajectory::TrajectoryHeader;

/// A stored trajectory; `C` is where its bytes are, and no table looks into it.
#[derive(Debug)]
pub struct StoredItem<C> {
    /// Its key; keys grow in the order of insertion and are never used again.
    pub key: u64,
    /// Header.
    pub header: TrajectoryHeader,
    /// Bytes that it takes, overhead included.
    pub bytes: u64,
    /// The trajectory.
    pub content: C,
}

impl<C> StoredItem<C> {
    /// Steps as limiters count them. An item without steps counts as one: it would otherwise never let a request be filled.
    #[must_use]
    pub fn steps(&self) -> u64 {
        u64::from(self.header.steps.max(1))
    }
}

/// An item that was sampled.
#[derive(Debug)]
pub struct Given<C> {
    /// The item.
    pub item: Arc<StoredItem<C>>,
    /// The probability with which it was selected among the items of its table: p^α / Σ p^α, 1/n, or 1 where nothing is
    /// drawn. The importance weight of Schaul et al. (2016, arXiv 1511.05952) is (n · probability)^−β.
    pub probability: f64,
}

/// An item left a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Its key.
    pub key: u64,
    /// Id of the table ([`configuration::table_id`]).
    pub table: u32,
    /// It is in no table any more: nobody will be given it again.
    pub last: bool,
}
