//! Plays many environments together: one forward pass answers every environment that asks.

use std::sync::Arc;

use common::ids::{ActorId, Incarnation, PolicyVersion, SequenceNumber};
use common::trajectory::{TrajectoryBody, TrajectoryHeader};
use common::{Action, Arrived, SimTime, Stream};
use configuration::{Config, Mode};
use engine::{DecisionRequest, Progress, Scheduler, Simulation};
use policy::{PolicyScheduler, Record};
use workloads::Episodes;

use crate::ActorError;
use crate::group::fill_group_returns;
use crate::rollout::{RecordedTrajectory, Rollout};
use crate::to_come::fill_arrivals;

/// The actor that plays.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Id of the actor.
    pub actor: ActorId,
    /// Incarnation of the actor.
    pub incarnation: Incarnation,
}

/// A trajectory ready to be sent.
#[derive(Debug)]
pub struct Outgoing {
    /// Its header; the sequence number is set when it is sent.
    pub header: TrajectoryHeader,
    /// Its steps, and facts of the episode.
    pub body: TrajectoryBody,
    /// Its encoded states.
    pub states: Vec<u8>,
}

/// What happened since the counters were last taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Decisions between alternatives, recorded or not.
    pub steps: u64,
    /// Decisions without alternative, or that cannot be learnt from.
    pub forced: u64,
    /// Episodes that ended.
    pub episodes: u64,
    /// Sum of their undiscounted weighted rewards.
    pub returns: f64,
}

/// The environments that are stepped together. Rollouts of one group lie side by side and start together.
pub struct Player {
    config: Arc<Config>,
    identity: Identity,
    scheduler: PolicyScheduler,
    episodes: Arc<Episodes>,
    version: PolicyVersion,
    groups: Vec<Group>,
    next_group: u64,
    ordinal: u64,
    counters: Counters,
}

struct Group {
    rollouts: Vec<Environment>,
}

struct Environment {
    /// Place in the batch.
    place: usize,
    /// `None` once its episode is over.
    simulation: Option<Simulation>,
    rollout: Rollout,
    part: u32,
    load: f32,
    horizon: SimTime,
    total: f64,
}

