//! The policy and value networks, for either scenario.

use common::RunSeed;
use common::trajectory::Choice;
use configuration::PolicyConfig;
use state_graph::{Schema, StateGraph};
use tch::{Device, Kind, Tensor};
use torch_extension::process_group::ProcessGroup;

use crate::PolicyError;
use crate::batch::GraphBatch;
use crate::encoder::{Embeddings, Encoder};
use crate::exchange::Across;
use crate::heads::{ActionHeads, StageRows};
use crate::layers::Linear;
use crate::parameters::{Initialiser, Parameters};
use crate::segment::{self, index};

/// Distance between the first random streams of two networks, so that their initial values use different streams.
const NETWORK_STREAMS: u64 = 1 << 20;

/// The policy network: a distribution over decisions (invocation or *wait*, size, node).
#[derive(Debug)]
pub struct PolicyNetwork {
    schema: Schema,
    /// Name of the rule whose decisions the scores start from; empty: none.
    prior: String,
    neighbours: usize,
    encoder: Encoder,
    heads: ActionHeads,
    parameters: Parameters,
}

/// Probabilities and entropies of given decisions under the policy. Tensors have the kind and device of the batch.
#[derive(Debug)]
pub struct Evaluation {
    /// `[graphs, 3]`: log-probability of each stage, nats; zero where a stage had only one alternative.
    pub stages: Tensor,
    /// `[graphs]`: log-probability of the whole decision, nats: the sum over the stages.
    pub log_probability: Tensor,
    /// `[graphs]`: entropy / log(alternatives), averaged over the stages with at least two alternatives; a fraction
    /// 0–1.
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
        let (schema, prior) = (schema.clone(), config.prior.clone());
        PolicyNetwork { schema, neighbours: config.neighbours, prior, encoder, heads, parameters }
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

    /// Most edges of each type that a node samples; 0 means all edges.
    pub(crate) fn neighbours(&self) -> usize {
        self.neighbours
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
        let mut embeddings = self.encoder.forward(batch, group, dropout)?;
        if let Some(across) = Across::of(batch.spread.as_ref(), group)? {
            embeddings.nodes = across.with_decisive(&embeddings.nodes)?;
        }
        let width = self.schema.options.len();
        let (mut sizes, mut nodes) = (StageRows::default(), StageRows::default());
        let choices = &batch.choices;
        let candidates = choices.candidate_nodes.len();
        let mut which_taken = Vec::with_capacity(taken.len());
        let mut started: Vec<Option<usize>> = Vec::with_capacity(taken.len());
        for (graph, choice) in taken.iter().enumerate() {
            let Choice::Start(option) = choice else {
                which_taken.push((candidates + graph) as i64);
                started.push(None);
                continue;
            };
            let option = choices.option_starts[graph] + *option as usize;
            let candidate = choices.candidate_of(graph, option);
            which_taken.push(candidate as i64);
            started.push(Some(option));
            sizes.push_sizes(choices, width, graph, candidate);
            nodes.push_nodes(choices, width, graph, candidate, choices.option_sizes[option]);
        }
        let which = self.which_stage(batch, &embeddings, &which_taken);
        let size = later_stage(
            &sizes,
            batch,
            || self.heads.size(&embeddings, &sizes),
            |row| {
                let option = started[sizes.graphs[row] as usize];
                option.is_some_and(|option| i64::from(choices.option_sizes[option]) == sizes.sizes[row])
            },
        );
        let node = later_stage(
            &nodes,
            batch,
            || self.heads.node(&embeddings, &nodes),
            |row| started[nodes.graphs[row] as usize] == Some(nodes.options[row]),
        );
        Ok(combine(&[which, size, node]))
    }

    fn which_stage(&self, batch: &GraphBatch, embeddings: &Embeddings, taken: &[i64]) -> Stage {
        let choices = &batch.choices;
        let mut graphs = choices.candidate_graphs.clone();
        graphs.extend(0..batch.graphs);
        let counts: Vec<i64> = (0..taken.len())
            .map(|graph| choices.candidates(graph).len() as i64 + i64::from(choices.may_wait[graph]))
            .collect();
        Stage::new(&self.heads.which(batch, embeddings), &graphs, taken, &counts)
    }
}

/// Choices of one state that are evaluated in one batch.
const EXPLAINED_TOGETHER: usize = 64;

