//! One table: a sampler, a remover and a rate limiter over one bounded set of items.

use std::sync::Arc;

use configuration::{TableConfig, table_id};
use rand::RngCore;
use transport::{MAX_BATCH_ITEMS, Pick, TableSize};

use super::item::{Sampled, StoredItem};
use super::keys::KeyMap;
use super::limiter::RateLimiter;
use super::remover::{Remover, Standing};
use super::sampler::Sampler;
use super::stats::{PriorityCounts, TableStats};
use super::turns::Turns;

/// One item may take this part of a table's bytes: what it displaces is bounded.
const LARGEST_PART: u64 = 4;
/// Bytes after which one answer ends; a learner that needs more asks again.
const MAX_BATCH_BYTES: u64 = 64 << 20;

/// A table. Invariants: at most `max_items` items within `max_bytes`, or one larger one alone; sampler, remover and `entries`
/// hold the same keys, `turns` those that were never sampled.
#[derive(Debug)]
pub(super) struct Table<C> {
    id: u32,
    max_items: usize,
    max_bytes: u64,
    entries: KeyMap<Entry<C>>,
    sampler: Sampler,
    remover: Remover,
    limiter: RateLimiter,
    turns: Turns,
    /// The largest finite priority that the learner has set, 1 at first.
    largest: f32,
    stats: TableStats,
}

#[derive(Debug)]
struct Entry<C> {
    item: Arc<StoredItem<C>>,
    standing: Standing,
}

