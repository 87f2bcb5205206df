//! The policy and value networks, for either scenario.

use common::trajectory::{Choice, FORESIGHT};
use common::{ActionKind, RunSeed};
use configuration::PolicyConfig;
use state_graph::{EdgeType, Schema, StateGraph};
use tch::{Device, Kind, Tensor};
use torch_extension::process_group::ProcessGroup;

use crate::PolicyError;
use crate::batch::GraphBatch;
use crate::choices::Choices;
use crate::encoder::Encoder;
use crate::exchange::Across;
use crate::heads::ActionHeads;
use crate::layers::Linear;
use crate::parameters::{Initialiser, Parameters};
use crate::segment::{self, index};

/// Numbers that a value network is told of the episode beside the state.
pub const EPISODE_FACTS: usize = 6 + 3 * FORESIGHT.len();

/// What a learner knows of an episode and no scheduler does, each of order one. Returns differ most by these; a baseline may use
/// whatever does not depend on the decision (asymmetric actor-critic, Pinto et al. 2018).
pub type EpisodeFacts = [f32; EPISODE_FACTS];

/// Distance between the first random streams of two networks, so that their initial values use different streams.
const NETWORK_STREAMS: u64 = 1 << 20;

/// The policy network: a distribution over the options of a state and *wait*.
#[derive(Debug)]
pub struct PolicyNetwork {
    schema: Schema,
    /// Name of the rule whose decisions the scores start from; empty: none.
    prior: String,
    actions: Vec<ActionKind>,
    neighbours: usize,
    hidden_edges: Vec<EdgeType>,
    encoder: Encoder,
    heads: ActionHeads,
    parameters: Parameters,
}

/// Probabilities and entropies of given decisions under the policy. Tensors have the kind and device of the batch.
#[derive(Debug)]
pub struct Evaluation {
    /// `[graphs]`: log-probability of the decision, nats.
    pub log_probability: Tensor,
    /// `[graphs]`: entropy / log(alternatives), a fraction 0–1; zero where there is one alternative.
    pub entropy: Tensor,
}

impl PolicyNetwork {
    /// A network with initial weights drawn from `seed`.
    #[must_use]
    pub fn new(schema: &Schema, config: &PolicyConfig, seed: RunSeed) -> Self {
        Self::with_options(schema, config, seed, (Kind::Float, Device::Cpu))
    }

    /// Like `new`, with parameters of another kind (`Double` is for checking gradients) or on another device.
    #[must_use]
    pub fn with_options(
        schema: &Schema,
        config: &PolicyConfig,
        seed: RunSeed,
        options: (Kind, Device),
    ) -> Self {
        let mut init = Initialiser::new(seed, 0, options);
        let encoder = Encoder::new(&mut init, schema, config, config.layers);
        let heads = ActionHeads::new(&mut init, schema, config);
        let parameters = init.finish();
        PolicyNetwork {
            schema: schema.clone(),
            neighbours: config.neighbours,
            hidden_edges: config.hidden_edges.clone(),
            prior: config.prior.clone(),
            actions: config.actions.clone(),
            encoder,
            heads,
            parameters,
        }
    }

    /// The network's parameters, which share memory with its layers.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The schema of the states that the network reads.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The rule that the policy starts from, if it has one.
    pub(crate) fn prior(&self) -> Option<&str> {
        self.schema.has_prior().then_some(self.prior.as_str())
    }

    /// The kinds of decisions that the policy makes.
    pub(crate) fn actions(&self) -> &[ActionKind] {
        &self.actions
    }

    /// Most edges of each type that a node samples; 0 means all edges.
    pub(crate) fn neighbours(&self) -> usize {
        self.neighbours
    }

    /// Edge types that the network does not see.
    pub(crate) fn hidden_edges(&self) -> &[EdgeType] {
        &self.hidden_edges
    }

    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    pub(crate) fn heads(&self) -> &ActionHeads {
        &self.heads
    }

    /// Evaluates the decisions `taken`, one choice per graph, with gradients. `dropout` is the fraction of the
    /// attention's outputs that is dropped. When graphs are spread over ranks, all ranks of `group` must call this with
    /// their parts of the batch.
    ///
    /// # Errors
    /// [`PolicyError::Ranks`] when a rank is lost or late, [`PolicyError::Alone`] for a spread batch without a group.
    pub fn evaluate(
        &self,
        batch: &GraphBatch,
        taken: &[Choice],
        dropout: f64,
        group: Option<&ProcessGroup>,
    ) -> Result<Evaluation, PolicyError> {
        let scores = self.scores(batch, dropout, group)?;
        Ok(distribution(&scores, &batch.choices, taken))
    }

    /// `[graphs]`: the Q-values of the decisions `taken`, with gradients.
    ///
    /// # Errors
    /// As [`PolicyNetwork::evaluate`].
    pub fn q_values(
        &self,
        batch: &GraphBatch,
        taken: &[Choice],
        dropout: f64,
        group: Option<&ProcessGroup>,
    ) -> Result<Tensor, PolicyError> {
        let scores = self.scores(batch, dropout, group)?;
        Ok(scores.index_select(0, &index(&batch.choices.rows(taken), scores.device())))
    }

