//! Many frames as one big graph in tensors. Nodes lie type by type (all functions of the batch, then all resources,
//! then all invocations), so that every per-type network works on one slice; edges are sorted by the node that they enter.

use state_graph::{EdgeType, Frame, NODE_TYPES, NodeType, Schema};
use tch::Tensor;
use torch_extension::{EdgeLayout, Edges};

use crate::segment::index;

/// A minibatch of states as one graph.
#[derive(Debug)]
pub struct GraphBatch {
    /// Graphs.
    pub(crate) graphs: i64,
    /// `[graphs, globals]`.
    pub(crate) globals: Tensor,
    /// For each node type `[nodes, features]`, where the batch has such nodes.
    pub(crate) node_features: [Option<Tensor>; NODE_TYPES],
    /// Graph of each node, by type.
    pub(crate) node_graphs: [Tensor; NODE_TYPES],
    /// All edges in both directions, sorted for attention. The relation of an edge is twice its type, plus one for the
    /// reverse direction; features are padded with zeros to the widest type's.
    pub(crate) edges: EdgeLayout,
    /// What may be decided.
    pub(crate) choices: Choices,
}

/// The decision tables of a batch, on the CPU: which candidates each graph has and which options each candidate.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// Where the candidates of each graph start in the table of candidates; one entry more at the end.
    pub(crate) graph_starts: Vec<usize>,
    /// Global node number of each candidate.
    pub(crate) candidate_nodes: Vec<i64>,
    /// Graph of each candidate.
    pub(crate) candidate_graphs: Vec<i64>,
    /// Where the options of each candidate start in the table of options; one entry more at the end.
    pub(crate) candidate_starts: Vec<usize>,
    /// Elementwise best features over a candidate's options, `[candidates, option features]`.
    pub(crate) candidate_features: Vec<f32>,
    /// Where each graph's options start in the table of options.
    pub(crate) option_starts: Vec<usize>,
    /// Size of each option.
    pub(crate) option_sizes: Vec<u32>,
    /// Global node number of each option's resource.
    pub(crate) option_nodes: Vec<i64>,
    /// `[options, option features]`.
    pub(crate) option_features: Vec<f32>,
    /// Whether each graph may wait.
    pub(crate) may_wait: Vec<bool>,
}

impl Choices {
    /// The candidates of a graph, as places in the table of candidates.
    pub(crate) fn candidates(&self, graph: usize) -> std::ops::Range<usize> {
        self.graph_starts[graph]..self.graph_starts[graph + 1]
    }

    /// The options of a candidate, as places in the table of options.
    pub(crate) fn options(&self, candidate: usize) -> std::ops::Range<usize> {
        self.candidate_starts[candidate]..self.candidate_starts[candidate + 1]
    }

    /// The candidate that an option (a place in the table of options) belongs to.
    pub(crate) fn candidate_of(&self, graph: usize, option: usize) -> usize {
        let candidates = self.candidates(graph);
        let starts = &self.candidate_starts[candidates.start..=candidates.end];
        candidates.start + starts.partition_point(|&start| start <= option) - 1
    }

    /// Adds the tables of a graph whose nodes of each type begin at `first_node`.
    pub(crate) fn push(&mut self, frame: &Frame, schema: &Schema, graph: i64, first_node: [i64; NODE_TYPES]) {
        let width = schema.options.len();
        let [invocations, sizes, resources] = frame.option_indices();
        let features = frame.option_features(schema);
        self.graph_starts.push(self.candidate_nodes.len());
        self.option_starts.push(self.option_sizes.len());
        self.may_wait.push(frame.may_wait);
        let mut previous = None;
        for (option, &invocation) in invocations.iter().enumerate() {
            let row = &features[option * width..(option + 1) * width];
            if previous == Some(invocation) {
                let best = self.candidate_features.len() - width;
                for (best, &value) in self.candidate_features[best..].iter_mut().zip(row) {
                    *best = best.max(value);
                }
            } else {
                self.candidate_nodes.push(first_node[NodeType::Invocation as usize] + i64::from(invocation));
                self.candidate_graphs.push(graph);
                self.candidate_starts.push(self.option_sizes.len());
                self.candidate_features.extend_from_slice(row);
            }
            previous = Some(invocation);
            self.option_sizes.push(sizes[option]);
            self.option_nodes.push(first_node[NodeType::Resource as usize] + i64::from(resources[option]));
            self.option_features.extend_from_slice(row);
        }
    }

    /// Forgets all graphs and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.graph_starts.clear();
        self.candidate_nodes.clear();
        self.candidate_graphs.clear();
        self.candidate_starts.clear();
        self.candidate_features.clear();
        self.option_starts.clear();
        self.option_sizes.clear();
        self.option_nodes.clear();
        self.option_features.clear();
        self.may_wait.clear();
    }

    /// Ends the tables after the last graph.
    pub(crate) fn close(&mut self) {
        self.graph_starts.push(self.candidate_nodes.len());
        self.candidate_starts.push(self.option_sizes.len());
        self.option_starts.push(self.option_sizes.len());
    }
}

