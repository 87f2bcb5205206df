//! The graph encoder: a small network per node type and per edge type into one width, then message passing by
//! multi-head attention over one typed edge list with edge features ([`torch_extension::attention`]), with skip
//! connections and layer normalisation, then pooling to one context per graph that flows back to the decision heads.

use configuration::{EncoderKind, PolicyConfig, Storage};
use state_graph::{EDGE_TYPES, NODE_TYPES, Schema};
use tch::{Device, Kind, Tensor};
use torch_extension::EnteringEdge;
use torch_extension::attention::{Inputs, attend, attention_weights};
use torch_extension::process_group::ProcessGroup;

use crate::PolicyError;
use crate::batch::GraphBatch;
use crate::edge_list::edge_feature_width;
use crate::exchange::Across;
use crate::flat::FlatLayout;
use crate::layers::{LayerNorm, Linear};
use crate::parameters::Initialiser;
use crate::segment::{self, index};

/// The encoder's output for a batch.
#[derive(Debug)]
pub(crate) struct Embeddings {
    /// `[nodes, width]`, in the batch's order of nodes.
    pub(crate) nodes: Tensor,
    /// `[graphs, width]`: the embedding of each whole graph.
    pub(crate) context: Tensor,
}

impl Embeddings {
    /// The embeddings of the nodes in rows `numbers`, `[numbers, width]`.
    pub(crate) fn nodes_at(&self, numbers: &[i64]) -> Tensor {
        self.nodes.index_select(0, &index(numbers, self.nodes.device()))
    }

    pub(crate) fn options(&self) -> (Kind, Device) {
        (self.nodes.kind(), self.nodes.device())
    }
}

/// Computes embeddings of nodes and graphs.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) node_inputs: [Option<[Linear; 2]>; NODE_TYPES],
    pub(crate) edge_inputs: EdgeInputs,
    pub(crate) layers: Vec<AttentionLayer>,
    pub(crate) output_norm: LayerNorm,
    /// Where the context is made of one vector a graph instead of pools.
    pub(crate) flat: Option<FlatLayout>,
    pub(crate) context: [Linear; 2],
    pub(crate) width: i64,
}

impl Encoder {
    pub(crate) fn new(init: &mut Initialiser, schema: &Schema, config: &PolicyConfig, layers: usize) -> Self {
        let width = config.width;
        let node_input = |init: &mut Initialiser, kind: usize| {
            let features = schema.nodes[kind].len();
            (features > 0).then(|| {
                let name = format!("node_input.{kind}");
                [
                    Linear::new(init, &format!("{name}.0"), features, width, std::f64::consts::SQRT_2),
                    Linear::new(init, &format!("{name}.1"), width, width, 1.0),
                ]
            })
        };
        let node_inputs = std::array::from_fn(|kind| node_input(init, kind));
        let edge_inputs = EdgeInputs::new(init, schema, width);
        let layers =
            (0..layers).map(|layer| AttentionLayer::new(init, &format!("layer.{layer}"), config)).collect();
        // Two pools (mean and sum) for each node type, and the globals.
        let pools = 2 * NODE_TYPES * width + schema.globals.len();
        let flat = (config.encoder == EncoderKind::Flat).then(|| FlatLayout::new(schema));
        let seen = flat.map_or(pools, |flat| flat.width());
        Encoder {
            node_inputs,
            edge_inputs,
            layers,
            output_norm: LayerNorm::new(init, "output_norm", width),
            flat,
            context: [
                Linear::new(init, "context.0", seen, width, std::f64::consts::SQRT_2),
                Linear::new(init, "context.1", width, width, std::f64::consts::SQRT_2),
            ],
            width: width as i64,
        }
    }

    /// `group` is needed where graphs are spread over ranks. `dropout` is a fraction 0–1; it must be 0 where importance
    /// ratios are computed.
    pub(crate) fn forward(
        &self,
        batch: &GraphBatch,
        group: Option<&ProcessGroup>,
        dropout: f64,
    ) -> Result<Embeddings, PolicyError> {
        let across = Across::of(batch.spread.as_ref(), group)?;
        let mut nodes = self.embed_nodes(batch);
        let edges = self.edge_inputs.embed();
        for layer in &self.layers {
            nodes = layer.forward(batch, across, &nodes, &edges, dropout)?;
        }
        let nodes = self.output_norm.forward(&nodes);
        let seen = match &self.flat {
            Some(flat) => flat.rows(batch),
            None => pool(batch, across, &nodes)?,
        };
        let context = self.context[1].forward_relu(&self.context[0].forward_relu(&seen));
        Ok(Embeddings { nodes, context })
    }

