//! The graph encoder: a small network per node type and per edge type into one width, then message passing by
//! multi-head attention over one typed edge list with edge features (GATv2, Brody et al. 2022), with skip connections
//! and layer normalisation, then pooling to one context per graph that flows back to the decision heads.

use common::config::PolicyConfig;
use state_graph::{EDGE_TYPES, NODE_TYPES, Schema};
use tch::Tensor;

use crate::batch::GraphBatch;
use crate::layers::{LayerNorm, Linear};
use crate::parameters::Initialiser;
use crate::segment;

/// What the encoder makes of a batch.
#[derive(Debug)]
pub(crate) struct Embeddings {
    /// `[nodes, width]`, in the batch's order of nodes.
    pub(crate) nodes: Tensor,
    /// `[graphs, width]`.
    pub(crate) context: Tensor,
}

/// Graph in, embeddings out.
#[derive(Debug)]
pub(crate) struct Encoder {
    node_inputs: [Option<[Linear; 2]>; NODE_TYPES],
    edge_inputs: [Linear; EDGE_TYPES],
    relations: Tensor,
    layers: Vec<AttentionLayer>,
    output_norm: LayerNorm,
    context: [Linear; 2],
    width: i64,
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
        let node_inputs = [node_input(init, 0), node_input(init, 1), node_input(init, 2)];
        let edge_inputs = std::array::from_fn(|kind| {
            let features = schema.edges[kind].len() + 1;
            Linear::without_bias(init, &format!("edge_input.{kind}"), features, width, 1.0)
        });
        let relations = init.uniform("relations".to_owned(), &[2 * EDGE_TYPES as i64, width as i64], 0.1);
        let layers =
            (0..layers).map(|layer| AttentionLayer::new(init, &format!("layer.{layer}"), config)).collect();
        // Two pools (mean and sum) for each node type, and the globals.
        let pooled = 2 * NODE_TYPES * width + schema.globals.len();
        Encoder {
            node_inputs,
            edge_inputs,
            relations,
            layers,
            output_norm: LayerNorm::new(init, "output_norm", width),
            context: [
                Linear::new(init, "context.0", pooled, width, std::f64::consts::SQRT_2),
                Linear::new(init, "context.1", width, width, std::f64::consts::SQRT_2),
            ],
            width: width as i64,
        }
    }

    /// `dropout` is zero wherever importance ratios are computed.
    pub(crate) fn forward(&self, batch: &GraphBatch, dropout: f64) -> Embeddings {
        let mut nodes = self.embed_nodes(batch);
        let edges = self.embed_edges(batch);
        for layer in &self.layers {
            nodes = layer.forward(batch, &nodes, edges.as_ref(), dropout);
        }
        let nodes = self.output_norm.forward(&nodes);
        let context = self.pool(batch, &nodes);
        Embeddings { nodes, context }
    }

    fn embed_nodes(&self, batch: &GraphBatch) -> Tensor {
        let parts: Vec<Tensor> = self
            .node_inputs
            .iter()
            .zip(&batch.node_features)
            .filter_map(|(input, features)| {
                let [first, second] = input.as_ref()?;
                Some(second.forward(&first.forward(features.as_ref()?).relu()))
            })
            .collect();
        Tensor::cat(&parts, 0)
    }

    fn embed_edges(&self, batch: &GraphBatch) -> Option<Tensor> {
        let mut parts = Vec::with_capacity(batch.relations.len());
        for (kind, features) in batch.edge_features.iter().enumerate() {
            let Some(features) = features else { continue };
            let embedded = self.edge_inputs[kind].forward(features);
            parts.push(&embedded + self.relations.get(2 * kind as i64));
            parts.push(embedded + self.relations.get(2 * kind as i64 + 1));
        }
        debug_assert_eq!(parts.len(), batch.relations.len());
        debug_assert!(batch.relations.iter().zip(&parts).all(|(relation, part)| {
            relation.count == part.size()[0] && relation.id < 2 * EDGE_TYPES as i64
        }));
        (!parts.is_empty()).then(|| Tensor::cat(&parts, 0))
    }

    fn pool(&self, batch: &GraphBatch, nodes: &Tensor) -> Tensor {
        let mut parts = vec![batch.globals.shallow_clone()];
        let mut start = 0;
        for graphs in &batch.node_graphs {
            let count = graphs.size()[0];
            if count == 0 {
                let empty = Tensor::zeros([batch.graphs, 2 * self.width], (nodes.kind(), nodes.device()));
                parts.push(empty);
                continue;
            }
            let total = segment::sum(&nodes.narrow(0, start, count), graphs, batch.graphs);
            let ones = Tensor::ones([count, 1], (nodes.kind(), nodes.device()));
            let counts = segment::sum(&ones, graphs, batch.graphs).clamp_min(1.0);
            parts.push(&total / counts);
            parts.push(total * 0.1);
            start += count;
        }
        let pooled = Tensor::cat(&parts, 1);
        self.context[1].forward(&self.context[0].forward(&pooled).relu()).relu()
    }
}

/// One round of messages along the edges, and a feed-forward step at each node.
#[derive(Debug)]
struct AttentionLayer {
    norm: LayerNorm,
    source: Linear,
    target: Linear,
    edge: Linear,
    attention: Tensor,
    output: Linear,
    feed_norm: LayerNorm,
    feed: [Linear; 2],
    heads: i64,
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
            attention: init.uniform(
                format!("{name}.attention"),
                &[1, heads as i64, head],
                (3.0 / head as f64).sqrt(),
            ),
            output: linear(init, "output", 0.5),
            feed_norm: LayerNorm::new(init, &format!("{name}.feed_norm"), width),
            feed: [linear(init, "feed.0", std::f64::consts::SQRT_2), linear(init, "feed.1", 0.5)],
            heads: heads as i64,
        }
    }

    fn forward(&self, batch: &GraphBatch, nodes: &Tensor, edges: Option<&Tensor>, dropout: f64) -> Tensor {
        let heard = edges.map(|edges| {
            let messages =
                self.attend(batch, &self.norm.forward(nodes), edges).dropout(dropout, dropout > 0.0);
            nodes + self.output.forward(&messages)
        });
        let nodes = heard.as_ref().unwrap_or(nodes);
        let [first, second] = &self.feed;
        nodes + second.forward(&first.forward(&self.feed_norm.forward(nodes)).relu())
    }

    /// `logit = a · LeakyReLU(W_l x_source + W_r x_target + W_e e)`, one softmax over all edges that enter a node;
    /// the message is `W_l x_source + W_e e`.
    fn attend(&self, batch: &GraphBatch, nodes: &Tensor, edges: &Tensor) -> Tensor {
        let count = batch.sources.size()[0];
        let width = nodes.size()[1];
        let messages = self.source.forward(nodes).index_select(0, &batch.sources) + self.edge.forward(edges);
        let heard = &messages + self.target.forward(nodes).index_select(0, &batch.targets);
        let split = [count, self.heads, width / self.heads];
        let logits = (Tensor::leaky_relu(&heard).view(split) * &self.attention).sum_dim_intlist(
            [-1_i64].as_slice(),
            false,
            None,
        );
        let weights = segment::softmax(&logits, &batch.targets, batch.nodes).unsqueeze(-1);
        let weighted = (messages.view(split) * weights).view([count, width]);
        segment::sum(&weighted, &batch.targets, batch.nodes)
    }
}