impl<C> Table<C> {
    pub(super) fn new(name: &str, config: &TableConfig) -> Self {
        Table {
            id: table_id(name),
            max_items: config.max_items,
            max_bytes: config.max_bytes(),
            entries: KeyMap::default(),
            sampler: Sampler::new(config.sampler),
            remover: Remover::new(config.remover),
            limiter: RateLimiter::new(config),
            turns: Turns::default(),
            largest: 1.0,
            stats: TableStats { name: name.to_owned(), ..TableStats::default() },
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn name(&self) -> &str {
        &self.stats.name
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.entries.contains_key(&key)
    }

    /// The most bytes that an item may have.
    pub(super) fn largest_item(&self) -> u64 {
        self.max_bytes / LARGEST_PART
    }

    /// Inserts an item; keys of items that it displaces go to `gone`.
    pub(super) fn insert(&mut self, item: &Arc<StoredItem<C>>, gone: &mut Vec<u64>) {
        self.take_in(item, gone);
        self.limiter.inserted(item.steps());
    }

    /// Inserts an item after a restart.
    pub(super) fn restore(&mut self, item: &Arc<StoredItem<C>>, gone: &mut Vec<u64>) {
        self.take_in(item, gone);
        self.limiter.restored(item.steps());
    }

    fn take_in(&mut self, item: &Arc<StoredItem<C>>, gone: &mut Vec<u64>) {
        let evicted = self.make_room(item.bytes, gone);
        // An actor may not put its trajectories before all others.
        let priority = self.sanitise(item.header.priority).unwrap_or(self.largest).min(self.largest);
        let standing = Standing { priority, times_sampled: 0 };
        self.sampler.insert(item.key, priority);
        self.remover.insert(item.key, standing);
        self.turns.insert(item.header.last_version, item.key);
        self.entries.insert(item.key, Entry { item: Arc::clone(item), standing });
        self.stats.bytes += item.bytes;
        self.stats.inserted += 1;
        self.stats.inserted_steps += item.steps();
        if evicted {
            self.limiter.full_with(self.entries.len());
        }
    }

    fn make_room(&mut self, bytes: u64, gone: &mut Vec<u64>) -> bool {
        let before = gone.len();
        while self.entries.len() >= self.max_items || self.stats.bytes.saturating_add(bytes) > self.max_bytes
        {
            let Some(key) = self.remover.select() else { break };
            self.remove(key);
            self.stats.evicted += 1;
            gone.push(key);
        }
        gone.len() > before
    }

    fn remove(&mut self, key: u64) {
        let Some(Entry { item, standing }) = self.entries.remove(&key) else { return };
        self.sampler.remove(key);
        self.remover.remove(key, standing);
        self.limiter.removed(item.steps(), standing.times_sampled);
        if standing.times_sampled == 0 {
            self.turns.remove(item.header.last_version, key);
            self.stats.dropped += 1;
        }
        self.stats.bytes -= item.bytes;
    }

    pub(super) fn can_serve(&self, pick: Pick, steps: u64) -> bool {
        match pick {
            Pick::Turn(version) => self.turns.select(version).is_some(),
            Pick::Next => {
                let limiter = &self.limiter;
                // No request waits for more than an answer carries, or the table can hold.
                let crowded = self.entries.len() >= self.max_items
                    || self.stats.bytes >= MAX_BATCH_BYTES.min(self.max_bytes / 2);
                let least = if crowded { limiter.left().min(steps as f64) } else { steps as f64 };
                limiter.has_enough(self.entries.len()) && limiter.may_sample() && limiter.available() >= least
            }
        }
    }

    /// Samples items of at least `steps` steps in all, or what there is; keys of items that leave go to `gone`.
    pub(super) fn sample(
        &mut self,
        pick: Pick,
        steps: u64,
        rng: &mut dyn RngCore,
        gone: &mut Vec<u64>,
    ) -> Vec<Sampled<C>> {
        let (mut sampled, mut found, mut bytes) = (Vec::new(), 0, 0);
        if pick == Pick::Next && !self.limiter.has_enough(self.entries.len()) {
            return sampled;
        }
        while (found < steps || pick != Pick::Next)
            && bytes < MAX_BATCH_BYTES
            && sampled.len() < MAX_BATCH_ITEMS
        {
            let Some(next) =
                self.select(pick, rng).and_then(|(key, probability)| self.take_sample(key, probability))
            else {
                break;
            };
            found += next.item.steps();
            bytes += next.item.bytes;
            self.remove_if_spent(next.item.key, gone);
            sampled.push(next);
        }
        sampled
    }

    fn select(&self, pick: Pick, rng: &mut dyn RngCore) -> Option<(u64, f64)> {
        match pick {
            Pick::Next if self.limiter.may_sample() => self.sampler.select(rng),
            Pick::Next => None,
            Pick::Turn(version) => self.turns.select(version).map(|key| (key, 1.0)),
        }
    }

    fn take_sample(&mut self, key: u64, probability: f64) -> Option<Sampled<C>> {
        let entry = self.entries.get_mut(&key)?;
        let before = entry.standing;
        entry.standing.times_sampled = before.times_sampled.saturating_add(1);
        if before.times_sampled == 0 {
            self.turns.remove(entry.item.header.last_version, key);
        }
        self.remover.change(key, before, entry.standing);
        self.limiter.sampled(entry.item.steps());
        self.stats.sampled += 1;
        self.stats.sampled_steps += entry.item.steps();
        Some(Sampled { item: Arc::clone(&entry.item), probability })
    }

    fn remove_if_spent(&mut self, key: u64, gone: &mut Vec<u64>) {
        if self.entries.get(&key).is_some_and(|entry| self.remover.is_spent(entry.standing)) {
            self.remove(key);
            gone.push(key);
        }
    }

    pub(super) fn set_priorities(&mut self, updates: &[(u64, f32)]) -> PriorityCounts {
        let mut counts = PriorityCounts::default();
        for (key, priority) in updates {
            if !self.contains(*key) {
                counts.unknown += 1;
            } else if let Some(priority) = self.sanitise(*priority) {
                self.largest = self.largest.max(priority);
                self.set_priority(*key, priority);
                counts.updated += 1;
            } else {
                counts.refused += 1;
            }
        }
        counts
    }

    fn set_priority(&mut self, key: u64, priority: f32) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let before = entry.standing;
        entry.standing.priority = priority;
        self.remover.change(key, before, entry.standing);
        self.sampler.update(key, priority);
    }

    /// The priority that a number from a peer stands for; `None` where it is NaN or negative. Infinity stands for the largest
    /// one.
    fn sanitise(&mut self, priority: f32) -> Option<f32> {
        if priority.is_nan() || priority < 0.0 {
            self.stats.refused_priorities += 1;
            return None;
        }
        // −0 would be ordered after all others.
        Some(if priority.is_finite() { priority.abs() } else { self.largest })
    }

    pub(super) fn set_wanted(&mut self, steps: u64) {
        self.limiter.set_wanted(steps);
    }

    pub(super) fn may_insert(&self) -> bool {
        self.limiter.may_insert(self.entries.len())
    }

    pub(super) fn is_short(&self) -> bool {
        self.limiter.is_short(self.entries.len())
    }

    pub(super) fn stats(&self) -> TableStats {
        let TableSize { items, mass } = self.size();
        TableStats { items, mass, owed_steps: self.limiter.owed(), ..self.stats.clone() }
    }

    /// Items and mass. A learner asks shards in proportion to their masses; for a queue, shards count alike.
    pub(super) fn size(&self) -> TableSize {
        let items = self.entries.len() as u64;
        let mass = match &self.sampler {
            Sampler::Prioritised(prioritised) => prioritised.mass(),
            Sampler::Uniform(_) => items as f64,
            Sampler::Fifo(_) => 1.0,
        };
        TableSize { items, mass }
    }
}
