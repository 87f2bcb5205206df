//! The learnt policy as a scheduler: one forward pass for all environments that ask.

use std::fmt;

use common::trajectory::{Choice, Scenario};
use common::{Action, RunSeed, Stream};
use configuration::PolicyConfig;
use engine::{DecisionRequest, Interests, Scheduler, SchedulerError};
use rand_chacha::ChaCha8Rng;
use state_graph::{Schema, StateGraph};

use crate::choices::Choices;
use crate::explain::{Explanation, explain};
use crate::heads::StageRows;
use crate::inference::Inference;
use crate::network::PolicyNetwork;
use crate::observer::{Observed, Observer};
use crate::sampling::{Pick, pick, pick_start_or_wait};
use crate::{Parameters, PolicyError};

/// How a scheduler decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// For evaluation: *wait* where it is more probable than all starts together; else the most probable invocation, then its most
    /// probable size, then node, the first of equals.
    Greedy,
    /// A draw from each stage's probabilities, with a random stream for each environment: for learning.
    Sample,
}

/// One decision with the state that it was made in, as an actor stores it for learning.
#[derive(Debug)]
pub struct Record {
    /// The state graph in which the decision was made.
    pub state: StateGraph,
    /// The chosen option, or *wait*.
    pub choice: Choice,
    /// Log-probability of each stage (invocation, size, node), nats; 0 where a stage had at most one alternative.
    pub log_probability: [f32; 3],
}

/// A policy network that schedules.
pub struct PolicyScheduler {
    name: String,
    scenario: Scenario,
    network: PolicyNetwork,
    /// A copy of the weights on plain arrays, for fast decisions; `None` after the weights have changed.
    inference: Option<Inference>,
    behaviour: Behaviour,
    observer: Observer,
    /// The rule whose decisions the scores start from.
    prior: Option<Box<dyn Scheduler>>,
    streams: Vec<ChaCha8Rng>,
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
        Ok(PolicyScheduler {
            name: name.to_owned(),
            scenario,
            prior: network.prior().map(|prior| prior_rule(prior, scenario)).transpose()?,
            observer: Observer::new(network.neighbours(), network.schema()),
            network,
            inference: None,
            behaviour,
            streams: Vec::new(),
            records: Vec::new(),
        })
    }

    /// Gives `environment` a stream of its own for the actions of its next episode.
    pub fn seed_environment(&mut self, environment: usize, seed: RunSeed) {
        while self.streams.len() <= environment {
            self.streams.push(RunSeed::default().rng(Stream::Actions, 0));
        }
        self.streams[environment] = seed.rng(Stream::Actions, 0);
    }

    /// Replaces the weights by those of safetensors bytes.
    ///
    /// # Errors
    /// As [`Parameters::read_bytes`].
    pub fn read_weights(&mut self, bytes: &[u8]) -> Result<(), PolicyError> {
        self.inference = None;
        self.network.parameters().read_bytes(bytes)
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
        let names = self.observer.names(request);
        let record = self.records.first().expect("a decision has a record");
        let explanation = explain(&self.network, &record.state, record.choice, &names);
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
        let mut draft = Draft::new(&open, environments);
        self.pick_invocations(&mut draft, &mut inference);
        self.pick_sizes(&mut draft, &mut inference);
        self.pick_nodes(&mut draft, &mut inference);
        for (graph, &place) in open.iter().enumerate() {
            chosen[place] = draft.chosen(graph, inference.choices());
            if !chosen[place].log_probability.iter().all(|number| number.is_finite()) {
                return Err(PolicyError::NotFinite("the probabilities that the policy gives are".to_owned()));
            }
        }
        self.inference = Some(inference);
        Ok(chosen)
    }

    fn failure(&self, error: impl std::error::Error + Send + Sync + 'static) -> SchedulerError {
        SchedulerError::Failed { scheduler: self.name.clone(), source: Box::new(error) }
    }

    /// How `environment` picks now.
    fn how(&mut self, environment: usize) -> Pick<'_, ChaCha8Rng> {
        match self.behaviour {
            Behaviour::Greedy => Pick::Greedy,
            Behaviour::Sample => {
                if self.streams.len() <= environment {
                    self.seed_environment(environment, RunSeed(environment as u64));
                }
                Pick::Sample(&mut self.streams[environment])
            }
        }
    }

    fn pick_invocations(&mut self, draft: &mut Draft, inference: &mut Inference) {
        let which = inference.which().to_vec();
        let choices = inference.choices();
        let candidates = choices.candidate_nodes.len();
        let mut scores = Vec::new();
        for graph in 0..choices.may_wait.len() {
            let range = choices.candidates(graph);
            scores.clear();
            scores.extend_from_slice(&which[range.clone()]);
            if choices.may_wait[graph] {
                scores.push(which[candidates + graph]);
            }
            let mut how = self.how(draft.environments[graph]);
            let (place, log_probability) = if choices.may_wait[graph] {
                pick_start_or_wait(&scores, &mut how)
            } else {
                pick(&scores, &mut how)
            };
            draft.log_probabilities[graph][0] = log_probability;
            if place < range.len() {
                let candidate = range.start + place;
                let option = choices.options(candidate).start;
                draft.taken[graph] = Some((candidate, option));
            }
        }
    }

    fn pick_sizes(&mut self, draft: &mut Draft, inference: &mut Inference) {
        let (choices, width) = (inference.choices(), self.network.schema().options.len());
        let mut rows = StageRows::default();
        for (graph, taken) in draft.taken.iter().enumerate() {
            if let Some((candidate, _)) = taken {
                rows.push_sizes(choices, width, graph, *candidate);
            }
        }
        if rows.len() > 0 {
            self.pick_stage(draft, &rows, 1, inference.size(&rows));
        }
    }

    fn pick_nodes(&mut self, draft: &mut Draft, inference: &mut Inference) {
        let (choices, width) = (inference.choices(), self.network.schema().options.len());
        let mut rows = StageRows::default();
        for (graph, taken) in draft.taken.iter().enumerate() {
            if let Some((candidate, option)) = taken {
                rows.push_nodes(choices, width, graph, *candidate, choices.option_sizes[*option]);
            }
        }
        if rows.len() > 0 {
            self.pick_stage(draft, &rows, 2, inference.node(&rows));
        }
    }

    fn pick_stage(&mut self, draft: &mut Draft, rows: &StageRows, stage: usize, scores: &[f32]) {
        let mut start = 0;
        for same in rows.graphs.chunk_by(|a, b| a == b) {
            let graph = same[0] as usize;
            let (place, log_probability) =
                pick(&scores[start..start + same.len()], &mut self.how(draft.environments[graph]));
            draft.log_probabilities[graph][stage] = log_probability;
            if let Some((_, option)) = &mut draft.taken[graph] {
                *option = rows.options[start + place];
            }
            start += same.len();
        }
    }
}

