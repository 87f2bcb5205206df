//! The three stages of a decision: which invocation starts (or *wait*), with which size, on which node. Each stage is
//! conditioned on those before; scores are computed on embeddings, so any number of nodes works.

use configuration::PolicyConfig;
use state_graph::Schema;
use tch::{Device, Kind, Tensor};

use crate::batch::{GraphBatch, matrix};
use crate::choices::{Choices, marks};
use crate::encoder::Embeddings;
use crate::layers::Linear;
use crate::parameters::Initialiser;
use crate::segment::index;

/// Score of a masked alternative. It is finite, because −∞ would give NaN in the entropy.
const MASKED: f64 = -1e9;
/// Gain of the last layers: the first policy is close to uniform.
const LAST_GAIN: f64 = 0.1;

/// The layers that compute the scores of all three stages.
#[derive(Debug)]
pub(crate) struct ActionHeads {
    pub(crate) candidate: Linear,
    pub(crate) candidate_context: Linear,
    pub(crate) candidate_options: Option<Linear>,
    pub(crate) candidate_score: Linear,
    pub(crate) wait: [Linear; 2],
    pub(crate) size: StageHead,
    pub(crate) node: StageHead,
    pub(crate) node_resource: Linear,
    /// Score that is added to what the prior would do, nats; `None` without a prior.
    pub(crate) prior: Option<f32>,
}

/// The layers of a later stage. Their inputs are the chosen invocation, a size and the features of the remaining
/// options.
#[derive(Debug)]
pub(crate) struct StageHead {
    pub(crate) invocation: Linear,
    pub(crate) sizes: Tensor,
    pub(crate) options: Option<Linear>,
    pub(crate) score: Linear,
}

impl StageHead {
    fn new(init: &mut Initialiser, name: &str, schema: &Schema, width: usize) -> Self {
        let options = schema.options.len();
        StageHead {
            invocation: Linear::new(init, &format!("{name}.invocation"), width, width, 1.0),
            sizes: init.uniform(format!("{name}.sizes"), &[schema.sizes as i64, width as i64], 0.5),
            options: (options > 0)
                .then(|| Linear::without_bias(init, &format!("{name}.options"), options, width, 1.0)),
            score: Linear::new(init, &format!("{name}.score"), width, 1, LAST_GAIN),
        }
    }

    fn hidden(&self, embeddings: &Embeddings, rows: &StageRows) -> Tensor {
        let invocations = embeddings.nodes_at(&rows.invocations);
        let sizes = self.sizes.index_select(0, &index(&rows.sizes, self.sizes.device()));
        let hidden = self.invocation.forward(&invocations) + sizes;
        match &self.options {
            Some(options) => hidden + options.forward(&rows.features(embeddings.options())),
            None => hidden,
        }
    }
}

/// The alternatives of a later stage, one row each, over all graphs with at least two.
#[derive(Debug, Default)]
pub(crate) struct StageRows {
    /// Graph of each alternative; alternatives of one graph are adjacent.
    pub(crate) graphs: Vec<i64>,
    /// Embedding row of the chosen invocation, for each alternative.
    pub(crate) invocations: Vec<i64>,
    /// Index of the size of each alternative.
    pub(crate) sizes: Vec<i64>,
    /// Embedding row of each alternative's resource (third stage only).
    pub(crate) resources: Vec<i64>,
    /// `[alternatives, option features]`: features, averaged over the options that remain after an alternative is
    /// chosen.
    pub(crate) option_features: Vec<f32>,
    option_width: usize,
    /// For each alternative the first option that remains, as an index into the table of options.
    pub(crate) options: Vec<usize>,
}

impl StageRows {
    /// Number of alternatives in the table.
    pub(crate) fn len(&self) -> usize {
        self.graphs.len()
    }

    /// For each alternative 1 where the prior's decision is among the options that remain, else 0. The mark is the last feature.
    pub(crate) fn priors(&self) -> Vec<f32> {
        marks(&self.option_features, self.option_width).collect()
    }

    fn features(&self, options: (Kind, Device)) -> Tensor {
        matrix(&self.option_features, self.option_width).to(options.1).to_kind(options.0)
    }

    /// Adds the sizes that are possible for `candidate`. A graph with only one size is skipped: there is nothing to
    /// decide.
    pub(crate) fn push_sizes(&mut self, choices: &Choices, width: usize, graph: usize, candidate: usize) {
        self.option_width = width;
        let options = choices.options(candidate);
        let sizes = &choices.option_sizes[options.clone()];
        if sizes.first() == sizes.last() {
            return;
        }
        for same in sizes.chunk_by(|a, b| a == b) {
            let first = options.start + offset(sizes, same);
            self.push(choices, graph, candidate, first, same.len());
        }
    }

