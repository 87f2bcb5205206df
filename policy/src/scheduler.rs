//! The learnt policy as a scheduler: one forward pass for all environments that ask.

use std::fmt;

use common::reward::Preference;
use common::trajectory::{Choice, Scenario};
use common::{Action, ActionKind, RunSeed};
use engine::{ClusterView, DecisionRequest, Interests, Scheduler, SchedulerError};
use state_graph::{Schema, StateGraph};

use crate::explain::{Explanation, explain};
use crate::exploration::{Behaviour, Exploration};
use crate::inference::Inference;
use crate::network::PolicyNetwork;
use crate::observer::{Observed, Observer};
use crate::preferences::{Preferences, preference_in};
use crate::rules::{ask, default_action, rule};
use crate::sampling::{pick, pick_option_or_wait};
use crate::{Parameters, PolicyError};

/// One decision with the state that it was made in, as an actor stores it for learning.
#[derive(Debug)]
pub struct Record {
    /// The state graph in which the decision was made.
    pub state: StateGraph,
    /// The chosen option, or *wait*; `None` where the scheduler that is imitated decides nothing, or something that is no option.
    pub choice: Option<Choice>,
    /// Its log-probability, nats; 0 where it had no alternative.
    pub log_probability: f32,
}

impl Record {
    /// The choice, where there was more than one and it can be learnt from.
    #[must_use]
    pub fn decided(&self) -> Option<Choice> {
        self.choice.filter(|_| !self.state.is_forced())
    }
}

/// A policy network that schedules.
pub struct PolicyScheduler {
    name: String,
    scenario: Scenario,
    network: PolicyNetwork,
    /// A copy of the weights on plain arrays, for fast decisions; `None` after the weights have changed.
    inference: Option<Inference>,
    exploration: Exploration,
    observer: Observer,
    /// How much each part of the reward counts in each environment.
    preferences: Preferences,
    /// The rule whose decisions the scores start from.
    prior: Option<Box<dyn Scheduler>>,
    /// The scheduler that is imitated.
    teacher: Option<Box<dyn Scheduler>>,
    records: Vec<Record>,
}

