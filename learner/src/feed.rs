//! Gathers batches from the shards: fresh trajectories, with replayed ones beside them. Stale ones are dropped and counted.

use std::time::{Duration, Instant};

use common::ids::{ActorId, PolicyVersion};
use configuration::{Advantage, Config, FRESH_TABLE, Mode, REPLAYED_TABLE, SamplerConfig};
use state_graph::Schema;
use transport::{Block, SampledItem, Selector, TrajectorySampler, TransportError, wire};

use crate::LearnerError;
use crate::batch::{Batch, Decoded, Source};
use crate::ranks::encode;
use crate::suspects::Suspects;

/// Longest wait for an answer of the shards before control returns to the caller.
const PATIENCE: Duration = Duration::from_millis(500);

/// When every trajectory of this long had no decision, learning stops with an error.
const EMPTY_FOR: Duration = Duration::from_secs(8);
/// The same in lockstep, in turns.
const EMPTY_TURNS: u32 = 8;
/// How often the learner logs that no trajectory arrives.
const QUIET_FOR: Duration = Duration::from_secs(9);

/// Actors with numbers below this have counts of their own.
const NAMED_ACTORS: u64 = 256;

/// Trajectories without a decision since the last one with a decision.
#[derive(Clone, Copy, Debug)]
struct Empty {
    since: Instant,
    count: u64,
}

/// Trajectories that were dropped instead of learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Too many versions behind.
    pub lagging: u64,
    /// Played with a version that an earlier life of the learner published after the checkpoint that this one restored.
    pub fenced: u64,
    /// Could not be read, or held what no honest actor sends.
    pub damaged: u64,
    /// Unread, of actors that have sent many such.
    pub put_off: u64,
}

/// The versions from which the learner accepts trajectories.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Newest published version.
    pub newest: PolicyVersion,
    /// Number of the version that this learner restored at its start.
    pub restored: u64,
    /// Published versions that an item may be behind.
    pub max_lag: u64,
}

/// Whether an item may still be learnt from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The item may be learnt from.
    Learn,
    /// The version of the item is more than `max_lag` behind.
    Lagging,
    /// Played with a version that the restart of the learner undid.
    Fenced,
}

impl Window {
    /// The verdict on an item that `version` began to play.
    #[must_use]
    pub fn judge(&self, version: PolicyVersion) -> Verdict {
        let older_life = version.token < self.newest.token;
        if older_life && version.number > self.restored {
            Verdict::Fenced
        } else if version.number + self.max_lag < self.newest.number {
            Verdict::Lagging
        } else {
            Verdict::Learn
        }
    }
}

/// The learner's source of batches.
pub struct Feed {
    sampler: TrajectorySampler,
    schema: Schema,
    mode: Mode,
    fresh_steps: usize,
    replayed_steps: usize,
    turn_items: usize,
    waiting: Vec<Decoded>,
    empty: Option<Empty>,
    empty_turns: u32,
    last_arrival: Instant,
    /// When the log last said that no trajectory arrives.
    last_remark: Instant,
    /// The waiting trajectories as bytes, where there are other ranks to send them to.
    encoded: Option<Vec<Vec<u8>>>,
    /// β: how far importance weights correct for sampling by priority.
    importance_exponent: f64,
    /// Whether the replayed table samples by priority.
    prioritises: bool,
    /// Whether each step must have the returns of its group.
    needs_groups: bool,
    /// Actors whose trajectories were damaged.
    suspects: Suspects,
    /// What was dropped so far.
    pub dropped: Dropped,
}

impl Feed {
    /// A feed for `config`.
    #[must_use]
    pub fn new(sampler: TrajectorySampler, schema: Schema, config: &Config) -> Self {
        let learner = &config.learner;
        let replayed_steps = (learner.batch_steps as f64 * learner.replayed_share) as usize;
        Feed {
            sampler,
            schema,
            mode: learner.mode,
            fresh_steps: learner.batch_steps - replayed_steps,
            replayed_steps,
            turn_items: config.actor.count * config.actor.environments,
            waiting: Vec::new(),
            empty: None,
            empty_turns: 0,
            last_arrival: Instant::now(),
            last_remark: Instant::now(),
            encoded: None,
            importance_exponent: learner.importance_exponent,
            prioritises: learner.replayed_share > 0.0 && samples_by_priority(config),
            needs_groups: learner.played_group().is_some() && learner.advantage == Advantage::Group,
            suspects: Suspects::default(),
            dropped: Dropped::default(),
        }
    }

