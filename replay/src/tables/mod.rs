//! The tables of a shard: every trajectory enters each of them, and lives while it is in at least one.
//!
//! A table is a sampler (which item is sampled next), a remover (which item makes room) and a rate limiter (when actors may send
//! more, and learners sample more) over one bounded set of items. All of it is a deterministic state machine: no clock, no
//! socket, no thread; randomness is passed in. One owner writes; only the map of items is shared with threads that read.
//!
//! A FIFO sampler selects the oldest item. With the remover `times_sampled = 1` that makes a queue: what was sampled has left. With
//! any other remover it selects the same item again, also within one answer, until that leaves.
//!
//! Priorities from peers: NaN and negative ones are refused and counted; infinity stands for the largest finite one that the
//! learner has set (1 at first). An item whose own first priority is larger, or refused, gets that largest one, as new items do
//! in Schaul et al. 2016, so that every item is likely to be sampled once.
//!
//! Tables are not durable: a caller that keeps trajectories on disk follows [`Tables::take_departures`], and restores them with
//! [`Tables::restore`].

mod fifo;
mod item;
mod keys;
mod limiter;
mod prioritised;
mod remover;
mod sampler;
mod stats;
mod sum_tree;
mod table;
mod turns;
mod uniform;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::trajectory::TrajectoryHeader;
use configuration::TableConfig;
use dashmap::DashMap;
use rand::RngCore;

pub use item::{Departure, Sampled, StoredItem};
pub use stats::{PriorityCounts, Stats, TableStats};
use table::Table;
use transport::{Pick, TableSize};

/// Items by their keys, shared with threads that only read them.
pub type Items<C> = DashMap<u64, Arc<StoredItem<C>>>;

/// Identifies a table of the [`Tables`] that returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableIndex(usize);

/// All tables of a shard. Invariant: the shared map holds exactly the items that are in at least one table.
#[derive(Debug)]
pub struct Tables<C> {
    tables: Vec<Table<C>>,
    items: Arc<Items<C>>,
    next_key: u64,
    bytes: u64,
    departures: Vec<Departure>,
}

impl<C> Tables<C> {
    /// Empty tables, by name; `configs` have passed validation.
    #[must_use]
    pub fn new(configs: &BTreeMap<String, TableConfig>) -> Self {
        Tables {
            tables: configs.iter().map(|(name, config)| Table::new(name, config)).collect(),
            items: Arc::new(DashMap::new()),
            next_key: 0,
            bytes: 0,
            departures: Vec::new(),
        }
    }

    /// The items that are in at least one table, now and later.
    #[must_use]
    pub fn items(&self) -> Arc<Items<C>> {
        Arc::clone(&self.items)
    }

    /// The table with this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<TableIndex> {
        self.tables.iter().position(|table| table.name() == name).map(TableIndex)
    }

    /// The table that takes the smallest items, and the most bytes that an item may have to enter every table.
    #[must_use]
    pub fn largest_item(&self) -> Option<(&str, u64)> {
        self.tables.iter().map(|table| (table.name(), table.largest_item())).min_by_key(|(_, bytes)| *bytes)
    }

    /// Stores an item of `bytes` bytes, overhead included, in every table, and removes others where it needs room; returns its key.
    pub fn insert(&mut self, header: TrajectoryHeader, bytes: u64, content: C) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        let item = self.hold(StoredItem { key, header, bytes, content });
        let mut gone = Vec::new();
        for place in 0..self.tables.len() {
            self.tables[place].insert(&item, &mut gone);
            self.depart(place, &mut gone);
        }
        key
    }

    /// Restores an item after a restart, in all tables but those whose ids are in `left`; must be called in the order of keys. Its
    /// priority is that of its header, and it counts as never sampled. In tables whose items leave after a number of samples the
    /// rate limiter counts it as new; in others as already sampled at the rate. Where bounds have shrunk, others are removed. A key
    /// that is held already is skipped.
    pub fn restore(&mut self, key: u64, header: TrajectoryHeader, bytes: u64, content: C, left: &[u32]) {
        self.set_next_key(key.saturating_add(1));
        let enters: Vec<_> =
            (0..self.tables.len()).filter(|at| !left.contains(&self.tables[*at].id())).collect();
        if enters.is_empty() || self.items.contains_key(&key) {
            return;
        }
        let item = self.hold(StoredItem { key, header, bytes, content });
        let mut gone = Vec::new();
        for place in enters {
            self.tables[place].restore(&item, &mut gone);
            self.depart(place, &mut gone);
        }
    }

    /// The next item gets this key, or a later one where this was used.
    pub fn set_next_key(&mut self, key: u64) {
        self.next_key = self.next_key.max(key);
    }

    /// Which items left which tables since the last call, in order.
    pub fn take_departures(&mut self) -> Vec<Departure> {
        std::mem::take(&mut self.departures)
    }

    /// Whether a request for `steps` steps can be served in full now. A request for more than a table can hold, or one answer can
    /// carry, does not wait for more.
    #[must_use]
    pub fn can_serve(&self, table: TableIndex, pick: Pick, steps: u64) -> bool {
        self.tables[table.0].can_serve(pick, steps)
    }

    /// Samples items of at least `steps` steps in all, or as many as the table allows; of a turn all that wait. An answer ends with the item
    /// that fills 64 MiB. Of [`Pick::Next`], nothing while the table holds fewer than its `min_items`.
    pub fn sample(
        &mut self,
        table: TableIndex,
        pick: Pick,
        steps: u64,
        rng: &mut dyn RngCore,
    ) -> Vec<Sampled<C>> {
        let mut gone = Vec::new();
        let sampled = self.tables[table.0].sample(pick, steps, rng, &mut gone);
        self.depart(table.0, &mut gone);
        sampled
    }

    /// Changes priorities in one table.
    pub fn set_priorities(&mut self, table: TableIndex, updates: &[(u64, f32)]) -> PriorityCounts {
        self.tables[table.0].set_priorities(updates)
    }

    /// Sets how many steps a learner waits for now in a table; 0 means that none waits.
    pub fn set_wanted(&mut self, table: TableIndex, steps: u64) {
        self.tables[table.0].set_wanted(steps);
    }

    /// Whether actors may send more: all tables allow it, or a learner waits for steps that only further inserts can bring. Otherwise
    /// it could wait for one table for ever while another table waits for it.
    #[must_use]
    pub fn may_insert(&self) -> bool {
        self.tables.iter().any(Table::is_short) || self.tables.iter().all(Table::may_insert)
    }

    /// Items and mass of a table.
    #[must_use]
    pub fn size(&self, table: TableIndex) -> TableSize {
        self.tables[table.0].size()
    }

    /// The counts of all tables.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let tables = self.tables.iter().map(Table::stats).collect();
        Stats { tables, items: self.items.len() as u64, bytes: self.bytes }
    }

    fn hold(&mut self, item: StoredItem<C>) -> Arc<StoredItem<C>> {
        let item = Arc::new(item);
        self.bytes += item.bytes;
        self.items.insert(item.key, Arc::clone(&item));
        item
    }

    /// Notes that the items in `gone` have left the table at `place`.
    fn depart(&mut self, place: usize, gone: &mut Vec<u64>) {
        for key in gone.drain(..) {
            let last = !self.tables.iter().any(|table| table.contains(key));
            if last && let Some((_, item)) = self.items.remove(&key) {
                self.bytes -= item.bytes;
            }
            self.departures.push(Departure { key, table: self.tables[place].id(), last });
        }
    }
}

#[cfg(test)]
mod tests;
