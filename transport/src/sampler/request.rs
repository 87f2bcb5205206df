//! Which shard is asked for how much.

use std::time::Duration;

use configuration::FRESH_TABLE;
use rand::Rng as _;

use super::{SamplerCore, Selector};
use crate::TransportError;
use crate::message::{Message, Pick, Sample};
use crate::port::Port;
use crate::shard_links::LinkId;

impl<P: Port> SamplerCore<P> {
    /// Asks every connected shard for its part of `missing` steps (of a turn: trajectories);
    /// [`SamplerCore::take_received`] has the answers.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when a request cannot be encoded.
    pub fn ask(
        &mut self,
        selector: Selector<'_>,
        missing: u64,
        patience: Duration,
        now: Duration,
    ) -> Result<(), TransportError> {
        let (table, pick) = match selector {
            Selector::Table(table) => (table, Pick::Next),
            Selector::Turn { version, .. } => (FRESH_TABLE, Pick::Turn(version)),
        };
        let shards = self.askable(now);
        if shards.is_empty() {
            if let Some(waited) = self.complaint.due(now) {
                tracing::warn!(?waited, "no replay shard can be reached");
            }
            return Ok(());
        }
        self.complaint.settle();
        let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        for (id, steps) in self.divide(&shards, table, missing) {
            let request = self.next_request;
            self.next_request += 1;
            let sample = Sample { request, table: table.to_owned(), pick, steps, patience_ms };
            if self.links.send(id, &Message::Sample(sample), now)?
                && let Some(shard) = self.shards.get_mut(&id)
            {
                shard.asked = Some((request, table.into()));
            }
        }
        Ok(())
    }

    /// Shards that are connected and answer what they are asked.
    fn askable(&self, now: Duration) -> Vec<LinkId> {
        let shards = self.shards.iter();
        let askable = shards.filter(|(id, shard)| self.links.is_ready(**id) && shard.may_be_asked(now));
        askable.map(|(id, _)| *id).collect()
    }

    /// Which shard is asked for how many steps: in proportion to what each said last that its table holds. What does not
    /// divide goes to one of them, drawn at random, so that no shard is favoured in the long run. A shard that has not said
    /// yet what it holds, or holds nothing, is asked for a step, so that it says so again.
    fn divide(&mut self, shards: &[LinkId], table: &str, missing: u64) -> Vec<(LinkId, u64)> {
        let masses: Vec<f64> =
            shards.iter().map(|id| self.shards.get(id).map_or(0.0, |shard| shard.mass(table))).collect();
        let total: f64 = masses.iter().sum();
        if total <= 0.0 {
            let each = missing.div_ceil(shards.len() as u64);
            return shards.iter().map(|id| (*id, each)).collect();
        }
        let mut parts: Vec<u64> = masses.iter().map(|mass| (missing as f64 * mass / total) as u64).collect();
        let mut drawn = self.rng.random_range(0.0..total);
        let chosen = masses.iter().position(|mass| {
            drawn -= mass;
            drawn < 0.0
        });
        let rest = missing.saturating_sub(parts.iter().sum());
        parts[chosen.unwrap_or(shards.len() - 1)] += rest;
        let parts = parts.into_iter().zip(masses).map(|(steps, mass)| if mass > 0.0 { steps } else { 1 });
        shards.iter().copied().zip(parts).filter(|(_, steps)| *steps > 0).collect()
    }

    /// Waits no longer for shards that are connected and do not answer, for example because their disks are full. Their
    /// answers are taken when they come.
    pub fn give_up_waiting(&mut self, now: Duration) {
        let rests_until = now + self.rest;
        for (id, shard) in &mut self.shards {
            if let (Some((request, table)), Some(channel)) = (shard.asked.take(), self.links.channel(*id)) {
                tracing::warn!(endpoint = %channel.endpoint(), "the shard does not answer a request for trajectories");
                shard.overdue.insert(request, table);
                shard.rests_until = rests_until;
            }
        }
    }

    /// Whether no answer is awaited.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.shards.values().all(|shard| shard.asked.is_none())
    }
}
