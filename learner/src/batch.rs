//! Trajectories as a learner uses them: all steps in one list, all states in another.

use std::ops::Range;

use common::SimTime;
use common::ids::{PolicyVersion, ShardId};
use common::trajectory::{Choice, FORESIGHT, Moment, Step, TrajectoryBody, TrajectoryHeader};
use policy::{EPISODE_FACTS, EpisodeFacts};
use state_graph::{Schema, StateGraph, StateGraphDecoder};
use transport::wire;

use crate::LearnerError;
use crate::ranks::KIND_HEADER;
use crate::scale::Condition;
use crate::trust::check_numbers;

/// The place of urgency in the arrivals to come.
const URGENCY: usize = 1;

/// Where the steps of one trajectory lie within a batch.
#[derive(Clone, Debug)]
pub struct TrajectorySpan {
    /// Its steps, as places in [`Batch::steps`].
    pub steps: Range<usize>,
    /// The state after its last step, as a place in [`Batch::states`]; none where the episode ended.
    pub bootstrap: Option<usize>,
    /// Load and length of its episode, for scales.
    pub condition: Condition,
    /// The item that it was sampled as, whose priority is updated; none where priorities are not used.
    pub source: Option<Source>,
    /// Importance weight of its losses, above 0 and at most 1.
    pub weight: f32,
}

/// Which item of which shard a trajectory was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Shard that the item was sampled from.
    pub shard: ShardId,
    /// Key of the item in that shard.
    pub key: u64,
}

/// The trajectories of one round of learning.
#[derive(Debug, Default)]
pub struct Batch {
    /// Steps of all trajectories, one trajectory after the other.
    pub steps: Vec<Step>,
    /// The state of each step, then the bootstrap states.
    pub states: Vec<StateGraph>,
    /// Facts of the episode at each state, in the order of `states`.
    pub facts: Vec<EpisodeFacts>,
    /// The moments of the bootstrap states, in their order; a step has its own.
    pub bootstrap_moments: Vec<Moment>,
    /// Where each trajectory lies in `steps` and `states`.
    pub trajectories: Vec<TrajectorySpan>,
    versions: Vec<(u64, usize)>,
}

/// A trajectory whose steps and states were decoded.
#[derive(Debug)]
pub struct Decoded {
    version: PolicyVersion,
    body: TrajectoryBody,
    states: Vec<StateGraph>,
    source: Option<Source>,
    weight: f32,
}

impl Decoded {
    /// Checks that steps, states and choices belong together.
    ///
    /// # Errors
    /// [`LearnerError::Trajectory`] that names the actor.
    pub fn new(
        schema: &Schema,
        header: &TrajectoryHeader,
        body: TrajectoryBody,
        states: &[u8],
    ) -> Result<Self, LearnerError> {
        let fail = |message: String| LearnerError::Trajectory { actor: header.actor, message };
        let count = body.steps.len() + usize::from(body.after.is_some());
        if body.steps.len() != header.steps as usize {
            return Err(fail(format!("{} steps where its header says {}", body.steps.len(), header.steps)));
        }
        let states =
            StateGraphDecoder::decode_all(schema, states, count).map_err(|error| fail(error.to_string()))?;
        check_numbers(&body, &states).map_err(fail)?;
        for (step, state) in body.steps.iter().zip(&states) {
            let possible = match step.choice {
                Choice::Wait => state.may_wait,
                Choice::Act(option) => option < state.options,
            };
            if !possible || state.is_forced() {
                return Err(fail(format!(
                    "the decision at {} is not possible in its state",
                    step.moment.time
                )));
            }
        }
        Ok(Decoded { version: header.first_version, body, states, source: None, weight: 1.0 })
    }

    /// The same as an item that was sampled from a shard, with the importance weight of its losses.
    #[must_use]
    pub fn sampled(self, source: Source, weight: f32) -> Self {
        Decoded { source: Some(source), weight, ..self }
    }

    /// Importance weight of its losses.
    #[must_use]
    pub fn weight(&self) -> f32 {
        self.weight
    }

    pub(crate) fn set_weight(&mut self, weight: f32) {
        self.weight = weight;
    }

    /// The same from the bytes that another rank was sent.
    pub(crate) fn of_bytes(
        schema: &Schema,
        header: &[u8],
        body: &[u8],
        states: &[u8],
    ) -> Result<Self, LearnerError> {
        let header = wire::unseal(KIND_HEADER, header).map_err(transport::TransportError::from)?;
        let body = wire::decode_body(body).map_err(transport::TransportError::from)?;
        Self::new(schema, &header, body, states)
    }

    /// Whether each step has the returns of its group.
    pub(crate) fn has_groups(&self) -> bool {
        self.body.steps.iter().all(|step| step.group.is_some())
    }

    /// Steps in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.steps.len()
    }

    /// Whether it has no step: there was nothing to decide in the whole episode.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.steps.is_empty()
    }
}

