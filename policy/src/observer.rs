//! Builds states from the information that a scheduler may see, for both scenarios.

use common::ids::{FunctionId, InvocationId, NodeId};
use common::name::printable;
use common::slots::{SlotsObservation, VisibleJob};
use common::trajectory::{Choice, Scenario};
use common::{Action, ActionKind, Patience, RunSeed, SimTime, Stream};
use configuration::{Config, PolicyConfig, SimulatorConfig};
use engine::serverless::ServerlessView;
use engine::slots::SlotsView;
use engine::{ClusterView, DecisionRequest};
use state_graph::serverless::{self, ServerlessGraph, TrackerError};
use state_graph::{EdgeType, NODE_TYPES, NodeType, Schema, StateGraph, StateGraphBuilder, Way, slots};

use crate::hidden_edges::without_edges;
use crate::neighbours::sampled;
use crate::network::PolicyNetwork;
use crate::options::{Options, closest};

/// Builds the states of all environments of a batch.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    /// Most edges of each type that a node samples; 0: all.
    neighbours: usize,
    hidden_edges: Vec<EdgeType>,
    schema: Schema,
    ways: Vec<Way>,
    /// Whether the policy may wait.
    waits: bool,
    builder: StateGraphBuilder,
    slots: SlotsObservation,
    /// The cluster of each environment, followed by its events.
    clusters: Vec<Option<ServerlessGraph>>,
    options: Options,
}

/// A state and the action of each of its options.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) state: StateGraph,
    pub(crate) actions: Vec<Action>,
    /// The decision to which there is no sensible alternative. The state is empty then.
    pub(crate) uncontested: Option<Action>,
}

impl Observed {
    fn open(state: StateGraph, actions: Vec<Action>) -> Self {
        Observed { state, actions, uncontested: None }
    }

    /// The place of `action` among the options, or *wait*; `None` where it cannot be chosen.
    pub(crate) fn choice_of(&self, action: Action) -> Option<Choice> {
        if action == Action::Wait {
            return self.state.may_wait.then_some(Choice::Wait);
        }
        let option = closest(&self.actions, action)?;
        Some(Choice::Act(option as u32))
    }
}

/// The schema of the states that a configured policy sees of a configured simulator.
#[must_use]
pub fn schema_of(config: &Config) -> Schema {
    let Config { simulator, policy, reward, .. } = config;
    let schema = match simulator.scenario {
        Scenario::Slots => slots::schema(),
        Scenario::Serverless => serverless::schema(simulator.serverless.size_multiples.len()),
    };
    let schema = if policy.levels { serverless::with_levels(schema) } else { schema };
    let schema = schema.with_ways(&ways_of(simulator, policy)).with_preference(&reward.shown_parts());
    if policy.prior.is_empty() { schema } else { schema.with_prior() }
}

/// The ways in which a configured policy acts.
fn ways_of(config: &SimulatorConfig, policy: &PolicyConfig) -> Vec<Way> {
    let sizes = match config.scenario {
        Scenario::Slots => 1,
        Scenario::Serverless => config.serverless.size_multiples.len(),
    };
    Way::all(config.scenario, sizes, &policy.actions)
}

impl Observer {
    /// Observes for `network`.
    pub(crate) fn new(network: &PolicyNetwork, scenario: Scenario) -> Self {
        let (schema, actions) = (network.schema().clone(), network.actions());
        let sizes = schema.ways.len() - Way::all(scenario, 0, actions).len();
        Observer {
            neighbours: network.neighbours(),
            hidden_edges: network.hidden_edges().to_vec(),
            ways: Way::all(scenario, sizes, actions),
            waits: actions.contains(&ActionKind::Wait),
            schema,
            ..Observer::default()
        }
    }

    /// Number of container sizes that the policy chooses from.
    pub(crate) fn sizes(&self) -> usize {
        self.ways.iter().filter(|way| matches!(way, Way::Start { .. })).count()
    }

    /// Forgets an environment.
    pub(crate) fn episode_started(&mut self, environment: usize) {
        if let Some(cluster) = self.clusters.get_mut(environment) {
            *cluster = None;
        }
    }

    /// The environment `to` goes on from where `from` is.
    pub(crate) fn environment_copied(&mut self, from: usize, to: usize) {
        self.clusters.resize(self.clusters.len().max(from.max(to) + 1), None);
        self.clusters[to] = self.clusters[from].clone();
    }

