//! [`Encoder`] on plain arrays.

use state_graph::{EdgeType, NODE_TYPES, NodeType, Schema, StateGraph};
use torch_extension::inference::{GraphAttention, LayerNorm, Linear, SortedEdges};

use super::buffers::sized;
use crate::PolicyError;
use crate::choices::Choices;
use crate::edge_list::edge_feature_width;
use crate::encoder::{AttentionLayer, Encoder};
use crate::flat::FlatLayout;
use crate::parameters::numbers;

/// Graphs are embedded in groups of about this many nodes, so that their rows stay in the second-level cache.
const GROUP_NODES: usize = 256;

/// The encoder's output for the states of one forward pass.
#[derive(Debug, Default)]
pub(super) struct States {
    /// `[nodes, width]`: the embedding of each node.
    pub(super) nodes: Vec<f32>,
    /// `[graphs, width]`: the embedding of each whole graph.
    pub(super) context: Vec<f32>,
    /// The possible decisions in the states.
    pub(super) choices: Choices,
}

#[derive(Debug)]
pub(super) struct PlainEncoder {
    width: usize,
    node_inputs: [Option<[Linear; 2]>; NODE_TYPES],
    layers: Vec<Layer>,
    output_norm: LayerNorm,
    flat: Option<FlatLayout>,
    context: [Linear; 2],
    edge_features: usize,
    space: Space,
}

#[derive(Debug)]
struct Layer {
    norm: LayerNorm,
    source: Linear,
    target: Linear,
    attention: GraphAttention,
    output: Linear,
    feed_norm: LayerNorm,
    feed: [Linear; 2],
}

/// Memory of one group of graphs.
#[derive(Debug, Default)]
struct Space {
    edges: SortedEdges,
    features: Vec<f32>,
    normed: Vec<f32>,
    source: Vec<f32>,
    target: Vec<f32>,
    heard: Vec<f32>,
    nodes: Vec<f32>,
    pooled: Vec<f32>,
}

impl PlainEncoder {
    pub(super) fn new(encoder: &Encoder, schema: &Schema) -> Result<Self, PolicyError> {
        let edge_features = edge_feature_width(schema);
        let node_input = |kind: usize| -> Result<_, PolicyError> {
            let input = encoder.node_inputs[kind].as_ref();
            input.map(|[first, second]| Ok([first.plain(true)?, second.plain(false)?])).transpose()
        };
        let edges = encoder.edge_inputs.embed();
        let layer = |layer: &AttentionLayer| -> Result<Layer, PolicyError> {
            let edge = numbers(&layer.edge.forward(&edges.view([-1, edges.size()[2]])))?;
            Ok(Layer {
                norm: layer.norm.plain()?,
                source: layer.source.plain(false)?,
                target: layer.target.plain(false)?,
                attention: GraphAttention::new(
                    layer.heads as usize,
                    edge_features,
                    numbers(&layer.attention)?,
                    edge,
                ),
                output: layer.output.plain(false)?,
                feed_norm: layer.feed_norm.plain()?,
                feed: [layer.feed[0].plain(true)?, layer.feed[1].plain(false)?],
            })
        };
        Ok(PlainEncoder {
            width: encoder.width as usize,
            node_inputs: [node_input(0)?, node_input(1)?, node_input(2)?, node_input(3)?],
            layers: encoder.layers.iter().map(layer).collect::<Result<_, _>>()?,
            output_norm: encoder.output_norm.plain()?,
            flat: encoder.flat,
            context: [encoder.context[0].plain(true)?, encoder.context[1].plain(true)?],
            edge_features,
            space: Space::default(),
        })
    }