    /// The decision with the highest Q-value in each graph, the first of equals.
    ///
    /// # Errors
    /// As [`PolicyNetwork::evaluate`].
    pub fn best_choices(
        &self,
        batch: &GraphBatch,
        group: Option<&ProcessGroup>,
    ) -> Result<Vec<Choice>, PolicyError> {
        let scores = Vec::<f32>::try_from(&self.scores(batch, 0.0, group)?)?;
        Ok(batch.choices.best(&scores))
    }

    /// `[options + graphs]`: one for each option, then one for *wait* in each graph.
    fn scores(
        &self,
        batch: &GraphBatch,
        dropout: f64,
        group: Option<&ProcessGroup>,
    ) -> Result<Tensor, PolicyError> {
        let mut embeddings = self.encoder.forward(batch, group, dropout)?;
        if let Some(across) = Across::of(batch.spread.as_ref(), group)? {
            embeddings.nodes = across.with_decisive(&embeddings.nodes)?;
        }
        Ok(self.heads.scores(batch, &embeddings))
    }
}

/// The softmax of `scores` (one for each option, then one for *wait* in each graph) over each graph.
fn distribution(scores: &Tensor, choices: &Choices, taken: &[Choice]) -> Evaluation {
    let index = |values: &[i64]| index(values, scores.device());
    let segments = taken.len() as i64;
    let graphs: Vec<i64> = choices.graphs.iter().copied().chain(0..segments).collect();
    let alternatives: Vec<i64> = (0..taken.len()).map(|graph| choices.alternatives(graph) as i64).collect();
    let graphs = index(&graphs);
    let logs = segment::log_softmax(scores, &graphs, segments);
    let alternatives = index(&alternatives).to_kind(scores.kind());
    let decided = alternatives.gt(1.0).to_kind(scores.kind());
    Evaluation {
        log_probability: logs.index_select(0, &index(&choices.rows(taken))),
        entropy: segment::entropy(&logs, &graphs, segments) / alternatives.clamp_min(2.0).log() * decided,
    }
}

impl PolicyNetwork {
    /// Log-probability of every option of one state and, last, of *wait* (−∞ where it is not allowed), nats.
    pub(crate) fn evaluate_all(&self, state: &StateGraph) -> Result<Vec<f64>, PolicyError> {
        let batch = GraphBatch::collate(&self.schema, &[state]);
        let embeddings = self.encoder.forward(&batch, None, 0.0)?;
        let graphs = vec![0; state.options as usize + 1];
        let logs =
            segment::log_softmax(&self.heads.scores(&batch, &embeddings), &index(&graphs, Device::Cpu), 1);
        let mut logs: Vec<f64> = Vec::try_from(&logs.to_kind(Kind::Double))?;
        if let (false, Some(wait)) = (state.may_wait, logs.last_mut()) {
            *wait = f64::NEG_INFINITY;
        }
        Ok(logs)
    }
}

/// Estimates the return of a state, in units of the learner's return scale. It shares no weights with the policy.
#[derive(Debug)]
pub struct ValueNetwork {
    encoder: Encoder,
    output: [Linear; 2],
    parameters: Parameters,
}

impl ValueNetwork {
    /// A network with initial weights drawn from `seed`.
    #[must_use]
    pub fn new(schema: &Schema, config: &PolicyConfig, seed: RunSeed) -> Self {
        Self::with_options(schema, config, seed, (Kind::Float, Device::Cpu))
    }

    /// Like `new`, with parameters of another kind (`Double` is for checking gradients) or on another device.
    #[must_use]
    pub fn with_options(
        schema: &Schema,
        config: &PolicyConfig,
        seed: RunSeed,
        options: (Kind, Device),
    ) -> Self {
        let mut init = Initialiser::new(seed, NETWORK_STREAMS, options);
        let encoder = Encoder::new(&mut init, schema, config, config.value_layers);
        let output = [
            Linear::new(
                &mut init,
                "value.0",
                config.width + EPISODE_FACTS,
                config.width,
                std::f64::consts::SQRT_2,
            ),
            Linear::new(&mut init, "value.1", config.width, 1, 0.1),
        ];
        ValueNetwork { encoder, output, parameters: init.finish() }
    }

    /// The network's parameters, which share memory with its layers.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// `[graphs]`: the estimated return of each state of the batch, given the `facts` of its episode. When graphs are spread over ranks, all ranks of `group` must
    /// call this.
    ///
    /// # Errors
    /// As [`PolicyNetwork::evaluate`].
    pub fn forward(
        &self,
        batch: &GraphBatch,
        facts: &[EpisodeFacts],
        group: Option<&ProcessGroup>,
    ) -> Result<Tensor, PolicyError> {
        let context = self.encoder.forward(batch, group, 0.0)?.context;
        let facts = Tensor::from_slice(facts.as_flattened()).view([-1, EPISODE_FACTS as i64]);
        let facts = facts.to_device(context.device()).to_kind(context.kind());
        let known = Tensor::cat(&[context, facts], 1);
        Ok(self.output[1].forward(&self.output[0].forward_relu(&known)).squeeze_dim(1))
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
