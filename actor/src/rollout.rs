//! Records one episode of one environment as trajectories of bounded length, and its rewards over time.

use common::ids::PolicyVersion;
use common::trajectory::{Moment, Step};
use common::{Arrived, SimTime};
use configuration::RewardConfig;
use policy::Record;
use state_graph::{Schema, StateGraphEncoder};

/// A finished trajectory, with its states already encoded.
#[derive(Debug)]
pub struct RecordedTrajectory {
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// Their encoded states, and one more to bootstrap from where the episode goes on.
    pub states: Vec<u8>,
    /// When the state after the last step was reached; none where the episode ended with the last step.
    pub after: Option<Moment>,
    /// Policy version at the first step.
    pub first_version: PolicyVersion,
    /// Policy version at the last step.
    pub last_version: PolicyVersion,
}

/// Simulated time between two events, and its reward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// When the stretch began.
    pub start: SimTime,
    /// Weighted reward until the next stretch begins, undiscounted.
    pub reward: f32,
    /// What had arrived by then.
    pub arrived: Arrived,
}

impl Stretch {
    fn at(now: Now) -> Self {
        Stretch { start: now.time, reward: 0.0, arrived: now.arrived }
    }
}

/// What is known of an episode at one time beside its state.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Simulated time.
    pub time: SimTime,
    /// What had arrived by then.
    pub arrived: Arrived,
    /// Sum of 1 / reference duration over what is in the system, 1/s.
    pub urgency: f64,
}

impl Now {
    fn moment(self) -> Moment {
        Moment { time: self.time, urgency: self.urgency as f32, ..Moment::default() }
    }
}

/// One episode while it is played.
#[derive(Debug, Default)]
pub struct Rollout {
    /// Decisions that are left out before the next one is recorded.
    skip: usize,
    /// One of so many decisions is recorded; 0 counts as 1.
    one_in: usize,
    steps: Vec<Step>,
    encoder: StateGraphEncoder,
    versions: Option<(PolicyVersion, PolicyVersion)>,
    curve: Vec<Stretch>,
    finished: Vec<RecordedTrajectory>,
}

impl Rollout {
    /// Records one of `one_in` decisions, the first after `skip` others. Rewards count for the last one that was recorded.
    #[must_use]
    pub fn recording(one_in: usize, skip: usize) -> Self {
        Rollout { skip, one_in, ..Rollout::default() }
    }

    /// Whether the next decision between alternatives is recorded.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.skip == 0
    }

    /// Records a decision. One without alternative is no step: its reward counts for the step before.
    pub fn record(
        &mut self,
        record: Record,
        now: Now,
        version: PolicyVersion,
        schema: &Schema,
        unroll: usize,
    ) {
        if self.curve.last().is_none_or(|stretch| stretch.start < now.time) {
            self.curve.push(Stretch::at(now));
        }
        let Some(choice) = record.decided() else { return };
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.skip = self.one_in.saturating_sub(1);
        if self.steps.len() >= unroll {
            self.encoder.push(schema, record.state.clone());
            self.close(Some(now.moment()));
        }
        self.versions = Some((self.versions.map_or(version, |(first, _)| first), version));
        self.encoder.push(schema, record.state);
        self.steps.push(Step {
            moment: now.moment(),
            choice,
            log_probability: record.log_probability,
            weighted_reward: 0.0,
            discount: 1.0,
            group: None,
        });
    }

    /// Counts the `weighted` reward between the last call and `now` for the last step.
    pub fn credit(&mut self, weighted: f32, now: Now, config: &RewardConfig) {
        if let Some(stretch) = self.curve.last_mut() {
            stretch.reward += weighted;
            if now.time > stretch.start {
                self.curve.push(Stretch::at(now));
            }
        }
        let Some(step) = self.steps.last_mut() else { return };
        // So far `discount` covers the time up to the last call, which is when the rewarded time began.
        step.weighted_reward += step.discount * weighted;
        step.discount = config.discount(now.time.since(step.moment.time));
    }

    /// Ends the episode at `now`. An episode without a decision still makes one trajectory, without steps, so that episodes can be
    /// counted.
    pub fn end(&mut self, now: Now, version: PolicyVersion) {
        if self.finished.is_empty() {
            self.versions.get_or_insert((version, version));
        }
        self.close(None);
        self.curve.push(Stretch::at(now));
    }

    fn close(&mut self, after: Option<Moment>) {
        let steps = std::mem::take(&mut self.steps);
        let states = self.encoder.finish();
        if let Some((first_version, last_version)) = self.versions.take() {
            self.finished.push(RecordedTrajectory { steps, states, after, first_version, last_version });
        }
    }

    /// Takes the trajectories that are finished.
    #[must_use]
    pub fn take_finished(&mut self) -> Vec<RecordedTrajectory> {
        std::mem::take(&mut self.finished)
    }

    /// Rewards over time, for the group baseline; the last stretch begins when the episode ends.
    #[must_use]
    pub fn curve(&self) -> &[Stretch] {
        &self.curve
    }
}
