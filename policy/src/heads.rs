//! The score of every possible decision. An option is a pair of nodes of the graph with a way to act: an invocation, a worker
//! node and a size, for example. Scores are computed on embeddings, so any number of nodes works, and all options of a state
//! and *wait* share one softmax.

use configuration::PolicyConfig;
use state_graph::Schema;
use tch::Tensor;

use crate::batch::{GraphBatch, matrix};
use crate::encoder::Embeddings;
use crate::layers::Linear;
use crate::parameters::Initialiser;
use crate::segment::index;

/// Score of a masked alternative. It is finite, because −∞ would give NaN in the entropy.
const MASKED: f64 = -1e9;
/// Gain of the last layers: the first policy is close to uniform.
const LAST_GAIN: f64 = 0.1;

/// The layers that compute the scores.
#[derive(Debug)]
pub(crate) struct ActionHeads {
    /// Of an option's two nodes: what is acted upon, and where.
    pub(crate) ends: [Linear; 2],
    pub(crate) context: Linear,
    /// `[ways, width]`.
    pub(crate) ways: Tensor,
    /// `None` where options have no features.
    pub(crate) features: Option<Linear>,
    pub(crate) score: Linear,
    /// From how much each part of the reward counts to what is added to the score of each way and of *wait*: the direct effect, which the
    /// context of the cluster would show an option late in the training. `None` where weights are fixed.
    pub(crate) preference: Option<Linear>,
    pub(crate) wait: [Linear; 2],
    /// Score that is added to what the prior would do, nats; `None` without a prior.
    pub(crate) prior: Option<f32>,
}

impl ActionHeads {
    pub(crate) fn new(init: &mut Initialiser, schema: &Schema, config: &PolicyConfig) -> Self {
        let (options, width) = (schema.options.len(), config.width);
        let (parts, ways) = (schema.preference_columns().len(), schema.ways.len());
        ActionHeads {
            ends: [
                Linear::new(init, "option.subject", width, width, 1.0),
                Linear::without_bias(init, "option.object", width, width, 1.0),
            ],
            context: Linear::without_bias(init, "option.context", width, width, 1.0),
            ways: init.uniform("option.ways".to_owned(), &[ways as i64, width as i64], 0.5),
            features: (options > 0)
                .then(|| Linear::without_bias(init, "option.features", options, width, 1.0)),
            score: Linear::new(init, "option.score", width, 1, LAST_GAIN),
            preference: (parts > 0)
                .then(|| Linear::without_bias(init, "option.preference", parts, ways + 1, LAST_GAIN)),
            wait: [
                Linear::new(init, "wait.0", width, width, std::f64::consts::SQRT_2),
                Linear::new(init, "wait.1", width, 1, LAST_GAIN),
            ],
            prior: schema.has_prior().then_some(config.prior_weight as f32),
        }
    }

    /// Scores (logits), `[options + graphs]`: one for each option, then one for *wait* in each graph.
    pub(crate) fn scores(&self, batch: &GraphBatch, embeddings: &Embeddings) -> Tensor {
        let choices = &batch.choices;
        let (kind, device) = embeddings.options();
        let pick = |rows: &Tensor, places: &[i64]| rows.index_select(0, &index(places, device));
        let end = |side: usize| {
            let rows = self.ends[side].forward(&embeddings.nodes_at(&choices.ends[side]));
            pick(&rows, &choices.places[side])
        };
        let context = pick(&self.context.forward(&embeddings.context), &choices.graphs);
        let hidden = end(0) + end(1) + context + pick(&self.ways, &choices.ways);
        let hidden = match &self.features {
            Some(features) => {
                let rows = matrix(&choices.features, features.inputs()).to(device).to_kind(kind);
                hidden + features.forward(&rows)
            }
            None => hidden,
        };
        let acts = self.score.forward(&hidden.relu()).squeeze_dim(1);
        let waits = self.wait[1].forward(&self.wait[0].forward_relu(&embeddings.context)).squeeze_dim(1);
        let masked: Vec<bool> = choices.may_wait.iter().map(|&allowed| !allowed).collect();
        let waits = waits.masked_fill(&Tensor::from_slice(&masked).to(device), MASKED);
        let mut scores = Tensor::cat(&[acts, waits], 0);
        if let Some(preference) = &self.preference {
            let parts = matrix(&choices.preferences, preference.inputs()).to(device).to_kind(kind);
            let ways = self.ways.size()[0] as usize;
            let cells: Vec<i64> = choices.preference_cells(ways).map(|cell| cell as i64).collect();
            scores += preference.forward(&parts).view([-1]).index_select(0, &index(&cells, device));
        }
        scores + Tensor::from_slice(&choices.offsets(self.prior)).to(device).to_kind(kind)
    }
}