impl Player {
    /// A player with `config.actor.environments` environments; none is started yet.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        identity: Identity,
        scheduler: PolicyScheduler,
        episodes: Arc<Episodes>,
    ) -> Self {
        Player {
            config,
            identity,
            scheduler,
            episodes,
            version: PolicyVersion::default(),
            groups: Vec::new(),
            next_group: 0,
            ordinal: 0,
            counters: Counters::default(),
        }
    }

    /// Uses other weights from the next decision on.
    ///
    /// # Errors
    /// [`ActorError::Policy`] where they do not fit.
    pub fn follow(&mut self, version: PolicyVersion, weights: &[u8]) -> Result<(), ActorError> {
        self.scheduler.read_weights(weights)?;
        self.version = version;
        Ok(())
    }

    /// The version of the weights in use.
    #[must_use]
    pub fn version(&self) -> PolicyVersion {
        self.version
    }

    /// Takes the counters, which begin at zero again.
    #[must_use]
    pub fn take_counters(&mut self) -> Counters {
        std::mem::take(&mut self.counters)
    }

    fn rollouts(&self) -> usize {
        self.config.learner.played_group().map_or(1, |group| group.rollouts)
    }

    /// Starts groups until every environment plays. The episode of a group depends only on the actor, its incarnation and the group's
    /// number: a new incarnation must not play the episodes of the old one again.
    pub fn fill(&mut self) {
        self.start_until(self.config.actor.environments / self.rollouts());
    }

    /// Starts all groups of a lockstep turn; their numbers follow from `turn`.
    pub fn fill_turn(&mut self, turn: u64) {
        let groups = self.config.actor.environments / self.rollouts();
        self.next_group = turn * groups as u64;
        self.ordinal = 0;
        self.start_until(groups);
    }

    /// Starts a group at each of the places for `groups` groups that none has.
    fn start_until(&mut self, groups: usize) {
        let used: Vec<usize> = self.groups.iter().map(|group| group.rollouts[0].place).collect();
        let size = self.rollouts();
        for first in (0..groups).map(|group| group * size).filter(|place| !used.contains(place)) {
            let group = self.start_group(first);
            self.groups.push(group);
        }
    }

    fn start_group(&mut self, first: usize) -> Group {
        let Identity { actor, incarnation, .. } = self.identity;
        let number = self.next_group;
        self.next_group += 1;
        let mine =
            self.config.seed.episode(Stream::Training, actor.0).episode(Stream::Training, incarnation.0);
        let episode = mine.episode(Stream::Training, number);
        let mut rollouts = Vec::with_capacity(self.rollouts());
        for rollout in 0..self.rollouts() {
            let place = first + rollout;
            self.scheduler.seed_environment(place, episode.episode(Stream::Actions, rollout as u64));
            self.scheduler.episode_started(place);
            let simulation = self.episodes.training(episode, self.scheduler.interests());
            let one_in = self.config.actor.record_one_in;
            // Episodes begin with another one in turn, so that all places in an episode are recorded alike.
            let recorder = Rollout::recording(one_in, (number as usize + rollout) % one_in);
            rollouts.push(Environment::new(place, simulation, recorder, self.version));
        }
        Group { rollouts }
    }

    /// Makes one decision in every environment that plays. Returns the trajectories that this has finished.
    ///
    /// # Errors
    /// [`ActorError`] where the network fails or decides what is not possible.
    pub fn step(&mut self) -> Result<Vec<Outgoing>, ActorError> {
        let mut actions: Vec<Action> = Vec::new();
        let environments = self.groups.iter().flat_map(|group| &group.rollouts);
        let requests: Vec<DecisionRequest<'_>> = environments
            .filter_map(|environment| {
                let simulation = environment.simulation.as_ref()?;
                Some(DecisionRequest { environment: environment.place, view: simulation.view() })
            })
            .collect();
        if !requests.is_empty() {
            self.scheduler.decide(&requests, &mut actions)?;
        }
        drop(requests);
        let records = self.scheduler.take_records();
        self.apply(actions.into_iter().zip(records))?;
        Ok(self.collect())
    }

    fn apply(&mut self, decisions: impl Iterator<Item = (Action, Record)>) -> Result<(), ActorError> {
        let asking = self.groups.iter_mut().flat_map(|group| &mut group.rollouts);
        let asking = asking.filter(|environment| environment.simulation.is_some());
        for (environment, (action, record)) in asking.zip(decisions) {
            match record.decided() {
                Some(_) => self.counters.steps += 1,
                None => self.counters.forced += 1,
            }
            environment.play(action, record, self.version, self.scheduler.schema(), &self.config)?;
        }
        Ok(())
    }

    /// Takes the trajectories of the groups that are over: only then are returns and arrivals to come known.
    pub(crate) fn collect(&mut self) -> Vec<Outgoing> {
        let (over, playing): (Vec<Group>, Vec<Group>) =
            std::mem::take(&mut self.groups).into_iter().partition(Group::is_over);
        self.groups = playing;
        let mut outgoing = Vec::new();
        for mut group in over {
            let trajectories = group.take_trajectories(&self.config);
            for (environment, trajectories) in group.rollouts.iter().zip(trajectories) {
                outgoing.extend(
                    trajectories.into_iter().map(|trajectory| self.outgoing(environment, trajectory)),
                );
            }
            self.counters.episodes += group.rollouts.len() as u64;
            self.counters.returns += group.rollouts.iter().map(|environment| environment.total).sum::<f64>();
        }
        outgoing
    }

    fn outgoing(&mut self, environment: &Environment, trajectory: RecordedTrajectory) -> Outgoing {
        let header = TrajectoryHeader {
            actor: self.identity.actor,
            incarnation: self.identity.incarnation,
            sequence: SequenceNumber(0),
            ordinal: self.ordinal,
            first_version: trajectory.first_version,
            last_version: trajectory.last_version,
            // The learner has not seen it yet: it gets the largest priority so far.
            priority: f32::INFINITY,
            steps: trajectory.steps.len() as u32,
        };
        self.ordinal += 1;
        let body = TrajectoryBody {
            steps: trajectory.steps,
            part: environment.part,
            load: environment.load,
            horizon: environment.horizon,
            after: trajectory.after,
        };
        Outgoing { header, body, states: trajectory.states }
    }

    /// Whether every episode that was started is over.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.groups.is_empty()
    }
}

impl Group {
    fn is_over(&self) -> bool {
        self.rollouts.iter().all(|environment| environment.simulation.is_none())
    }