    /// For each layer the edges that enter the node in row `node`, with the mean weight over the heads, 0–1; those of a layer add
    /// up to 1.
    pub(crate) fn attention_of(
        &self,
        batch: &GraphBatch,
        node: i64,
    ) -> Result<Vec<Vec<(EnteringEdge, f64)>>, PolicyError> {
        let (entering, edges) = (batch.edges.entering(node), self.edge_inputs.embed());
        let mut nodes = self.embed_nodes(batch);
        let mut heard = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let weights = layer.with_inputs(None, &layer.norm.forward(&nodes), &edges, |inputs| {
                let weights = attention_weights(inputs, &batch.edges)?;
                Ok(weights.mean_dim([1_i64].as_slice(), false, None))
            })?;
            let weight = |edge: &EnteringEdge| (*edge, weights.double_value(&[edge.place]));
            heard.push(entering.iter().map(weight).collect());
            nodes = layer.forward(batch, None, &nodes, &edges, 0.0)?;
        }
        Ok(heard)
    }

    fn embed_nodes(&self, batch: &GraphBatch) -> Tensor {
        let parts: Vec<Tensor> = self
            .node_inputs
            .iter()
            .zip(&batch.node_features)
            .filter_map(|(input, features)| {
                let [first, second] = input.as_ref()?;
                Some(second.forward(&first.forward_relu(features.as_ref()?)))
            })
            .collect();
        // This rank may own no node of a graph that is spread over ranks.
        if parts.is_empty() {
            return Tensor::zeros([0, self.width], (batch.globals.kind(), batch.globals.device()));
        }
        Tensor::cat(&parts, 0)
    }
}

/// `[graphs, globals and pools]`: the globals, then the mean and the sum of each node type's embeddings.
fn pool(batch: &GraphBatch, across: Option<Across<'_>>, nodes: &Tensor) -> Result<Tensor, PolicyError> {
    let mut totals = Vec::with_capacity(NODE_TYPES);
    let mut start = 0;
    for graphs in &batch.node_graphs {
        let count = graphs.size()[0];
        totals.push(segment::sum(&nodes.narrow(0, start, count), graphs, batch.pooled));
        start += count;
    }
    let mut totals = Tensor::stack(&totals, 1);
    if let Some(across) = across {
        totals = across.pooled(&totals)?;
    }
    let means = &totals / batch.node_counts.unsqueeze(-1);
    let pools = Tensor::stack(&[means, totals * 0.1], 2).flatten(1, -1);
    Ok(Tensor::cat(&[&batch.globals, &pools], 1))
}

/// Linear maps from each edge type's features to the common width, and a vector for each relation (edge type and
/// direction). Because they are linear, a layer multiplies them with its own edge weights and never computes edge
/// embeddings: an edge has few features, but its embedding would have `width` numbers.
#[derive(Debug)]
pub(crate) struct EdgeInputs {
    /// `[edge types, 1, 1 + features, width]`: the first row is a type's constant; rows of features that a type does
    /// not have meet zeros only.
    weight: Tensor,
    /// `[edge types, 2, 1, width]`: a vector for each edge type and direction.
    relations: Tensor,
}

impl EdgeInputs {
    fn new(init: &mut Initialiser, schema: &Schema, width: usize) -> Self {
        let (types, width) = (EDGE_TYPES as i64, width as i64);
        let rows = 1 + edge_feature_width(schema) as i64;
        // Variance 1 / inputs, as everywhere; types differ by a few features only.
        let weight =
            init.uniform("edge_inputs".to_owned(), &[types, 1, rows, width], (3.0 / rows as f64).sqrt());
        let relations = init.uniform("relations".to_owned(), &[types, 2, 1, width], 0.1);
        EdgeInputs { weight, relations }
    }