    /// Embeds all graphs into `states`.
    pub(super) fn embed(&mut self, schema: &Schema, graphs: &[&StateGraph], states: &mut States) {
        states.nodes.clear();
        states.choices.clear();
        self.space.pooled.clear();
        let mut rest = graphs;
        let mut graph = 0;
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_size(rest));
            self.embed_group(schema, group, graph, states);
            graph += group.len();
            rest = later;
        }
        states.choices.close();
        let [first, second] = &self.context;
        let hidden = sized(&mut self.space.normed, graphs.len() * self.width);
        first.apply(&self.space.pooled, hidden);
        second.apply(hidden, sized(&mut states.context, graphs.len() * self.width));
    }

    fn embed_group(&mut self, schema: &Schema, group: &[&StateGraph], graph: usize, states: &mut States) {
        let before = states.nodes.len() / self.width;
        let firsts = self.lay_out(schema, group, graph, before, &mut states.choices);
        self.embed_nodes(schema, group);
        let space = &mut self.space;
        for layer in &self.layers {
            layer.apply(space);
        }
        states.nodes.resize(before * self.width + space.nodes.len(), 0.0);
        let nodes = &mut states.nodes[before * self.width..];
        self.output_norm.apply(&space.nodes, nodes);
        match &self.flat {
            Some(flat) => group.iter().for_each(|state| flat.push(schema, state, &mut space.pooled)),
            None => pool(schema, group, &firsts, nodes, self.width, &mut space.pooled),
        }
    }

    /// Gives nodes and edges of a group their places: all nodes of one type beside each other. Returns the first node
    /// of each type of each graph, counted from the first node of the group.
    fn lay_out(
        &mut self,
        schema: &Schema,
        group: &[&StateGraph],
        first_graph: usize,
        before: usize,
        choices: &mut Choices,
    ) -> Vec<[u32; NODE_TYPES]> {
        let totals: [u32; NODE_TYPES] =
            std::array::from_fn(|kind| group.iter().map(|graph| graph.nodes[kind]).sum());
        let mut first: [u32; NODE_TYPES] = std::array::from_fn(|kind| totals[..kind].iter().sum());
        let mut firsts = Vec::with_capacity(group.len());
        let edges = &mut self.space.edges;
        edges.clear(self.edge_features);
        for (place, graph) in group.iter().enumerate() {
            firsts.push(first);
            let row = |kind, node| (before + (first[kind as usize] + node) as usize) as i64;
            choices.push(graph, schema, (first_graph + place) as i64, row);
            for kind in EdgeType::ALL {
                push_edges(schema, graph, kind, &first, edges);
            }
            (0..NODE_TYPES).for_each(|kind| first[kind] += graph.nodes[kind]);
        }
        edges.sort(totals.iter().sum::<u32>() as usize);
        firsts
    }

    fn embed_nodes(&mut self, schema: &Schema, group: &[&StateGraph]) {
        let space = &mut self.space;
        space.nodes.clear();
        for (input, kind) in self.node_inputs.iter().zip(NodeType::ALL) {
            let Some([first, second]) = input else { continue };
            let features = &mut space.features;
            features.clear();
            group.iter().for_each(|graph| features.extend_from_slice(graph.node_features(schema, kind)));
            let rows = features.len() / schema.nodes[kind as usize].len();
            let hidden = sized(&mut space.source, rows * self.width);
            first.apply(features, hidden);
            let start = space.nodes.len();
            space.nodes.resize(start + rows * self.width, 0.0);
            second.apply(hidden, &mut space.nodes[start..]);
        }
    }
}

impl Layer {
    fn apply(&self, space: &mut Space) {
        let length = space.nodes.len();
        let normed = sized(&mut space.normed, length);
        self.norm.apply(&space.nodes, normed);
        let (source, target) = (sized(&mut space.source, length), sized(&mut space.target, length));
        self.source.apply(normed, source);
        self.target.apply(normed, target);
        let heard = sized(&mut space.heard, length);
        self.attention.apply(&space.edges, source, target, heard);
        self.output.add_to(heard, &mut space.nodes);
        self.feed_norm.apply(&space.nodes, normed);
        self.feed[0].apply(normed, source);
        self.feed[1].add_to(source, &mut space.nodes);
    }
}

/// Number of the next graphs that form a group.
fn group_size(graphs: &[&StateGraph]) -> usize {
    let mut nodes = 0;
    let fits = |graph: &&&StateGraph| {
        let before = nodes;
        nodes += graph.nodes.iter().sum::<u32>() as usize;
        before < GROUP_NODES
    };
    graphs.iter().take_while(fits).count()
}

fn push_edges(
    schema: &Schema,
    graph: &StateGraph,
    kind: EdgeType,
    first: &[u32; NODE_TYPES],
    edges: &mut SortedEdges,
) {
    let (from, to) = graph.edge_ends(kind);
    if from.is_empty() {
        return;
    }
    let (from_first, to_first) = (first[kind.source() as usize], first[kind.target() as usize]);
    let features = graph.edge_features(schema, kind);
    let width = schema.edges[kind as usize].len();
    let relation = 2 * kind as u32;
    for (edge, (&from, &to)) in from.iter().zip(to).enumerate() {
        let features = &features[edge * width..(edge + 1) * width];
        edges.push(from_first + from, to_first + to, relation, features);
        edges.push(to_first + to, from_first + from, relation + 1, features);
    }
}

/// Appends the pooled row of each graph: globals, then mean and scaled sum of each type's nodes.
fn pool(
    schema: &Schema,
    group: &[&StateGraph],
    firsts: &[[u32; NODE_TYPES]],
    nodes: &[f32],
    width: usize,
    pooled: &mut Vec<f32>,
) {
    for (graph, first) in group.iter().zip(firsts) {
        pooled.extend_from_slice(graph.globals(schema));
        for (&first, &count) in first.iter().zip(&graph.nodes) {
            let start = pooled.len();
            pooled.resize(start + 2 * width, 0.0);
            let (means, sums) = pooled[start..].split_at_mut(width);
            let (from, count) = (first as usize, count as usize);
            for row in nodes[from * width..(from + count) * width].chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            let share = 1.0 / count.max(1) as f32;
            for (mean, sum) in means.iter_mut().zip(sums) {
                *mean = *sum * share;
                *sum *= 0.1;
            }
        }
    }
}