    /// The state of one request; `prior` is what the policy's prior would do, where it has one, and `preference` how much each part of
    /// the reward counts that the policy is told of.
    pub(crate) fn observe(
        &mut self,
        request: &DecisionRequest<'_>,
        prior: Option<Action>,
        preference: &[f32],
    ) -> Result<Observed, TrackerError> {
        let mut observed = match request.view {
            ClusterView::Slots(view) => self.observe_slots(view),
            ClusterView::Serverless(view) => self.observe_cluster(request.environment, view)?,
        };
        if observed.uncontested.is_some() {
            return Ok(observed);
        }
        if !preference.is_empty() {
            observed.state.add_preference(&self.schema, preference);
        }
        if self.schema.has_prior() {
            // What the rule would start may not be offered: it would delay a reservation, or is held back.
            let wait = || observed.state.may_wait.then_some(Choice::Wait);
            let decision = prior.and_then(|action| observed.choice_of(action)).or_else(wait);
            observed.state.mark_prior(&self.schema, decision);
        }
        if self.neighbours > 0
            && let ClusterView::Serverless(view) = request.view
        {
            // The seed depends on the simulated time alone, so that a repeated episode gets the same decisions.
            let mut rng = RunSeed::default().fast_rng(Stream::Neighbours, view.now().0);
            observed.state = sampled(&self.schema, observed.state, self.neighbours, &mut rng)
                .expect("edges of states join their nodes");
        }
        if !self.hidden_edges.is_empty() {
            observed.state = without_edges(&self.schema, observed.state, &self.hidden_edges);
        }
        Ok(observed)
    }

    /// Names of the nodes of the state that `request` has just been observed in, by type.
    pub(crate) fn names(&self, request: &DecisionRequest<'_>) -> [Vec<String>; NODE_TYPES] {
        let view = match request.view {
            ClusterView::Slots(_) => {
                let jobs = self.slots.visible.iter().map(|job| format!("job {}", job.id.0));
                let running = self.slots.running.iter().map(|job| format!("job {} (runs)", job.id.0));
                return [Vec::new(), vec!["machine".to_owned()], jobs.chain(running).collect(), Vec::new()];
            }
            ClusterView::Serverless(view) => view,
        };
        let cluster = self.clusters.get(request.environment).and_then(Option::as_ref);
        let legend =
            cluster.map(|cluster| cluster.legend(view.now(), &self.options.offer())).unwrap_or_default();
        // Names of recorded functions are hashes of 64 letters.
        let name = |function: FunctionId| {
            let name = printable(&view.spec().functions[function.0 as usize].name);
            format!("f{} {}", function.0, name.chars().take(32).collect::<String>())
        };
        let invocation = |(function, id): &(FunctionId, Option<InvocationId>)| match id {
            Some(id) => format!("invocation {} of {}", id.0, name(*function)),
            None => format!("a running one of {}", name(*function)),
        };
        [
            legend.functions.iter().map(|function| name(*function)).collect(),
            view.nodes().map(|node| format!("node {}", node.id.0)).collect(),
            legend.invocations.iter().map(invocation).collect(),
            legend.groups.iter().map(|group| format!("{group:?}").to_lowercase()).collect(),
        ]
    }

    fn observe_slots(&mut self, view: SlotsView<'_>) -> Observed {
        view.observe(&mut self.slots);
        // Where waiting is senseless, so is holding back: only the start, which is the first way, is left.
        let ways = if self.slots.may_wait { &self.ways[..] } else { &self.ways[..1] };
        self.slots.may_wait &= self.waits;
        let actions: Vec<Action> = slots::offered(&self.slots)
            .flat_map(|job| ways.iter().filter_map(|way| job_action(job, *way)))
            .collect();
        Observed::open(slots::state(&self.slots, ways.len(), &mut self.builder), actions)
    }

    fn observe_cluster(
        &mut self,
        environment: usize,
        view: ServerlessView<'_>,
    ) -> Result<Observed, TrackerError> {
        if self.clusters.len() <= environment {
            self.clusters.resize(environment + 1, None);
        }
        let levels = !self.schema.nodes[NodeType::Group as usize].is_empty();
        let cluster = self.clusters[environment].get_or_insert_with(|| {
            let graph = ServerlessGraph::new(view.spec());
            if levels { graph.with_levels() } else { graph }
        });
        cluster.apply(view.events())?;
        let uncontested = view.uncontested_start();
        if uncontested.is_some() {
            return Ok(Observed { uncontested, ..Observed::default() });
        }
        self.options.collect(&view, cluster, &self.ways, self.waits);
        let state = cluster.state(view.now(), &self.options.offer(), &mut self.builder);
        if state.options as usize != self.options.actions().len() {
            return Err(TrackerError::LostOptions { at: view.now() });
        }
        Ok(Observed::open(state, self.options.actions().to_vec()))
    }
}

/// What a way means for a job of `slots`.
fn job_action(job: &VisibleJob, way: Way) -> Option<Action> {
    let invocation = job.id;
    match way {
        Way::Start { .. } => Some(Action::Start { invocation, memory_mb: 0, node: NodeId(0) }),
        Way::Hold { multiple } => {
            let time = SimTime::from_seconds(multiple * f64::from(job.length));
            Some(Action::Hold { invocation, patience: Patience::For(time) })
        }
        _ => None,
    }
}