impl GraphBatch {
    /// Puts `frames`, at least one, into one graph.
    #[must_use]
    pub fn collate(schema: &Schema, frames: &[&Frame]) -> Self {
        let totals: [i64; NODE_TYPES] =
            std::array::from_fn(|kind| frames.iter().map(|frame| i64::from(frame.nodes[kind])).sum());
        let mut globals = Vec::with_capacity(frames.len() * schema.globals.len());
        let mut node_graphs: [Vec<i64>; NODE_TYPES] =
            std::array::from_fn(|kind| Vec::with_capacity(totals[kind] as usize));
        let mut choices = Choices::default();
        let mut first_nodes = Vec::with_capacity(frames.len());
        let mut first_node: [i64; NODE_TYPES] = std::array::from_fn(|kind| totals[..kind].iter().sum());
        for (graph, frame) in frames.iter().enumerate() {
            globals.extend_from_slice(frame.globals(schema));
            choices.push(frame, schema, graph as i64, first_node);
            first_nodes.push(first_node);
            for kind in 0..NODE_TYPES {
                node_graphs[kind].extend(std::iter::repeat_n(graph as i64, frame.nodes[kind] as usize));
                first_node[kind] += i64::from(frame.nodes[kind]);
            }
        }
        choices.close();
        let nodes: i64 = totals.iter().sum();
        GraphBatch {
            graphs: frames.len() as i64,
            globals: matrix(&globals, schema.globals.len()),
            node_features: std::array::from_fn(|kind| {
                (totals[kind] > 0).then(|| node_matrix(schema, frames, kind))
            }),
            node_graphs: node_graphs.map(|graphs| index(&graphs)),
            edges: EdgeList::new(schema, frames, &first_nodes).sorted(nodes as usize),
            choices,
        }
    }
}

impl GraphBatch {
    /// The same batch with features of another kind; `Double` is for checking gradients.
    #[must_use]
    pub fn to_kind(mut self, kind: tch::Kind) -> Self {
        self.globals = self.globals.to_kind(kind);
        self.node_features =
            self.node_features.map(|features| features.map(|features| features.to_kind(kind)));
        self.edges = self.edges.to_kind(kind);
        self
    }
}

/// Rows of `width` features; a width of zero stays a matrix without columns.
pub(crate) fn matrix(values: &[f32], width: usize) -> Tensor {
    let rows = values.len().checked_div(width).unwrap_or(0);
    Tensor::from_slice(values).view([rows as i64, width as i64])
}

fn node_matrix(schema: &Schema, frames: &[&Frame], kind: usize) -> Tensor {
    const KINDS: [NodeType; NODE_TYPES] = [NodeType::Function, NodeType::Resource, NodeType::Invocation];
    let mut rows = Vec::new();
    frames.iter().for_each(|frame| rows.extend_from_slice(frame.node_features(schema, KINDS[kind])));
    matrix(&rows, schema.nodes[kind].len())
}

/// The edges of a batch in the order of their types.
#[derive(Debug, Default)]
struct EdgeList {
    sources: Vec<u32>,
    targets: Vec<u32>,
    relations: Vec<u32>,
    features: Vec<f32>,
    feature_width: usize,
}

impl EdgeList {
    fn new(schema: &Schema, frames: &[&Frame], first_nodes: &[[i64; NODE_TYPES]]) -> Self {
        let mut list = EdgeList { feature_width: edge_feature_width(schema), ..EdgeList::default() };
        for kind in EdgeType::ALL {
            for (frame, first) in frames.iter().zip(first_nodes) {
                list.push(schema, frame, first, kind);
            }
        }
        list
    }

    /// Each edge, then its reverse.
    fn push(&mut self, schema: &Schema, frame: &Frame, first: &[i64; NODE_TYPES], kind: EdgeType) {
        let (from, to) = frame.edge_ends(kind);
        let features = frame.edge_features(schema, kind);
        let width = schema.edges[kind as usize].len();
        for (edge, (&from, &to)) in from.iter().zip(to).enumerate() {
            let from = first[kind.source() as usize] as u32 + from;
            let to = first[kind.target() as usize] as u32 + to;
            self.sources.extend([from, to]);
            self.targets.extend([to, from]);
            let relation = 2 * kind as u32;
            self.relations.extend([relation, relation + 1]);
            for _ in 0..2 {
                self.features.extend_from_slice(&features[edge * width..(edge + 1) * width]);
                self.features.extend(std::iter::repeat_n(0.0, self.feature_width - width));
            }
        }
    }

    fn sorted(&self, nodes: usize) -> EdgeLayout {
        EdgeLayout::new(&Edges {
            source_nodes: nodes,
            target_nodes: nodes,
            sources: &self.sources,
            targets: &self.targets,
            relations: &self.relations,
            features: &self.features,
            feature_width: self.feature_width,
        })
        .expect("edges of frames join nodes of frames")
    }
}

/// Features of the edge type that has most.
pub(crate) fn edge_feature_width(schema: &Schema) -> usize {
    schema.edges.iter().map(Vec::len).max().unwrap_or(0)
}