    /// Makes [`Feed::encoded`] return the trajectories; off by default, as it costs memory.
    pub(crate) fn keep_encoded(&mut self) {
        self.encoded = Some(Vec::new());
    }

    /// The trajectories of the newest batch as bytes, in its order.
    pub(crate) fn encoded(&mut self) -> Vec<Vec<u8>> {
        self.encoded.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Updates the priorities of the trajectories of `batch` where shards sample by priority.
    ///
    /// # Errors
    /// [`LearnerError::Transport`].
    pub fn update_priorities(&mut self, batch: &Batch, priorities: &[f32]) -> Result<(), LearnerError> {
        if self.prioritises {
            let sources = batch.trajectories.iter().zip(priorities).filter_map(|(span, priority)| {
                span.source.map(|source| (source.shard, source.key, *priority))
            });
            self.sampler.prioritise(REPLAYED_TABLE, sources)?;
        }
        Ok(())
    }

    /// The client of the shards.
    pub fn sampler(&mut self) -> &mut TrajectorySampler {
        &mut self.sampler
    }

    /// Steps gathered towards the next batch, and how many it takes.
    #[must_use]
    pub fn gathered(&self) -> (usize, usize) {
        (self.waiting.iter().map(Decoded::len).sum(), self.fresh_steps)
    }

    /// The next batch with the mean number of versions that its steps are behind, or `None` when it is not complete yet;
    /// waits half a second at most.
    ///
    /// # Errors
    /// [`LearnerError::Transport`].
    pub fn next(&mut self, window: Window) -> Result<Option<(Batch, f64)>, LearnerError> {
        match self.mode {
            Mode::Lockstep => self.next_turn(window),
            Mode::Async => self.next_fresh(window),
        }
    }

    fn next_turn(&mut self, window: Window) -> Result<Option<(Batch, f64)>, LearnerError> {
        let turn = Selector::Turn { version: window.newest, count: self.turn_items };
        let items = self.sampler.sample(turn, 0, PATIENCE)?;
        if items.is_empty() {
            return Ok(None);
        }
        self.take(items, window, false);
        let batch = Batch::new(std::mem::take(&mut self.waiting));
        self.empty_turns = if batch.steps.is_empty() { self.empty_turns + 1 } else { 0 };
        if self.empty_turns == EMPTY_TURNS {
            let trajectories = self.empty.map_or(0, |empty| empty.count);
            return Err(LearnerError::NothingToDecide { trajectories });
        }
        Ok(Some((batch, 0.0)))
    }

    fn next_fresh(&mut self, window: Window) -> Result<Option<(Batch, f64)>, LearnerError> {
        let (gathered, wanted) = self.gathered();
        if gathered < wanted {
            let items = self.sampler.sample(Selector::Table(FRESH_TABLE), wanted - gathered, PATIENCE)?;
            self.take(items, window, false);
            if self.gathered().0 < wanted {
                return Ok(None);
            }
        }
        if self.replayed_steps > 0 {
            let items =
                self.sampler.sample(Selector::Table(REPLAYED_TABLE), self.replayed_steps, PATIENCE)?;
            self.take(items, window, true);
        }
        let batch = Batch::new(std::mem::take(&mut self.waiting));
        let lag = batch.mean_lag(window.newest.number);
        Ok(Some((batch, lag)))
    }

    fn take(&mut self, items: Vec<SampledItem>, window: Window, replayed: bool) {
        if !items.is_empty() {
            self.last_arrival = Instant::now();
        }
        // Weights are in proportion to the largest of the batch: they only ever make a step smaller (Schaul et al. 2016).
        let weights: Vec<f64> = items.iter().map(|item| self.weight(item, replayed)).collect();
        let largest = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        for (item, weight) in items.into_iter().zip(weights) {
            match window.judge(item.header.first_version) {
                Verdict::Learn => {}
                Verdict::Lagging => {
                    // Replayed items are expected to grow old: that is no loss.
                    self.dropped.lagging += u64::from(!replayed);
                    if !replayed {
                        count_dropped("lagging", item.header.actor);
                    }
                    continue;
                }
                Verdict::Fenced => {
                    self.dropped.fenced += 1;
                    count_dropped("fenced", item.header.actor);
                    continue;
                }
            }
            let actor = item.header.actor;
            if self.suspects.is_put_off(actor, Instant::now()) {
                self.dropped.put_off += 1;
                count_dropped("put_off", actor);
                continue;
            }
            match self.decode(item, (weight / largest) as f32) {
                Ok(decoded) if decoded.is_empty() => {
                    self.empty.get_or_insert(Empty { since: Instant::now(), count: 0 }).count += 1;
                }
                Ok(decoded) => {
                    self.empty = None;
                    self.waiting.push(decoded);
                }
                Err(error) => {
                    self.dropped.damaged += 1;
                    count_dropped("damaged", actor);
                    tracing::warn!(%error, "dropped");
                    if self.suspects.has_sent_damage(actor, Instant::now()) {
                        tracing::warn!(%actor, "many trajectories of this actor were damaged; the next ones are dropped unread for a while");
                    }
                }
            }
        }
    }

    /// Logs that no trajectory arrives; fails where trajectories arrive, but for long none had a decision.
    ///
    /// # Errors
    /// [`LearnerError::NothingToDecide`].
    pub(crate) fn check_arrivals(&mut self) -> Result<(), LearnerError> {
        if let Some(Empty { count, .. }) = self.empty.filter(|empty| empty.since.elapsed() > EMPTY_FOR) {
            return Err(LearnerError::NothingToDecide { trajectories: count });
        }
        if self.last_arrival.elapsed() > QUIET_FOR && self.last_remark.elapsed() > QUIET_FOR {
            self.last_remark = Instant::now();
            let (gathered, wanted) = self.gathered();
            tracing::info!(
                "no trajectory arrived for {} s; {gathered} of {wanted} steps are gathered. Are actors running? An actor sends an \
                 episode when it has ended, and a group when all its episodes have",
                self.last_arrival.elapsed().as_secs()
            );
        }
        Ok(())
    }

    fn weight(&self, item: &SampledItem, replayed: bool) -> f64 {
        if !replayed {
            return 1.0;
        }
        (item.population as f64 * item.probability).powf(-self.importance_exponent)
    }

    /// Decompresses and decodes an item.
    fn decode(&mut self, item: SampledItem, weight: f32) -> Result<Decoded, LearnerError> {
        let open = |block: Block| block.open().map_err(TransportError::from);
        let (header, body, states) = (item.header, open(item.body)?, open(item.states)?);
        let steps = wire::decode_body(&body).map_err(TransportError::from)?;
        let source = Source { shard: item.shard, key: item.key };
        let decoded = Decoded::new(&self.schema, &header, steps, &states)?.sampled(source, weight);
        if self.needs_groups && !decoded.has_groups() {
            let message = "a step has no return of its group, and learner.advantage is \"group\"".to_owned();
            return Err(LearnerError::Trajectory { actor: header.actor, message });
        }
        if let Some(encoded) = &mut self.encoded {
            encoded.push(encode(weight, &header, &body, &states)?);
        }
        Ok(decoded)
    }
}

/// Counts a dropped trajectory in Prometheus.
fn count_dropped(reason: &'static str, actor: ActorId) {
    // Any key holder can make up names of actors; so many have a count of their own.
    let actor = if actor.0 < NAMED_ACTORS { actor.to_string() } else { "other".to_owned() };
    metrics::counter!("longshore_dropped_trajectories_total", "reason" => reason, "actor" => actor)
        .increment(1);
}

fn samples_by_priority(config: &Config) -> bool {
    let tables = config.replay.tables_for(&config.learner);
    let sampler = tables.get(REPLAYED_TABLE).map(|table| table.sampler);
    matches!(sampler, Some(SamplerConfig::Prioritised { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::FencingToken;

    #[test]
    fn what_a_restart_undid_is_fenced_and_what_is_too_old_is_dropped() {
        let version = |token, number| PolicyVersion { token: FencingToken(token), number };
        let window = Window { newest: version(2, 12), restored: 10, max_lag: 3 };
        assert_eq!(window.judge(version(2, 12)), Verdict::Learn);
        assert_eq!(window.judge(version(1, 10)), Verdict::Learn);
        assert_eq!(window.judge(version(1, 11)), Verdict::Fenced);
        assert_eq!(window.judge(version(2, 11)), Verdict::Learn);
        assert_eq!(window.judge(version(2, 8)), Verdict::Lagging);
        assert_eq!(window.judge(version(1, 8)), Verdict::Lagging);
    }
}