    /// What each of its rollouts recorded, with all that is known now that they are over.
    fn take_trajectories(&mut self, config: &Config) -> Vec<Vec<RecordedTrajectory>> {
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

impl Environment {
    fn new(place: usize, mut simulation: Simulation, rollout: Rollout, version: PolicyVersion) -> Self {
        let (part, load) = (simulation.mixture_part(), simulation.load() as f32);
        let horizon = simulation.horizon();
        let progress = simulation.advance();
        let mut environment =
            Environment { place, simulation: Some(simulation), rollout, part, load, horizon, total: 0.0 };
        if let Some(simulation) = &mut environment.simulation {
            // Reward from before the first decision does not count.
            let _ = simulation.take_reward();
        }
        environment.end_if(progress, version);
        environment
    }

    fn play(
        &mut self,
        action: Action,
        record: Record,
        version: PolicyVersion,
        schema: &state_graph::Schema,
        config: &Config,
    ) -> Result<(), ActorError> {
        let Some(simulation) = &mut self.simulation else { return Ok(()) };
        let at = now_of(simulation);
        simulation.apply(action)?;
        let unroll = match config.learner.mode {
            Mode::Async => config.actor.unroll,
            // A turn consists of whole episodes.
            Mode::Lockstep => usize::MAX,
        };
        self.rollout.record(record, at, version, schema, unroll);
        // Event by event, so that the group baseline has the reward of each stretch of time.
        let progress = loop {
            let progress = simulation.tick();
            let reward = simulation.take_reward();
            self.total += f64::from(config.reward.weigh(&reward));
            self.rollout.credit(&reward, now_of(simulation), &config.reward);
            if let Some(progress) = progress {
                break progress;
            }
        };
        self.end_if(progress, version);
        Ok(())
    }

    fn end_if(&mut self, progress: Progress, version: PolicyVersion) {
        if progress == Progress::Finished
            && let Some(simulation) = self.simulation.take()
        {
            self.rollout.end(now_of(&simulation), version);
        }
    }
}

/// The time in an episode, and what has arrived by then.
fn now_of(simulation: &Simulation) -> (SimTime, Arrived) {
    (simulation.now(), simulation.arrived())
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::trajectory::Choice;
    use configuration::parse;
    use policy::{Behaviour, PolicyNetwork, schema_of};
    use state_graph::StateGraphDecoder;

    fn player(learner: &str) -> Player {
        let text = format!(
            "schema = 1\nname = \"t\"\nseed = 4\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 8\nheads = 2\n\
             layers = 1\n[actor]\nenvironments = 12\nunroll = 9\n[learner]\n{learner}\n"
        );
        let config = parse(&text, "test", &[]).unwrap();
        let network =
            PolicyNetwork::new(&schema_of(&config.simulator, &config.policy), &config.policy, config.seed);
        let scheduler = PolicyScheduler::new("policy", network, Behaviour::Sample).unwrap();
        let identity = Identity { actor: ActorId(1), incarnation: Incarnation(2) };
        let episodes = Arc::new(Episodes::new(&config.simulator).unwrap());
        Player::new(Arc::new(config), identity, scheduler, episodes)
    }

    fn play(player: &mut Player, steps: usize) -> Vec<Outgoing> {
        let mut outgoing = Vec::new();
        for _ in 0..steps {
            player.fill();
            outgoing.extend(player.step().unwrap());
        }
        outgoing
    }

    #[test]
    fn trajectories_hold_a_state_for_every_step_and_one_to_go_on_from() {
        let mut player = player("");
        let schema = player.scheduler.schema().clone();
        let sent = play(&mut player, 400);
        assert!(sent.len() > 50);
        for (ordinal, Outgoing { header, body, states }) in sent.iter().enumerate() {
            assert_eq!(header.ordinal, ordinal as u64);
            assert_eq!(header.steps as usize, body.steps.len());
            assert!(body.steps.len() <= 9);
            let states = StateGraphDecoder::decode_all(
                &schema,
                states,
                body.steps.len() + usize::from(body.after.is_some()),
            )
            .unwrap();
            for (step, state) in body.steps.iter().zip(&states) {
                assert!(!state.is_forced());
                assert!(step.choice != Choice::Wait || state.may_wait);
                assert!(step.log_probability <= 0.0 && step.weighted_reward <= 0.0);
            }
        }
    }

    #[test]
    fn rollouts_of_a_group_play_one_sequence_and_their_advantages_cancel() {
        let mut player = player("group = { rollouts = 4 }");
        let sent = play(&mut player, 600);
        // A group is sent as a whole: it ends with the fourth episode that ends.
        let mut groups: Vec<Vec<&Outgoing>> = vec![Vec::new()];
        for outgoing in &sent {
            let group = groups.last_mut().unwrap();
            group.push(outgoing);
            if group.iter().filter(|member| member.body.after.is_none()).count() == 4 {
                groups.push(Vec::new());
            }
        }
        assert!(groups.pop().unwrap().is_empty() && groups.len() > 5);
        // The first decision of all four rollouts falls on one instant: there the advantages sum to zero.
        let mut checked = 0;
        for members in &groups {
            assert!(members.windows(2).all(|pair| pair[0].body.load == pair[1].body.load));
            let mut firsts: Vec<&common::trajectory::Step> = Vec::new();
            let mut whole = true;
            for member in members {
                whole &= member.body.after.is_none();
                firsts.extend(member.body.steps.first());
            }
            if whole
                && firsts.len() == 4
                && firsts.windows(2).all(|pair| pair[0].moment.time == pair[1].moment.time)
            {
                let total: f32 =
                    firsts.iter().map(|step| step.group.unwrap()).map(|group| group.own - group.others).sum();
                assert!(total.abs() < 1e-2, "{total}");
                checked += 1;
            }
        }
        assert!(checked > 0);
    }
}