/// Load and length of an episode, how much of its arrivals lies before and after `moment`, and what is to come.
fn episode_facts(load: f32, horizon: SimTime, moment: &Moment) -> EpisodeFacts {
    let (seconds, left) = (horizon.seconds() as f32, horizon.since(moment.time).seconds() as f32);
    let logarithm = |number: f32| (1.0 + number.max(0.0)).ln();
    let mut facts = [0.0; EPISODE_FACTS];
    let (of_episode, of_arrivals) = facts.split_at_mut(EPISODE_FACTS - 3 * FORESIGHT.len());
    of_episode.copy_from_slice(&[
        load.min(4.0),
        logarithm(seconds) / 5.0,
        left / seconds.max(1e-3),
        logarithm(left) / 5.0,
        logarithm(moment.urgency) / 3.0,
        f32::from(u8::from(moment.time >= horizon)),
    ]);
    for (fact, total) in of_arrivals.iter_mut().zip(moment.to_come.as_flattened()) {
        *fact = logarithm(*total) / 3.0;
    }
    facts
}

impl Batch {
    /// Puts trajectories together.
    #[must_use]
    pub fn new(trajectories: Vec<Decoded>) -> Self {
        let mut batch = Batch::default();
        let mut bootstraps = Vec::new();
        for trajectory in trajectories.into_iter().filter(|trajectory| !trajectory.is_empty()) {
            let start = batch.steps.len();
            let mut states = trajectory.states;
            let TrajectoryBody { part, load, horizon, .. } = trajectory.body;
            let facts = |step: &Step| episode_facts(load, horizon, &step.moment);
            if let Some(after) = &trajectory.body.after {
                let facts = episode_facts(load, horizon, after);
                bootstraps.extend(states.pop().map(|state| (batch.trajectories.len(), state, facts, *after)));
            }
            batch.facts.extend(trajectory.body.steps.iter().map(facts));
            let condition = Condition::new(part, load, horizon.seconds());
            batch.versions.push((trajectory.version.number, trajectory.body.steps.len()));
            batch.steps.extend(trajectory.body.steps);
            batch.states.extend(states);
            batch.trajectories.push(TrajectorySpan {
                steps: start..batch.steps.len(),
                bootstrap: None,
                condition,
                source: trajectory.source,
                weight: trajectory.weight,
            });
        }
        for (place, state, facts, moment) in bootstraps {
            batch.trajectories[place].bootstrap = Some(batch.states.len());
            batch.states.push(state);
            batch.facts.push(facts);
            batch.bootstrap_moments.push(moment);
        }
        batch
    }

    fn moment(&self, state: usize) -> &Moment {
        let steps = self.steps.len();
        if state < steps { &self.steps[state].moment } else { &self.bootstrap_moments[state - steps] }
    }

    /// The condition of the returns from each state on. `demand`: the place in [`FORESIGHT`] of the time within which arrivals count as
    /// demand; `None` where demand is left out.
    #[must_use]
    pub(crate) fn conditions(&self, demand: Option<usize>) -> Vec<Condition> {
        let mut conditions = vec![Condition::new(0, 0.0, 0.0); self.states.len()];
        for span in &self.trajectories {
            for state in span.steps.clone().chain(span.bootstrap) {
                let moment = self.moment(state);
                conditions[state] = demand.map_or(span.condition, |within| {
                    span.condition.with_demand(moment.urgency + moment.to_come[within][URGENCY])
                });
            }
        }
        conditions
    }

    /// The importance weight of each step's losses.
    #[must_use]
    pub fn weights(&self) -> Vec<f32> {
        let each = self.trajectories.iter();
        each.flat_map(|span| std::iter::repeat_n(span.weight, span.steps.len())).collect()
    }

    /// Mean over the steps of how many versions their trajectory began behind `newest`.
    #[must_use]
    pub fn mean_lag(&self, newest: u64) -> f64 {
        let steps: usize = self.versions.iter().map(|(_, steps)| steps).sum();
        let behind = |&(version, steps): &(u64, usize)| newest.saturating_sub(version) as f64 * steps as f64;
        self.versions.iter().map(behind).sum::<f64>() / steps.max(1) as f64
    }

    /// Mean nodes and edges (in one direction) of its states.
    #[must_use]
    pub fn mean_size(&self) -> (f64, f64) {
        let nodes: u32 = self.states.iter().flat_map(|state| state.nodes).sum();
        let edges: u32 = self.states.iter().flat_map(|state| state.edges).sum();
        let count = self.states.len().max(1) as f64;
        (f64::from(nodes) / count, f64::from(edges) / count)
    }

    /// Mean undiscounted weighted reward of an episode, estimated from the rewards of all trajectories and the number of ends.
    #[must_use]
    pub fn mean_return(&self) -> f64 {
        let total: f64 = self.steps.iter().map(|step| f64::from(step.weighted_reward)).sum();
        let ends = self.trajectories.iter().filter(|span| span.bootstrap.is_none()).count();
        total / ends.max(1) as f64
    }
}
