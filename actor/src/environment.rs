//! One rollout of a segment of an episode. A segment is a whole episode, or `actor.segment_seconds` of one.

use common::ids::PolicyVersion;
use common::reward::Preference;
use common::{Action, SimTime};
use configuration::{Config, Mode};
use engine::{DecisionRequest, Progress, Scheduler, Simulation};
use policy::{PolicyScheduler, Record};

use crate::ActorError;
use crate::rollout::{Now, Rollout};

/// Rewards are counted for so many times `reward.discount_seconds` after a segment: what comes later is worth less than 5%.
const DISCOUNTS_AFTER_SEGMENT: f64 = 3.0;

/// A simulation that is played, and what is recorded of it.
pub(crate) struct Environment {
    /// Place in the batch.
    pub place: usize,
    /// `None` once the segment is over.
    simulation: Option<Simulation>,
    segment_end: SimTime,
    /// Whether the next segment goes on from the state that this rollout reaches.
    pub leads: bool,
    /// The state at the end of the segment, where it leads; `None` where the episode ended before.
    pub reached: Option<Simulation>,
    pub rollout: Rollout,
    /// How much each part of the reward counts in the episode.
    pub preference: Preference,
    /// Part of the training mixture, counted from 1; 0: there is no mixture.
    pub part: u32,
    /// Offered load; 1.0 is 100%.
    pub load: f32,
    /// Length of the episode.
    pub horizon: SimTime,
    /// Undiscounted weighted reward so far.
    pub total: f64,
}

impl Environment {
    /// A segment from the decision that is due in `simulation`.
    pub fn new(place: usize, simulation: Simulation, rollout: Rollout, config: &Config) -> Self {
        let seconds = config.actor.segment_seconds;
        let segment_end =
            if seconds > 0.0 { simulation.now() + SimTime::from_seconds(seconds) } else { SimTime::NEVER };
        Environment {
            place,
            segment_end,
            leads: false,
            preference: Preference::default(),
            reached: None,
            rollout,
            part: simulation.mixture_part(),
            load: simulation.load() as f32,
            horizon: simulation.horizon(),
            total: 0.0,
            simulation: Some(simulation),
        }
    }

    /// Whether the segment is over.
    pub fn is_over(&self) -> bool {
        self.simulation.is_none()
    }

    /// The decision that is due; none where the segment is over.
    pub fn request(&self) -> Option<DecisionRequest<'_>> {
        let simulation = self.simulation.as_ref()?;
        Some(DecisionRequest { environment: self.place, view: simulation.view() })
    }

    /// Applies a decision of `scheduler`, and runs on to the next one or to the end of the segment.
    pub fn play(
        &mut self,
        action: Action,
        record: Record,
        version: PolicyVersion,
        scheduler: &mut PolicyScheduler,
        config: &Config,
    ) -> Result<(), ActorError> {
        let Some(simulation) = &mut self.simulation else { return Ok(()) };
        let now = now_of(simulation);
        simulation.apply(action)?;
        let unroll = match config.learner.mode {
            Mode::Async => config.actor.unroll,
            // A turn consists of whole episodes.
            Mode::Lockstep => usize::MAX,
        };
        self.rollout.record(record, now, version, scheduler.schema(), unroll);
        let is_over = loop {
            match self.tick(config) {
                Some(Progress::Finished) => break true,
                _ if self.is_at(self.segment_end) => {
                    self.play_what_follows(scheduler, config)?;
                    break true;
                }
                Some(Progress::Decision) => break false,
                None => {}
            }
        };
        self.end_if(is_over, version);
        Ok(())
    }

    /// Runs on event by event, so that the group baseline has the reward of each stretch of time.
    fn tick(&mut self, config: &Config) -> Option<Progress> {
        let simulation = self.simulation.as_mut()?;
        let progress = simulation.tick();
        let reward = simulation.take_reward();
        let weighted = config.reward.weigh(&reward, &self.preference);
        self.total += f64::from(weighted);
        self.rollout.credit(weighted, now_of(simulation), &config.reward);
        progress
    }

    fn is_at(&self, time: SimTime) -> bool {
        self.simulation.as_ref().is_some_and(|simulation| simulation.now() >= time)
    }

    /// What the decisions of the segment have led to shows in the time after it, in which the rule decides that the policy starts from,
    /// or `sjf`.
    fn play_what_follows(
        &mut self,
        scheduler: &mut PolicyScheduler,
        config: &Config,
    ) -> Result<(), ActorError> {
        // What the rule remembers of this environment goes on in the next segment.
        let apart = config.actor.environments + self.place;
        scheduler.environment_copied(self.place, apart);
        let seconds = DISCOUNTS_AFTER_SEGMENT * config.reward.discount_seconds;
        let until = self.segment_end + SimTime::from_seconds(seconds);
        self.reached = self.simulation.as_ref().filter(|_| self.leads).cloned();
        while !self.is_at(until) {
            match self.tick(config) {
                Some(Progress::Finished) => break,
                Some(Progress::Decision) => self.play_as_prior(scheduler, apart)?,
                None => {}
            }
        }
        Ok(())
    }

    fn play_as_prior(
        &mut self,
        scheduler: &mut PolicyScheduler,
        environment: usize,
    ) -> Result<(), ActorError> {
        let Some(simulation) = &mut self.simulation else { return Ok(()) };
        let request = DecisionRequest { environment, view: simulation.view() };
        match scheduler.decide_as_prior(&request)? {
            Some(action) => simulation.apply(action)?,
            None => simulation.stop_asking(),
        }
        Ok(())
    }

    /// Ends the segment where `is_over`.
    pub fn end_if(&mut self, is_over: bool, version: PolicyVersion) {
        if is_over && let Some(simulation) = self.simulation.take() {
            self.rollout.end(now_of(&simulation), version);
        }
    }
}

fn now_of(simulation: &Simulation) -> Now {
    Now { time: simulation.now(), arrived: simulation.arrived(), urgency: simulation.urgency() }
}