    /// `[relations, 1 + features, width]`: the constant and the feature weights of each relation.
    pub(crate) fn embed(&self) -> Tensor {
        let size = self.weight.size();
        let constant = self.weight.narrow(2, 0, 1) + &self.relations;
        let features =
            self.weight.narrow(2, 1, size[2] - 1).expand([size[0], 2, size[2] - 1, size[3]], false);
        Tensor::cat(&[constant, features], 2).view([2 * size[0], size[2], size[3]])
    }
}

/// One round of messages along the edges, and a feed-forward step at each node.
#[derive(Debug)]
pub(crate) struct AttentionLayer {
    pub(crate) norm: LayerNorm,
    pub(crate) source: Linear,
    pub(crate) target: Linear,
    pub(crate) edge: Linear,
    pub(crate) attention: Tensor,
    pub(crate) output: Linear,
    pub(crate) feed_norm: LayerNorm,
    pub(crate) feed: [Linear; 2],
    pub(crate) heads: i64,
    storage: Storage,
}

impl AttentionLayer {
    fn new(init: &mut Initialiser, name: &str, config: &PolicyConfig) -> Self {
        let (width, heads) = (config.width, config.heads);
        let head = (width / heads) as i64;
        let linear = |init: &mut Initialiser, part: &str, gain: f64| {
            Linear::new(init, &format!("{name}.{part}"), width, width, gain)
        };
        AttentionLayer {
            norm: LayerNorm::new(init, &format!("{name}.norm"), width),
            source: linear(init, "source", 1.0),
            target: linear(init, "target", 1.0),
            edge: Linear::without_bias(init, &format!("{name}.edge"), width, width, 1.0),
            attention: init.uniform(format!("{name}.attention"), &[width as i64], (3.0 / head as f64).sqrt()),
            output: linear(init, "output", 0.5),
            feed_norm: LayerNorm::new(init, &format!("{name}.feed_norm"), width),
            feed: [linear(init, "feed.0", std::f64::consts::SQRT_2), linear(init, "feed.1", 0.5)],
            heads: heads as i64,
            storage: config.storage,
        }
    }

    fn forward(
        &self,
        batch: &GraphBatch,
        across: Option<Across<'_>>,
        nodes: &Tensor,
        edges: &Tensor,
        dropout: f64,
    ) -> Result<Tensor, PolicyError> {
        let messages = self.attend(batch, across, &self.norm.forward(nodes), edges)?;
        let messages = messages.dropout(dropout, dropout > 0.0);
        let nodes = self.output.forward_onto(&messages, nodes);
        let [first, second] = &self.feed;
        Ok(second.forward_onto(&first.forward_relu(&self.feed_norm.forward(&nodes)), &nodes))
    }

    fn attend(
        &self,
        batch: &GraphBatch,
        across: Option<Across<'_>>,
        nodes: &Tensor,
        edges: &Tensor,
    ) -> Result<Tensor, PolicyError> {
        self.with_inputs(across, nodes, edges, |inputs| Ok(attend(inputs, &batch.edges)?))
    }

    /// Calls `compute` with what attention over these nodes is computed from.
    fn with_inputs(
        &self,
        across: Option<Across<'_>>,
        nodes: &Tensor,
        edges: &Tensor,
        compute: impl FnOnce(&Inputs<'_>) -> Result<Tensor, PolicyError>,
    ) -> Result<Tensor, PolicyError> {
        let (mut source, target) =
            (self.stored(self.source.forward(nodes)), self.stored(self.target.forward(nodes)));
        if let Some(across) = across {
            source = across.with_halo(&source)?;
        }
        let inputs = Inputs {
            source: &source,
            target: &target,
            attention: &self.attention,
            edge: Some(&self.edge.forward(&edges.view([-1, edges.size()[2]])).view_as(edges)),
            heads: self.heads,
        };
        compute(&inputs)
    }

    /// Converts projections to the kind in which they are stored and sent to other ranks.
    fn stored(&self, projections: Tensor) -> Tensor {
        match self.storage {
            Storage::F32 => projections,
            Storage::Bf16 => projections.to_kind(Kind::BFloat16),
        }
    }
}
