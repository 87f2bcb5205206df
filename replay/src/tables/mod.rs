//! The tables of a shard: every trajectory enters each of them, and lives while it is in at least one.
//!
//! A table is a sampler (who is given next), a remover (who makes room) and a rate limiter (when actors may send, and learners
//! be given, more) over one bounded set of items. All of it is a deterministic state machine: no clock, no socket, no thread;
//! randomness is passed in. One owner writes; the map of items alone is shared with those who read.
//!
//! A FIFO sampler gives the oldest item. With the remover `times_sampled = 1` that makes a queue: what was given has left. With
//! any other remover it gives the same item again, also within one answer, until that has left.
//!
//! Priorities from outside: NaN and negative ones are refused and counted; infinity stands for the largest finite one that the
//! table has seen (1 at first). An item whose own first priority is refused gets that largest one, as new items do in Schaul
//! et al. 2016, so that it is not forgotten unseen.
//!
//! A table takes no part in durability: who keeps trajectories on disk follows [`Tables::take_departures`] and gives back
//! what it finds with [`Tables::restore`].

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

pub use item::{Departure, Given, StoredItem};
pub use stats::{PriorityCounts, Stats, TableStats};
use table::Table;
use transport::{Pick, TableSize};

/// Items by their keys, for those who read them from other threads.
pub type Items<C> = DashMap<u64, Arc<StoredItem<C>>>;

/// A table of the [`Tables`] that it came from.
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
    /// Empty tables; `configs` have passed the validation of the configuration that they come from.
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

    /// The table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<TableIndex> {
        self.tables.iter().position(|table| table.name() == name).map(TableIndex)
    }

    /// Stores an item of `bytes` bytes, overhead included, in every table; returns its key. Others make room for it.
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

    /// Puts an item back after a restart, into all tables but those whose ids are in `left`; items come in the order of their
    /// keys. Its priority is that of its header, and it counts as never sampled. In tables whose items leave after so many
    /// samples the rate limiter owes what it owes for a new item; in others restored items count as settled. Where bounds
    /// have shrunk, others make room. A key that is held already is passed over.
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

    /// Who left which table since the last call, in order.
    pub fn take_departures(&mut self) -> Vec<Departure> {
        std::mem::take(&mut self.departures)
    }

    /// Whether a request for `steps` steps can be served now as it was made; more than a table can hold or an answer carry is
    /// not waited for.
    #[must_use]
    pub fn can_serve(&self, table: TableIndex, pick: Pick, steps: u64) -> bool {
        self.tables[table.0].can_serve(pick, steps)
    }

    /// Items of at least `steps` steps in all, or what the table may give; of a turn all that wait. An answer ends with the item
    /// that fills 64 MiB. Of [`Pick::Next`], nothing while the table holds fewer than its `min_items`.
    pub fn sample(
        &mut self,
        table: TableIndex,
        pick: Pick,
        steps: u64,
        rng: &mut dyn RngCore,
    ) -> Vec<Given<C>> {
        let mut gone = Vec::new();
        let given = self.tables[table.0].sample(pick, steps, rng, &mut gone);
        self.depart(table.0, &mut gone);
        given
    }

    /// Changes priorities in one table.
    pub fn set_priorities(&mut self, table: TableIndex, updates: &[(u64, f32)]) -> PriorityCounts {
        self.tables[table.0].set_priorities(updates)
    }

    /// Says how many steps a learner waits for now in a table; 0: none.
    pub fn set_wanted(&mut self, table: TableIndex, steps: u64) {
        self.tables[table.0].set_wanted(steps);
    }

    /// Whether actors may send more: all tables allow it, or a learner waits for what only more items can bring to its table.
    /// Otherwise it could wait for one table for ever while another waits for it.
    #[must_use]
    pub fn may_insert(&self) -> bool {
        self.tables.iter().any(Table::is_short) || self.tables.iter().all(Table::may_insert)
    }

    /// What a table holds now.
    #[must_use]
    pub fn size(&self, table: TableIndex) -> TableSize {
        self.tables[table.0].size()
    }

    /// The counts.
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

    /// Those in `gone` have left the table at `place`.
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