/// Unfinished decisions, one for each graph of the batch.
struct Draft {
    environments: Vec<usize>,
    taken: Vec<Option<(usize, usize)>>,
    log_probabilities: Vec<[f32; 3]>,
}

impl Draft {
    fn new(open: &[usize], environments: &[usize]) -> Self {
        Draft {
            environments: open.iter().map(|&place| environments[place]).collect(),
            taken: vec![None; open.len()],
            log_probabilities: vec![[0.0; 3]; open.len()],
        }
    }

    fn chosen(&self, graph: usize, choices: &Choices) -> Chosen {
        let first = choices.option_starts[graph];
        let choice =
            self.taken[graph].map_or(Choice::Wait, |(_, option)| Choice::Start((option - first) as u32));
        Chosen { choice, log_probability: self.log_probabilities[graph] }
    }
}

#[derive(Clone, Copy, Debug)]
struct Chosen {
    choice: Choice,
    log_probability: [f32; 3],
}

impl Chosen {
    fn forced(state: &StateGraph) -> Self {
        let choice = if state.options > 0 { Choice::Start(0) } else { Choice::Wait };
        Chosen { choice, log_probability: [0.0; 3] }
    }
}

/// Refuses a prior that is no rule, or decides more than starts.
///
/// # Errors
/// [`PolicyError::Prior`].
pub fn check_prior(config: &PolicyConfig, scenario: Scenario) -> Result<(), PolicyError> {
    if config.prior.is_empty() {
        return Ok(());
    }
    prior_rule(&config.prior, scenario).map(|_| ())
}

/// The rule called `name`, which must decide about starts alone: about all else a policy with a prior is not asked.
fn prior_rule(name: &str, scenario: Scenario) -> Result<Box<dyn Scheduler>, PolicyError> {
    let rule =
        heuristics::heuristic(name, scenario).map_err(|error| PolicyError::Prior(error.to_string()))?;
    let Interests { keep_alive, pools, foresight, .. } = rule.interests();
    if keep_alive || pools || foresight {
        let message = format!("`{name}` decides more than starts; take a rule with keep-alive `configured`");
        return Err(PolicyError::Prior(message));
    }
    Ok(rule)
}

impl Scheduler for PolicyScheduler {
    fn name(&self) -> &str {
        &self.name
    }

    fn interests(&self) -> Interests {
        Interests::EVENTS
    }

    fn episode_started(&mut self, environment: usize) {
        self.observer.episode_started(environment);
        if let Some(prior) = &mut self.prior {
            prior.episode_started(environment);
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
        let mut priors = Vec::new();
        if let Some(prior) = &mut self.prior {
            prior.decide(requests, &mut priors)?;
        }
        let observed: Result<Vec<Observed>, _> = requests
            .iter()
            .enumerate()
            .map(|(place, request)| self.observer.observe(request, priors.get(place).copied()))
            .collect();
        let observed = observed.map_err(|error| self.failure(error))?;
        let environments: Vec<usize> = requests.iter().map(|request| request.environment).collect();
        let chosen = self.choose(&observed, &environments).map_err(|error| self.failure(error))?;
        self.records.clear();
        for (observed, chosen) in observed.into_iter().zip(chosen) {
            let action = match chosen.choice {
                Choice::Wait => Action::Wait,
                Choice::Start(option) => observed.actions[option as usize],
            };
            actions.push(action);
            let Chosen { choice, log_probability } = chosen;
            self.records.push(Record { state: observed.state, choice, log_probability });
        }
        Ok(())
    }
}
