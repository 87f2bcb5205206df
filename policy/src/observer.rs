//! Builds states from the information that a scheduler may see, for both scenarios.

use common::cluster::StartOption;
use common::ids::{FunctionId, InvocationId, NodeId};
use common::name::printable;
use common::slots::SlotsObservation;
use common::trajectory::{Choice, Scenario};
use common::{Action, RunSeed, Stream};
use configuration::{PolicyConfig, SimulatorConfig};
use engine::serverless::ServerlessView;
use engine::slots::SlotsView;
use engine::{ClusterView, DecisionRequest};
use state_graph::serverless::{self, PENDING_WINDOW, ServerlessGraph, TrackerError};
use state_graph::{NODE_TYPES, Schema, StateGraph, StateGraphBuilder, slots};

use crate::neighbours::sampled;

/// Builds the states of all environments of a batch.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    /// Most edges of each type that a node samples; 0: all.
    neighbours: usize,
    schema: Schema,
    builder: StateGraphBuilder,
    slots: SlotsObservation,
    /// The cluster of each environment, followed by its events.
    clusters: Vec<Option<ServerlessGraph>>,
    options: Vec<StartOption>,
}

/// A state and the action of each of its options.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) state: StateGraph,
    pub(crate) actions: Vec<Action>,
}

/// The schema of the states that a configured policy sees of a configured simulator.
#[must_use]
pub fn schema_of(config: &SimulatorConfig, policy: &PolicyConfig) -> Schema {
    let schema = match config.scenario {
        Scenario::Slots => slots::schema(),
        Scenario::Serverless => serverless::schema(config.serverless.size_multiples.len()),
    };
    if policy.prior.is_empty() { schema } else { schema.with_prior() }
}

impl Observer {
    /// Every node samples at most `neighbours` edges of each type; 0 means all edges.
    pub(crate) fn new(neighbours: usize, schema: &Schema) -> Self {
        Observer { neighbours, schema: schema.clone(), ..Observer::default() }
    }

    /// Forgets an environment.
    pub(crate) fn episode_started(&mut self, environment: usize) {
        if let Some(cluster) = self.clusters.get_mut(environment) {
            *cluster = None;
        }
    }

    /// The state of one request; `prior` is what the policy's prior would do.
    pub(crate) fn observe(
        &mut self,
        request: &DecisionRequest<'_>,
        prior: Option<Action>,
    ) -> Result<Observed, TrackerError> {
        let mut observed = match request.view {
            ClusterView::Slots(view) => self.observe_slots(view),
            ClusterView::Serverless(view) => self.observe_cluster(request.environment, view)?,
        };
        if let Some(action) = prior {
            let option = observed.actions.iter().position(|one| *one == action);
            let wait = (action == Action::Wait).then_some(Choice::Wait);
            let decision = option.map(|option| Choice::Start(option as u32)).or(wait);
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
        Ok(observed)
    }

    /// Names of the nodes of the state that `request` has just been observed in, by type.
    pub(crate) fn names(&self, request: &DecisionRequest<'_>) -> [Vec<String>; NODE_TYPES] {
        let view = match request.view {
            ClusterView::Slots(_) => {
                let jobs = self.slots.visible.iter().map(|job| format!("job {}", job.id.0));
                let running = self.slots.running.iter().map(|job| format!("job {} (runs)", job.id.0));
                return [Vec::new(), vec!["machine".to_owned()], jobs.chain(running).collect()];
            }
            ClusterView::Serverless(view) => view,
        };
        let cluster = self.clusters.get(request.environment).and_then(Option::as_ref);
        let legend = cluster.map(|cluster| cluster.legend(view.now(), &self.options)).unwrap_or_default();
        // Names of recorded functions are hashes of 64 letters.
        let name = |function: FunctionId| {
            let name = printable(&view.spec().functions[function.0 as usize].name);
            format!("f{} {}", function.0, name.chars().take(12).collect::<String>())
        };
        let invocation = |(function, id): &(FunctionId, Option<InvocationId>)| match id {
            Some(id) => format!("invocation {} of {}", id.0, name(*function)),
            None => format!("a running one of {}", name(*function)),
        };
        [
            legend.functions.iter().map(|function| name(*function)).collect(),
            view.nodes().map(|node| format!("node {}", node.id.0)).collect(),
            legend.invocations.iter().map(invocation).collect(),
        ]
    }

    fn observe_slots(&mut self, view: SlotsView<'_>) -> Observed {
        view.observe(&mut self.slots);
        let fitting = self.slots.visible.iter().filter(|job| job.earliest_fit == 0);
        let start = |id| Action::Start { invocation: id, memory_mb: 0, node: NodeId(0) };
        let actions = fitting.map(|job| start(job.id)).collect();
        Observed { state: slots::state(&self.slots, &mut self.builder), actions }
    }

    fn observe_cluster(
        &mut self,
        environment: usize,
        view: ServerlessView<'_>,
    ) -> Result<Observed, TrackerError> {
        if self.clusters.len() <= environment {
            self.clusters.resize(environment + 1, None);
        }
        let cluster = self.clusters[environment].get_or_insert_with(|| ServerlessGraph::new(view.spec()));
        cluster.apply(view.events())?;
        view.start_options(PENDING_WINDOW, &mut self.options);
        let start = |option: &StartOption| Action::Start {
            invocation: option.invocation,
            memory_mb: option.memory_mb,
            node: option.node,
        };
        let state = cluster.state(view.now(), &self.options, &mut self.builder);
        Ok(Observed { state, actions: self.options.iter().map(start).collect() })
    }
}
