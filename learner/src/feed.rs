//! Gathers batches from the shards: fresh trajectories first, replayed ones beside them, stale ones dropped and counted.

use std::time::{Duration, Instant};

use common::ids::PolicyVersion;
use configuration::{Config, FRESH_TABLE, Mode, REPLAYED_TABLE, SamplerConfig};
use state_graph::Schema;
use transport::{Block, SampledItem, Selector, TrajectorySampler, TransportError, wire};

use crate::LearnerError;
use crate::batch::{Batch, Decoded, Source};
use crate::ranks::encode;

/// How long one request to the shards may take before the caller looks around again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Trajectories without a decision for so long, and it is not going to be otherwise.
const EMPTY_FOR: Duration = Duration::from_secs(8);
/// The same in turns.
const EMPTY_TURNS: u32 = 8;
/// How often a learner that no trajectory reaches says so.
const QUIET_FOR: Duration = Duration::from_secs(9);

/// Trajectories in which nothing was to be decided, since the last one in which something was.
#[derive(Clone, Copy, Debug)]
struct Empty {
    since: Instant,
    count: u64,
}

/// What was dropped instead of learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Too many versions behind.
    pub lagging: u64,
    /// Of an older epoch, numbered above the checkpoint that this learner restored.
    pub fenced: u64,
    /// Could not be read.
    pub damaged: u64,
}

/// What the newest versions are.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Newest published.
    pub newest: PolicyVersion,
    /// Number that this learner's epoch began with.
    pub restored: u64,
    /// Published versions that an item may be behind.
    pub max_lag: u64,
}

/// Whether an item may still be learnt from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Learn,
    /// Too old.
    Lagging,
    /// Of a future that this learner's restart undid.
    Fenced,
}

impl Window {
    /// The verdict on an item that `version` began to play.
    #[must_use]
    pub fn judge(&self, version: PolicyVersion) -> Verdict {
        let older_epoch = version.token < self.newest.token;
        if older_epoch && version.number > self.restored {
            Verdict::Fenced
        } else if version.number + self.max_lag < self.newest.number {
            Verdict::Lagging
        } else {
            Verdict::Learn
        }
    }
}

/// The learner's end of the trajectories.
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
    /// When a trajectory came last, and when was said last that none comes.
    heard: Instant,
    said: Instant,
    /// Those that are waiting as bytes, where other ranks are told.
    encoded: Option<Vec<Vec<u8>>>,
    /// β: how far sampling by priority is made up for.
    importance_exponent: f64,
    /// Whether the table that is replayed from asks for priorities.
    prioritises: bool,
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
            heard: Instant::now(),
            said: Instant::now(),
            encoded: None,
            importance_exponent: learner.importance_exponent,
            prioritises: learner.replayed_share > 0.0 && samples_by_priority(config),
            dropped: Dropped::default(),
        }
    }

    /// From now on keeps what [`Feed::encoded`] returns.
    pub(crate) fn keep_encoded(&mut self) {
        self.encoded = Some(Vec::new());
    }

    /// The trajectories of the batch that came last, in its order.
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

    /// The shards' end.
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
        self.take(items, window, false)?;
        let batch = Batch::new(std::mem::take(&mut self.waiting));
        self.empty_turns = if batch.steps.is_empty() { self.empty_turns + 1 } else { 0 };
        if self.empty_turns == EMPTY_TURNS {
            let episodes = self.empty.map_or(0, |empty| empty.count);
            return Err(LearnerError::NothingToDecide { episodes });
        }
        Ok(Some((batch, 0.0)))
    }

    fn next_fresh(&mut self, window: Window) -> Result<Option<(Batch, f64)>, LearnerError> {
        let (gathered, wanted) = self.gathered();
        if gathered < wanted {
            let items = self.sampler.sample(Selector::Table(FRESH_TABLE), wanted - gathered, PATIENCE)?;
            self.take(items, window, false)?;
            if self.gathered().0 < wanted {
                return Ok(None);
            }
        }
        if self.replayed_steps > 0 {
            let items =
                self.sampler.sample(Selector::Table(REPLAYED_TABLE), self.replayed_steps, PATIENCE)?;
            self.take(items, window, true)?;
        }
        let batch = Batch::new(std::mem::take(&mut self.waiting));
        let lag = batch.mean_lag(window.newest.number);
        Ok(Some((batch, lag)))
    }

    fn take(&mut self, items: Vec<SampledItem>, window: Window, replayed: bool) -> Result<(), LearnerError> {
        if !items.is_empty() {
            self.heard = Instant::now();
        }
        // Weights are in proportion to the largest of the batch: they only ever make a step smaller (Schaul et al. 2016).
        let weights: Vec<f64> = items.iter().map(|item| self.weight(item, replayed)).collect();
        let largest = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        for (item, weight) in items.into_iter().zip(weights) {
            match window.judge(item.header.first_version) {
                Verdict::Learn => {}
                Verdict::Lagging => {
                    // Of replayed items old age is the way of things, not a loss.
                    self.dropped.lagging += u64::from(!replayed);
                    continue;
                }
                Verdict::Fenced => {
                    self.dropped.fenced += 1;
                    continue;
                }
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
                    tracing::warn!(%error, "dropped");
                }
            }
        }
        Ok(())
    }

    /// Says that no trajectory comes, and fails where some come, but for long none in which something was to be decided.
    ///
    /// # Errors
    /// [`LearnerError::NothingToDecide`].
    pub(crate) fn check_arrivals(&mut self) -> Result<(), LearnerError> {
        if let Some(Empty { count, .. }) = self.empty.filter(|empty| empty.since.elapsed() > EMPTY_FOR) {
            return Err(LearnerError::NothingToDecide { episodes: count });
        }
        if self.heard.elapsed() > QUIET_FOR && self.said.elapsed() > QUIET_FOR {
            self.said = Instant::now();
            let (gathered, wanted) = self.gathered();
            tracing::info!(
                "no trajectory came for {} s, {gathered} of {wanted} steps are gathered: do actors play? An episode is sent once it \
                 is over or `actor.unroll` decisions long, a group once all of it is over",
                self.heard.elapsed().as_secs()
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

    /// Opens what came, now that it is learnt from.
    fn decode(&mut self, item: SampledItem, weight: f32) -> Result<Decoded, LearnerError> {
        let open = |block: Block| block.open().map_err(TransportError::from);
        let (header, body, states) = (item.header, open(item.body)?, open(item.states)?);
        let steps = wire::decode_body(&body).map_err(TransportError::from)?;
        let source = Source { shard: item.shard, key: item.key };
        let decoded = Decoded::new(&self.schema, &header, steps, &states)?.sampled(source, weight);
        if let Some(encoded) = &mut self.encoded {
            encoded.push(encode(weight, &header, &body, &states)?);
        }
        Ok(decoded)
    }
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
        let version = |epoch, number| PolicyVersion { token: FencingToken(epoch), number };
        let window = Window { newest: version(2, 12), restored: 10, max_lag: 3 };
        assert_eq!(window.judge(version(2, 12)), Verdict::Learn);
        assert_eq!(window.judge(version(1, 10)), Verdict::Learn);
        assert_eq!(window.judge(version(1, 11)), Verdict::Fenced);
        assert_eq!(window.judge(version(2, 11)), Verdict::Learn);
        assert_eq!(window.judge(version(2, 8)), Verdict::Lagging);
        assert_eq!(window.judge(version(1, 8)), Verdict::Lagging);
    }
}