impl PolicyNetwork {
    /// Log-probability of every option of one state and, last, of *wait* (−∞ where it is not allowed), nats, each with those of
    /// its three stages.
    pub(crate) fn evaluate_all(&self, state: &StateGraph) -> Result<Vec<[f64; 3]>, PolicyError> {
        let wait = state.may_wait.then_some(Choice::Wait);
        let choices: Vec<Choice> = (0..state.options).map(Choice::Start).chain(wait).collect();
        let mut all: Vec<[f64; 3]> = Vec::with_capacity(choices.len());
        // A batch has a copy of the graph for each choice: few at a time, so that memory does not follow options × graph.
        for choices in choices.chunks(EXPLAINED_TOGETHER) {
            let batch = GraphBatch::collate(&self.schema, &vec![state; choices.len()]);
            let stages = self.evaluate(&batch, choices, 0.0, None)?.stages;
            let at = |row: usize| [0, 1, 2].map(|stage| stages.double_value(&[row as i64, stage]));
            all.extend((0..choices.len()).map(at));
        }
        if !state.may_wait {
            all.push([f64::NEG_INFINITY, 0.0, 0.0]);
        }
        Ok(all)
    }
}

/// One stage over all graphs; each tensor is `[graphs]`.
struct Stage {
    log_probability: Tensor,
    entropy: Tensor,
    decided: Tensor,
}

impl Stage {
    fn new(logits: &Tensor, graphs: &[i64], taken: &[i64], counts: &[i64]) -> Self {
        let everybody: Vec<i64> = (0..counts.len() as i64).collect();
        Self::scattered(logits, graphs, taken, counts, &everybody)
    }

    /// `taken` holds the chosen row of each of the `decided` graphs.
    fn scattered(logits: &Tensor, graphs: &[i64], taken: &[i64], counts: &[i64], decided: &[i64]) -> Self {
        let segments = counts.len() as i64;
        let index = |values| index(values, logits.device());
        let graphs = index(graphs);
        let logs = segment::log_softmax(logits, &graphs, segments);
        let chosen = logs.index_select(0, &index(taken));
        let log_probability = segment::sum(&chosen, &index(decided), segments);
        let alternatives = index(counts).to_kind(logits.kind());
        let decided = alternatives.gt(1.0).to_kind(logits.kind());
        let entropy =
            segment::entropy(&logs, &graphs, segments) / alternatives.clamp_min(2.0).log() * &decided;
        Stage { log_probability, entropy, decided }
    }
}

fn later_stage(
    rows: &StageRows,
    batch: &GraphBatch,
    logits: impl FnOnce() -> Tensor,
    is_taken: impl Fn(usize) -> bool,
) -> Stage {
    let options = (batch.globals.kind(), batch.globals.device());
    if rows.len() == 0 {
        let zero = || Tensor::zeros([batch.graphs], options);
        return Stage { log_probability: zero(), entropy: zero(), decided: zero() };
    }
    let mut counts = vec![0_i64; batch.graphs as usize];
    rows.graphs.iter().for_each(|&graph| counts[graph as usize] += 1);
    // Alternatives of one graph are adjacent, so the taken ones come in the order of their graphs.
    let taken: Vec<i64> = (0..rows.len()).filter(|&row| is_taken(row)).map(|row| row as i64).collect();
    let decided: Vec<i64> = (0..batch.graphs).filter(|&graph| counts[graph as usize] > 0).collect();
    Stage::scattered(&logits(), &rows.graphs, &taken, &counts, &decided)
}

fn combine(stages: &[Stage; 3]) -> Evaluation {
    let columns: Vec<&Tensor> = stages.iter().map(|stage| &stage.log_probability).collect();
    let table = Tensor::stack(&columns, 1);
    let entropies: Tensor = stages.iter().map(|stage| &stage.entropy).sum();
    let decided: Tensor = stages.iter().map(|stage| &stage.decided).sum();
    Evaluation {
        log_probability: table.sum_dim_intlist([1_i64].as_slice(), false, None),
        stages: table,
        entropy: entropies / decided.clamp_min(1.0),
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
            Linear::new(&mut init, "value.0", config.width, config.width, std::f64::consts::SQRT_2),
            Linear::new(&mut init, "value.1", config.width, 1, 0.1),
        ];
        ValueNetwork { encoder, output, parameters: init.finish() }
    }

    /// The network's parameters, which share memory with its layers.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// `[graphs]`: the estimated return of each state. When graphs are spread over ranks, all ranks of `group` must
    /// call this.
    ///
    /// # Errors
    /// As [`PolicyNetwork::evaluate`].
    pub fn forward(&self, batch: &GraphBatch, group: Option<&ProcessGroup>) -> Result<Tensor, PolicyError> {
        let context = self.encoder.forward(batch, group, 0.0)?.context;
        Ok(self.output[1].forward(&self.output[0].forward_relu(&context)).squeeze_dim(1))
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
