//! What a sampler knows of one shard: which answers are awaited, and what its tables hold.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use common::ids::ShardId;

use crate::message::TableSize;
use crate::shard_links::LinkId;

/// What a sampler knows of one shard.
pub(super) struct ShardState {
    /// As the shard says; until then its place in the list of shards.
    pub(super) id: ShardId,
    /// The request that awaits its answer, and its table.
    pub(super) asked: Option<(u64, Arc<str>)>,
    /// Requests that were not answered in time, and their tables; late answers are taken all the same.
    pub(super) overdue: HashMap<u64, Arc<str>>,
    /// While requests are overdue the shard is not asked again before this time.
    pub(super) rests_until: Duration,
    /// What the shard last said of each table.
    pub(super) held: HashMap<Arc<str>, TableSize>,
    /// Whether it has confirmed that the run has ended.
    pub(super) knows_end: bool,
}

impl ShardState {
    pub(super) fn new(id: LinkId) -> Self {
        ShardState {
            id: ShardId(id.0 as u32),
            asked: None,
            overdue: HashMap::new(),
            rests_until: Duration::ZERO,
            held: HashMap::new(),
            knows_end: false,
        }
    }

    /// Nothing that was asked is answered any more.
    pub(super) fn forget_requests(&mut self) {
        self.asked = None;
        self.overdue.clear();
    }

    /// The table of a request, which is answered with this; none when the request is not open (any more).
    pub(super) fn answered(&mut self, request: u64) -> Option<Arc<str>> {
        let asked = self.asked.take_if(|(asked, _)| *asked == request);
        asked.map(|(_, table)| table).or_else(|| self.overdue.remove(&request))
    }

    pub(super) fn may_be_asked(&self, now: Duration) -> bool {
        self.overdue.is_empty() || now >= self.rests_until
    }

    pub(super) fn mass(&self, table: &str) -> f64 {
        self.held.get(table).map_or(0.0, |size| size.mass)
    }
}
