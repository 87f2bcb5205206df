//! Rollouts that are compared: they meet the same arrivals from the same state on.

use std::ops::Range;

use common::ids::PolicyVersion;
use common::reward::Preference;
use configuration::Config;
use engine::{Progress, Scheduler, Simulation};

use crate::environment::Environment;
use crate::group_baseline::fill_group_returns;
use crate::rollout::{RecordedTrajectory, Rollout};
use crate::to_come::fill_arrivals;

/// The rollouts of one episode, side by side; a single one where nothing is compared. The first leads: the next segment goes on from
/// the state that it reached.
pub(crate) struct Group {
    rollouts: Vec<Environment>,
    /// Number of the episode.
    number: u64,
    preference: Preference,
}

/// Where the rollouts of a group begin.
pub(crate) struct Start {
    pub simulation: Simulation,
    /// Number of the episode.
    pub number: u64,
    /// How much each part of the reward counts in it.
    pub preference: Preference,
}

impl Group {
    /// One rollout at each of `places`, from the first decision on.
    pub fn start(start: Start, places: Range<usize>, version: PolicyVersion, config: &Config) -> Self {
        let Start { mut simulation, number, preference } = start;
        let progress = simulation.advance();
        // Reward from before the first decision does not count.
        let _ = simulation.take_reward();
        let one_in = config.actor.record_one_in;
        let leader = places.start;
        let copies = std::iter::repeat_n(simulation, places.len());
        let rollouts = places.zip(copies).map(|(place, simulation)| {
            // Episodes begin with another one in turn, so that all places in an episode are recorded alike.
            let skip = (number as usize + place - leader) % one_in;
            let recorder = Rollout::recording(one_in, skip);
            let mut environment = Environment::new(place, simulation, recorder, config);
            environment.preference = preference;
            environment.leads = place == leader;
            environment.end_if(progress == Progress::Finished, version);
            environment
        });
        Group { rollouts: rollouts.collect(), number, preference }
    }

    /// The same group in the segment after this one; none where the episode ended with this one.
    pub fn next_segment(
        mut self,
        version: PolicyVersion,
        config: &Config,
        scheduler: &mut dyn Scheduler,
    ) -> Option<Self> {
        let places = self.first_place()..self.first_place() + self.rollouts.len();
        let reached = self.rollouts[0].reached.take()?;
        for place in places.clone().skip(1) {
            scheduler.environment_copied(places.start, place);
        }
        let start = Start { simulation: reached, number: self.number, preference: self.preference };
        let next = Group::start(start, places, version, config);
        (!next.is_over()).then_some(next)
    }

    /// Place of its first rollout in the batch.
    pub fn first_place(&self) -> usize {
        self.rollouts[0].place
    }

    pub fn rollouts(&self) -> impl Iterator<Item = &Environment> {
        self.rollouts.iter()
    }

    pub fn rollouts_mut(&mut self) -> impl Iterator<Item = &mut Environment> {
        self.rollouts.iter_mut()
    }

    /// Whether all rollouts have reached the end of the segment.
    pub fn is_over(&self) -> bool {
        self.rollouts.iter().all(Environment::is_over)
    }

    /// What each of its rollouts recorded, with all that is known now that they are over.
    pub fn take_trajectories(&mut self, config: &Config) -> Vec<Vec<RecordedTrajectory>> {
        let rollouts = self.rollouts.iter_mut();
        let mut trajectories: Vec<Vec<RecordedTrajectory>> =
            rollouts.map(|environment| environment.rollout.take_finished()).collect();
        let curves: Vec<_> = self.rollouts.iter().map(|member| member.rollout.curve()).collect();
        for (curve, trajectories) in curves.iter().zip(&mut trajectories) {
            fill_arrivals(curve, trajectories);
        }
        if config.learner.played_group().is_some() {
            fill_group_returns(&curves, &mut trajectories, &config.reward);
        }
        trajectories
    }
}