impl fmt::Debug for PolicyScheduler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PolicyScheduler").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PolicyScheduler {
    /// `name` is shown in tables.
    ///
    /// # Errors
    /// [`PolicyError::Prior`] where the network's prior is no rule that it can start from.
    pub fn new(name: &str, network: PolicyNetwork, behaviour: Behaviour) -> Result<Self, PolicyError> {
        let is_slots = network.schema().nodes == state_graph::slots::schema().nodes;
        let scenario = if is_slots { Scenario::Slots } else { Scenario::Serverless };
        let prior = network.prior().map(|prior| rule(prior, scenario, network.actions()));
        Ok(PolicyScheduler {
            name: name.to_owned(),
            scenario,
            prior: prior.transpose().map_err(PolicyError::Prior)?,
            teacher: None,
            observer: Observer::new(&network, scenario),
            preferences: Preferences::new(network.schema()),
            network,
            inference: None,
            exploration: Exploration::new(behaviour),
            records: Vec::new(),
        })
    }

    /// From now on what `scheduler` would decide is recorded as if the network had decided so; every second environment plays it.
    ///
    /// # Errors
    /// [`PolicyError::Teacher`] where there is no such scheduler, or it decides what the network does not.
    pub fn imitate(&mut self, scheduler: &str) -> Result<(), PolicyError> {
        let teacher = rule(scheduler, self.scenario, self.network.actions());
        self.teacher = Some(teacher.map_err(PolicyError::Teacher)?);
        Ok(())
    }

    /// Gives `environment` a stream of its own for the actions of its next episode.
    pub fn seed_environment(&mut self, environment: usize, seed: RunSeed) {
        self.exploration.seed(environment, seed);
    }

    /// How much each part of the reward counts where an environment has no preference of its own.
    #[must_use]
    pub fn preference(&self) -> Preference {
        self.preferences.default
    }

    /// Sets the preference of environments that have none of their own. It means nothing to a policy that learnt with fixed weights.
    pub fn set_preference(&mut self, preference: Preference) {
        self.preferences.default = preference;
    }

    /// How much each part of the reward counts in `environment`.
    #[must_use]
    pub fn preference_of(&self, environment: usize) -> Preference {
        self.preferences.of(environment)
    }

    /// Gives `environment` a preference of its own.
    pub fn prefer(&mut self, environment: usize, preference: Preference) {
        self.preferences.set(environment, Some(preference));
    }

    /// Whether `environment`, which was seeded, explores in its next decisions, or takes what is best by its scores.
    pub fn explore(&mut self, environment: usize, draws: bool) {
        self.exploration.set_draws(environment, draws);
    }

    /// Replaces the weights by those of safetensors bytes, and the preference by the one in their header, where there is one.
    ///
    /// # Errors
    /// As [`Parameters::read_bytes`], and where the header's preference is none.
    pub fn read_weights(&mut self, bytes: &[u8]) -> Result<(), PolicyError> {
        self.inference = None;
        let preference = preference_in(bytes)?;
        self.network.parameters().read_bytes(bytes)?;
        self.preferences.default = preference.unwrap_or(self.preferences.default);
        Ok(())
    }

    /// Copies the weights of a network of the same shape.
    ///
    /// # Errors
    /// As [`Parameters::copy_from`].
    pub fn copy_weights(&mut self, from: &Parameters) -> Result<(), PolicyError> {
        self.inference = None;
        self.network.parameters().copy_from(from)
    }

    /// The schema of the states that the network reads.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        self.network.schema()
    }

    /// Takes the records of the last call of `decide`, one per request, in order.
    #[must_use]
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// What the rule that the policy starts from decides, or what is done where it decides nothing; `None` without such a rule.
    ///
    /// # Errors
    /// As [`Scheduler::decide`].
    pub fn decide_as_prior(
        &mut self,
        request: &DecisionRequest<'_>,
    ) -> Result<Option<Action>, SchedulerError> {
        let Some(prior) = self.prior.as_deref_mut() else { return Ok(None) };
        let decided = ask(prior, std::slice::from_ref(request))?;
        Ok(decided[0].or_else(|| default_action(&request.view)))
    }

    /// Decides one request and says why.
    ///
    /// # Errors
    /// As [`Scheduler::decide`].
    pub fn explain(
        &mut self,
        request: &DecisionRequest<'_>,
    ) -> Result<(Action, Explanation), SchedulerError> {
        let mut actions = Vec::new();
        self.decide(std::slice::from_ref(request), &mut actions)?;
        let record = self.records.first().expect("a decision has a record");
        if record.state.features.is_empty() {
            // An uncontested start: there was no other option, and no network was asked.
            return Ok((actions[0], Explanation::default()));
        }
        let names = self.observer.names(request);
        let choice = record.choice.expect("the network decides for an option");
        let explanation = explain(&self.network, &record.state, choice, &names);
        Ok((actions[0], explanation.map_err(|error| self.failure(error))?))
    }

    /// Decides for every state. A state with only one possible decision needs no forward pass.
    fn choose(&mut self, observed: &[Observed], environments: &[usize]) -> Result<Vec<Chosen>, PolicyError> {
        let open: Vec<usize> =
            (0..observed.len()).filter(|&place| !observed[place].state.is_forced()).collect();
        let mut chosen: Vec<Chosen> =
            observed.iter().map(|observed| Chosen::forced(&observed.state)).collect();
        if open.is_empty() {
            return Ok(chosen);
        }
        let states: Vec<&StateGraph> = open.iter().map(|&place| &observed[place].state).collect();
        let mut inference = match self.inference.take() {
            Some(inference) => inference,
            None => Inference::new(&self.network)?,
        };
        inference.embed(&states);
        self.pick_all(&open, environments, &mut inference, &mut chosen);
        self.inference = Some(inference);
        if !chosen.iter().all(|chosen| chosen.log_probability.is_finite()) {
            return Err(PolicyError::NotFinite("the probabilities that the policy gives are".to_owned()));
        }
        Ok(chosen)
    }

    /// Picks for the `open` states, which are those that were embedded.
    fn pick_all(
        &mut self,
        open: &[usize],
        environments: &[usize],
        inference: &mut Inference,
        chosen: &mut [Chosen],
    ) {
        let (scores, choices) = inference.scores();
        let mut alternatives = Vec::new();
        for (graph, &place) in open.iter().enumerate() {
            let options = choices.of(graph);
            alternatives.clear();
            alternatives.extend_from_slice(&scores[options.clone()]);
            let may_wait = choices.may_wait[graph];
            if may_wait {
                alternatives.push(scores[choices.options() + graph]);
            }
            let mut how = self.exploration.how(environments[place]);
            let (picked, log_probability) = if may_wait {
                pick_option_or_wait(&alternatives, &mut how)
            } else {
                pick(&alternatives, &mut how)
            };
            let choice = if picked < options.len() { Choice::Act(picked as u32) } else { Choice::Wait };
            chosen[place] = Chosen { choice, log_probability };
        }
    }

    /// Refuses a cluster that offers more or fewer sizes than the policy was made for.
    fn check_sizes(&self, requests: &[DecisionRequest<'_>]) -> Result<(), PolicyError> {
        let known = self.observer.sizes();
        let offered = requests.iter().find_map(|request| match request.view {
            ClusterView::Serverless(view) => {
                Some(view.spec().size_multiples.len()).filter(|&count| count != known)
            }
            ClusterView::Slots(_) => None,
        });
        offered.map_or(Ok(()), |offered| Err(PolicyError::Sizes { known, offered }))
    }

    fn failure(&self, error: impl std::error::Error + Send + Sync + 'static) -> SchedulerError {
        SchedulerError::Failed { scheduler: self.name.clone(), source: Box::new(error) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Chosen {
    choice: Choice,
    log_probability: f32,
}

impl Chosen {
    fn forced(state: &StateGraph) -> Self {
        let choice = if state.options > 0 { Choice::Act(0) } else { Choice::Wait };
        Chosen { choice, log_probability: 0.0 }
    }
}

impl Scheduler for PolicyScheduler {
    fn name(&self) -> &str {
        &self.name
    }

    fn interests(&self) -> Interests {
        let on = |kind| self.network.actions().contains(&kind);
        Interests {
            keep_alive: on(ActionKind::KeepAlive),
            evictions: on(ActionKind::Evict),
            pools: on(ActionKind::Release) || on(ActionKind::PreWarm),
            ..Interests::EVENTS
        }
    }

    fn episode_started(&mut self, environment: usize) {
        self.observer.episode_started(environment);
        for rule in self.prior.iter_mut().chain(&mut self.teacher) {
            rule.episode_started(environment);
        }
    }

    fn environment_copied(&mut self, from: usize, to: usize) {
        self.observer.environment_copied(from, to);
        self.preferences.copy(from, to);
        for rule in self.prior.iter_mut().chain(&mut self.teacher) {
            rule.environment_copied(from, to);
        }
    }

    fn decide(
        &mut self,
        requests: &[DecisionRequest<'_>],
        actions: &mut Vec<Action>,
    ) -> Result<(), SchedulerError> {
        if let Some(other) = requests.iter().find(|request| request.view.scenario() != self.scenario) {
            let (scheduler, scenario) = (self.name.clone(), other.view.scenario());
            return Err(SchedulerError::WrongScenario { scheduler, scenario });
        }
        self.check_sizes(requests).map_err(|error| self.failure(error))?;
        let priors = self.prior.as_deref_mut().map(|prior| ask(prior, requests)).transpose()?;
        let default = |place: usize| default_action(&requests[place].view);
        let taught = self.teacher.as_deref_mut().map(|teacher| ask(teacher, requests)).transpose()?;
        let observed: Result<Vec<Observed>, _> = requests
            .iter()
            .enumerate()
            .map(|(place, request)| {
                let prior = priors.as_ref().and_then(|all| all[place].or_else(|| default(place)));
                self.observer.observe(request, prior, &self.preferences.factors(request.environment))
            })
            .collect();
        let observed = observed.map_err(|error| self.failure(error))?;
        self.records.clear();
        let environments: Vec<usize> = requests.iter().map(|request| request.environment).collect();
        let chosen = self.choose(&observed, &environments).map_err(|error| self.failure(error))?;
        for (place, (observed, chosen)) in observed.into_iter().zip(chosen).enumerate() {
            let action = match (observed.uncontested, chosen.choice) {
                (Some(action), _) => action,
                (None, Choice::Wait) => Action::Wait,
                (None, Choice::Act(option)) => observed.actions[option as usize],
            };
            let Chosen { choice, log_probability } = chosen;
            let Some(taught) = &taught else {
                actions.push(action);
                self.records.push(Record { state: observed.state, choice: Some(choice), log_probability });
                continue;
            };
            // Half of the environments play what the scheduler decides, half what the policy does: so it learns what the scheduler
            // would do in states that only the policy leads to (DAgger, Ross, Gordon and Bagnell 2011).
            let expected = taught[place];
            let plays_scheduler = environments[place].is_multiple_of(2);
            actions.push(expected.filter(|_| plays_scheduler).unwrap_or(action));
            let choice = expected.and_then(|expected| observed.choice_of(expected));
            self.records.push(Record { state: observed.state, choice, log_probability: 0.0 });
        }
        Ok(())
    }
}