    /// Adds the nodes that are possible for `candidate` at size index `size`. A graph with only one node is skipped.
    pub(crate) fn push_nodes(
        &mut self,
        choices: &Choices,
        width: usize,
        graph: usize,
        candidate: usize,
        size: u32,
    ) {
        self.option_width = width;
        let options = choices.options(candidate);
        let fitting = options.clone().filter(|&option| choices.option_sizes[option] == size).count();
        if fitting < 2 {
            return;
        }
        for option in options.filter(|&option| choices.option_sizes[option] == size) {
            self.push(choices, graph, candidate, option, 1);
            self.resources.push(choices.option_nodes[option]);
        }
    }

    fn push(&mut self, choices: &Choices, graph: usize, candidate: usize, first: usize, count: usize) {
        self.graphs.push(graph as i64);
        self.invocations.push(choices.candidate_nodes[candidate]);
        self.sizes.push(i64::from(choices.option_sizes[first]));
        self.options.push(first);
        let width = self.option_width;
        let rows = &choices.option_features[first * width..(first + count) * width];
        let mean = |column: usize| rows.iter().skip(column).step_by(width).sum::<f32>() / count as f32;
        self.option_features.extend((0..width).map(mean));
    }
}

/// Where `part` starts within `whole`, of which it is a sub-slice.
fn offset(whole: &[u32], part: &[u32]) -> usize {
    (part.as_ptr() as usize - whole.as_ptr() as usize) / size_of::<u32>()
}

impl ActionHeads {
    pub(crate) fn new(init: &mut Initialiser, schema: &Schema, config: &PolicyConfig) -> Self {
        let (options, width) = (schema.options.len(), config.width);
        ActionHeads {
            prior: schema.has_prior().then_some(config.prior_weight as f32),
            candidate: Linear::new(init, "which.invocation", width, width, 1.0),
            candidate_context: Linear::without_bias(init, "which.context", width, width, 1.0),
            candidate_options: (options > 0)
                .then(|| Linear::without_bias(init, "which.options", options, width, 1.0)),
            candidate_score: Linear::new(init, "which.score", width, 1, LAST_GAIN),
            wait: [
                Linear::new(init, "wait.0", width, width, std::f64::consts::SQRT_2),
                Linear::new(init, "wait.1", width, 1, LAST_GAIN),
            ],
            size: StageHead::new(init, "size", schema, width),
            node: StageHead::new(init, "node", schema, width),
            node_resource: Linear::without_bias(init, "node.resource", width, width, 1.0),
        }
    }

    /// Scores (logits) of the first stage, `[candidates + graphs]`: one per candidate, then one per graph for *wait*.
    pub(crate) fn which(&self, batch: &GraphBatch, embeddings: &Embeddings) -> Tensor {
        let choices = &batch.choices;
        let (kind, device) = embeddings.options();
        let candidates = embeddings.nodes_at(&choices.candidate_nodes);
        let context = self.candidate_context.forward(&embeddings.context);
        let context = context.index_select(0, &index(&choices.candidate_graphs, device));
        let hidden = self.candidate.forward(&candidates) + context;
        let hidden = match &self.candidate_options {
            Some(options) => {
                let features = matrix(&choices.candidate_features, options.inputs());
                hidden + options.forward(&features.to(device).to_kind(kind))
            }
            None => hidden,
        };
        let starts = self.candidate_score.forward(&hidden.relu()).squeeze_dim(1);
        let starts = self.with_prior(starts, || choices.candidate_priors());
        let waits = self.wait[1].forward(&self.wait[0].forward_relu(&embeddings.context)).squeeze_dim(1);
        let waits = self.with_prior(waits, || choices.prior_waits.clone());
        let masked: Vec<bool> = choices.may_wait.iter().map(|&allowed| !allowed).collect();
        let masked = Tensor::from_slice(&masked).to(device);
        Tensor::cat(&[starts, waits.masked_fill(&masked, MASKED)], 0)
    }

    /// Scores (logits) of the second stage, `[alternatives]`.
    pub(crate) fn size(&self, embeddings: &Embeddings, rows: &StageRows) -> Tensor {
        let scores = self.size.score.forward(&self.size.hidden(embeddings, rows).relu()).squeeze_dim(1);
        self.with_prior(scores, || rows.priors())
    }

    /// Scores (logits) of the third stage, `[alternatives]`.
    pub(crate) fn node(&self, embeddings: &Embeddings, rows: &StageRows) -> Tensor {
        let resources = embeddings.nodes_at(&rows.resources);
        let hidden = self.node.hidden(embeddings, rows) + self.node_resource.forward(&resources);
        let scores = self.node.score.forward(&hidden.relu()).squeeze_dim(1);
        self.with_prior(scores, || rows.priors())
    }

    /// `scores` with the prior's weight where `marks` is 1.
    fn with_prior(&self, scores: Tensor, marks: impl FnOnce() -> Vec<f32>) -> Tensor {
        match self.prior {
            Some(weight) => {
                let marks = Tensor::from_slice(&marks()).to(scores.device()).to_kind(scores.kind());
                scores + marks * f64::from(weight)
            }
            None => scores,
        }
    }
}
