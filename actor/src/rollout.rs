//! Records one episode of one environment as pieces of bounded length.

use common::SimTime;
use common::ids::PolicyVersion;
use common::trajectory::{Reward, Step};
use configuration::RewardConfig;
use policy::Record;
use state_graph::{FrameEncoder, Schema};

/// A piece of an episode with its states already encoded.
#[derive(Debug)]
pub struct Piece {
    /// Its steps.
    pub steps: Vec<Step>,
    /// Their frames, and the bootstrap frame where the episode goes on.
    pub frames: Vec<u8>,
    /// Whether the episode ended with it.
    pub ended: bool,
    /// Policy version at the first step.
    pub first_version: PolicyVersion,
    /// Policy version at the last step.
    pub last_version: PolicyVersion,
}

/// A stretch of time in which nothing happened, and the reward that it brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// When it began.
    pub start: SimTime,
    /// Weighted reward until the next stretch begins.
    pub reward: f32,
}

/// One episode in the making.
#[derive(Debug, Default)]
pub struct Rollout {
    steps: Vec<Step>,
    encoder: FrameEncoder,
    versions: Option<(PolicyVersion, PolicyVersion)>,
    curve: Vec<Stretch>,
    finished: Vec<Piece>,
}

impl Rollout {
    /// Notes a decision. A forced one is no step: what it brings goes to the step before.
    pub fn record(
        &mut self,
        record: Record,
        at: SimTime,
        version: PolicyVersion,
        schema: &Schema,
        unroll: usize,
    ) {
        if self.curve.last().is_none_or(|stretch| stretch.start < at) {
            self.curve.push(Stretch { start: at, reward: 0.0 });
        }
        if record.frame.is_forced() {
            return;
        }
        if self.steps.len() >= unroll {
            self.encoder.push(schema, record.frame.clone());
            self.close(false);
        }
        self.versions = Some((self.versions.map_or(version, |(first, _)| first), version));
        self.encoder.push(schema, record.frame);
        self.steps.push(Step {
            time: at,
            choice: record.choice,
            log_probability: record.log_probability,
            weighted_reward: 0.0,
            discount: 1.0,
            group: None,
        });
    }

    /// Credits what happened since the last call until `now`.
    pub fn credit(&mut self, reward: &Reward, now: SimTime, config: &RewardConfig) {
        let weighted = config.weigh(reward);
        if let Some(stretch) = self.curve.last_mut() {
            stretch.reward += weighted;
            if now > stretch.start {
                self.curve.push(Stretch { start: now, reward: 0.0 });
            }
        }
        let Some(step) = self.steps.last_mut() else { return };
        // Until now `discount` covers the time up to the previous call, which is when this stretch began.
        step.weighted_reward += step.discount * weighted;
        step.discount = config.discount(now.since(step.time));
    }

    /// The episode is over at `now`. An episode in which nothing was to be decided still yields one piece, without
    /// steps, so that episodes can be counted.
    pub fn end(&mut self, now: SimTime, version: PolicyVersion) {
        if self.finished.is_empty() {
            self.versions.get_or_insert((version, version));
        }
        self.close(true);
        self.curve.push(Stretch { start: now, reward: 0.0 });
    }

    fn close(&mut self, ended: bool) {
        let steps = std::mem::take(&mut self.steps);
        let frames = self.encoder.finish();
        if let Some((first_version, last_version)) = self.versions.take() {
            self.finished.push(Piece { steps, frames, ended, first_version, last_version });
        }
    }

    /// Takes the pieces that are complete.
    #[must_use]
    pub fn take_finished(&mut self) -> Vec<Piece> {
        std::mem::take(&mut self.finished)
    }

    /// Rewards over time, for the group baseline; the last stretch marks the end.
    #[must_use]
    pub fn curve(&self) -> &[Stretch] {
        &self.curve
    }
}
