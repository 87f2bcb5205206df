//! Plays many environments together: one forward pass answers every environment that asks.

use std::sync::Arc;

use common::ids::{ActorId, Incarnation, PolicyVersion, SequenceNumber};
use common::trajectory::{TrajectoryBody, TrajectoryHeader};
use common::{Action, Stream};
use configuration::Config;
use engine::{DecisionRequest, Scheduler};
use policy::{PolicyScheduler, Record, ThreadChoice};
use workloads::Episodes;

use crate::ActorError;
use crate::environment::Environment;
use crate::group::{Group, Start};
use crate::preference::preference_of;
use crate::rollout::RecordedTrajectory;

/// The actor that plays.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Id of the actor.
    pub actor: ActorId,
    /// Incarnation of the actor.
    pub incarnation: Incarnation,
    /// Tells the episodes of the actor's lives apart; the same in every life in lockstep.
    pub life: u64,
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
    /// Episodes, or segments of one, that ended.
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
    /// How many threads compute, where that is open.
    threads: Option<ThreadChoice>,
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
            threads: None,
        }
    }

    /// From now on uses one thread where that is faster than `threads` (0: one per core). Only where nothing must repeat bit for bit.
    pub fn choose_threads(&mut self, threads: usize) {
        self.threads = Some(ThreadChoice::up_to(threads));
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

    /// Starts groups until every environment plays. The episode of a group depends only on the actor, its life and the group's
    /// number: a new life must not play the episodes of the old one again.
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
        let used: Vec<usize> = self.groups.iter().map(Group::first_place).collect();
        let size = self.rollouts();
        for first in (0..groups).map(|group| group * size).filter(|place| !used.contains(place)) {
            let group = self.start_group(first);
            self.groups.push(group);
        }
    }

    fn start_group(&mut self, first: usize) -> Group {
        let Identity { actor, life, .. } = self.identity;
        let number = self.next_group;
        self.next_group += 1;
        let mine = self.config.seed.episode(Stream::Training, actor.0).episode(Stream::Training, life);
        let episode = mine.episode(Stream::Training, number);
        for rollout in 0..self.rollouts() {
            let place = first + rollout;
            self.scheduler.seed_environment(place, episode.episode(Stream::Actions, rollout as u64));
            self.scheduler.episode_started(place);
        }
        let preference = preference_of(&self.config.reward, &self.scheduler.preference(), episode);
        let places = first..first + self.rollouts();
        places.clone().for_each(|place| self.scheduler.prefer(place, preference));
        let simulation = self.episodes.training(episode, self.scheduler.interests());
        let start = Start { simulation, number, preference };
        Group::start(start, places, self.version, &self.config)
    }

    /// Makes one decision in every environment that plays. Returns the trajectories that this has finished.
    ///
    /// # Errors
    /// [`ActorError`] where the network fails or decides what is not possible.
    pub fn step(&mut self) -> Result<Vec<Outgoing>, ActorError> {
        let mut actions: Vec<Action> = Vec::new();
        for environment in self.groups.iter().flat_map(Group::rollouts) {
            self.scheduler.explore(environment.place, environment.rollout.is_due());
        }
        let environments = self.groups.iter().flat_map(Group::rollouts);
        let requests: Vec<DecisionRequest<'_>> = environments.filter_map(Environment::request).collect();
        if !requests.is_empty() {
            let mut decide = || self.scheduler.decide(&requests, &mut actions);
            match &mut self.threads {
                Some(choice) => choice.run(requests.len(), decide)?,
                None => decide()?,
            }
        }
        drop(requests);
        let records = self.scheduler.take_records();
        self.apply(actions.into_iter().zip(records))?;
        Ok(self.collect())
    }

    fn apply(&mut self, decisions: impl Iterator<Item = (Action, Record)>) -> Result<(), ActorError> {
        let environments = self.groups.iter_mut().flat_map(Group::rollouts_mut);
        let asking = environments.filter(|environment| !environment.is_over());
        for (environment, (action, record)) in asking.zip(decisions) {
            match record.decided() {
                Some(_) => self.counters.steps += 1,
                None => self.counters.forced += 1,
            }
            environment.play(action, record, self.version, &mut self.scheduler, &self.config)?;
        }
        Ok(())
    }

    /// Takes the trajectories of the groups whose segment is over, which go on with the next one: only then are returns and arrivals to
    /// come known.
    pub(crate) fn collect(&mut self) -> Vec<Outgoing> {
        let (over, playing): (Vec<Group>, Vec<Group>) =
            std::mem::take(&mut self.groups).into_iter().partition(Group::is_over);
        self.groups = playing;
        let mut outgoing = Vec::new();
        for mut group in over {
            let trajectories = group.take_trajectories(&self.config);
            for (environment, trajectories) in group.rollouts().zip(trajectories) {
                outgoing.extend(
                    trajectories.into_iter().map(|trajectory| self.outgoing(environment, trajectory)),
                );
                self.counters.episodes += 1;
                self.counters.returns += environment.total;
            }
            self.groups.extend(group.next_segment(self.version, &self.config, &mut self.scheduler));
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
        player_of(&text)
    }

    fn player_of(text: &str) -> Player {
        let config = parse(text, "test", &[]).unwrap();
        let network = PolicyNetwork::new(&schema_of(&config), &config.policy, config.seed);
        let scheduler = PolicyScheduler::new("policy", network, Behaviour::Sample).unwrap();
        let identity = Identity { actor: ActorId(1), incarnation: Incarnation(2), life: 2 };
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
    fn rollouts_begin_a_segment_where_the_first_of_them_was() {
        let text = "schema = 1\nname = \"t\"\nseed = 4\nreward.discount_seconds = 1.0\n[simulator]\nscenario = \"serverless\"\n\
                    [simulator.serverless]\nload_percent = 150.0\nwindow_seconds = 16.0\nwarm_up_seconds = 10.0\n\
                    drain_limit_seconds = 60.0\n[policy]\nprior = \"sjf+reserve\"\nwidth = 8\nheads = 2\nlayers = 1\n\
                    [actor]\nenvironments = 4\nunroll = 4096\nsegment_seconds = 2.0\n[learner]\n\
                    advantage = \"group\"\ngroup = { rollouts = 4 }\n";
        let mut player = player_of(text);
        let schema = player.scheduler.schema().clone();
        let sent = play(&mut player, 4000);
        let mut starts = Vec::new();
        for rollouts in sent.chunks(4) {
            let firsts = rollouts.iter().filter(|rollout| !rollout.body.steps.is_empty()).map(|rollout| {
                let states =
                    StateGraphDecoder::decode_all(&schema, &rollout.states, rollout.body.steps.len())
                        .unwrap();
                (rollout.body.steps[0].moment.time, states[0].clone())
            });
            let firsts: Vec<_> = firsts.collect();
            // Until the first decision between alternatives nothing differs between the rollouts of a segment.
            assert!(firsts.windows(2).all(|pair| pair[0] == pair[1]));
            starts.extend(firsts.first().map(|(time, _)| time.seconds()));
        }
        let episodes = starts.chunk_by(|one, next| one < next);
        let longest = episodes.map(<[f64]>::len).max().unwrap();
        assert!(longest >= 3, "{starts:?}");
    }

    #[test]
    fn states_show_the_preference_that_their_rewards_were_weighed_with() {
        let text = "schema = 1\nname = \"t\"\nseed = 4\n\
                    reward = { mode = \"preference\", discount_seconds = 1.0, idle_memory = 1.0 }\n[simulator]\n\
                    scenario = \"serverless\"\n[simulator.serverless]\nload_percent = 90.0\nwindow_seconds = 16.0\n\
                    warm_up_seconds = 10.0\ndrain_limit_seconds = 60.0\n[policy]\nprior = \"sjf+reserve\"\nwidth = 8\n\
                    heads = 2\nlayers = 1\n[actor]\nenvironments = 4\nunroll = 4096\nsegment_seconds = 2.0\n\
                    [learner]\nadvantage = \"group\"\ngroup = { rollouts = 2 }\n";
        let mut player = player_of(text);
        let schema = player.scheduler.schema().clone();
        let first = schema.globals.iter().position(|name| name == "preference_latency").unwrap();
        assert_eq!(schema.globals[first..], ["preference_latency", "preference_idle_memory", "prior"]);
        let mut seen: Vec<f32> = Vec::new();
        for _ in 0..3000 {
            player.fill();
            let asked: Vec<_> = player
                .groups
                .iter()
                .flat_map(Group::rollouts)
                .map(|one| (one.place, one.preference))
                .collect();
            for (place, preference) in asked {
                let latency = preference.factor(common::reward::RewardPart::Latency);
                assert_eq!(player.scheduler.preference_of(place), preference);
                seen.push(latency);
            }
            for Outgoing { body, states, .. } in player.step().unwrap() {
                let states = StateGraphDecoder::decode_all(&schema, &states, body.steps.len()).unwrap();
                for state in states {
                    let [latency, idle] = [first, first + 1].map(|place| state.globals(&schema)[place]);
                    assert!(seen.contains(&latency) && (latency + idle - 1.0).abs() < 1e-6);
                }
            }
        }
        seen.dedup();
        assert!(seen.len() > 3, "episodes draw their own: {seen:?}");
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
