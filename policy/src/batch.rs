//! Many frames as one big graph in tensors. Nodes lie type by type (all functions of the batch, then all resources,
//! then all invocations), edges too: each type forward and then in reverse, so that every per-type network works on
//! one slice and nothing has to be scattered back.

use state_graph::{EDGE_TYPES, EdgeType, Frame, NODE_TYPES, NodeType, Schema};
use tch::Tensor;

use crate::segment::index;

/// Edges of one type in one direction: a slice of the edge list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relation {
    /// Edge type × 2, plus one for the reverse direction; its place in the table of relation embeddings.
    pub(crate) id: i64,
    /// Edges.
    pub(crate) count: i64,
}

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
    /// Nodes of all types.
    pub(crate) nodes: i64,
    /// For each edge type `[edges, features]` (one direction), where there are such edges.
    pub(crate) edge_features: [Option<Tensor>; EDGE_TYPES],
    /// The slices of the edge list.
    pub(crate) relations: Vec<Relation>,
    /// Source node of each edge, both directions.
    pub(crate) sources: Tensor,
    /// Target node of each edge, both directions.
    pub(crate) targets: Tensor,
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

    fn push(&mut self, frame: &Frame, schema: &Schema, graph: i64, first_node: [i64; NODE_TYPES]) {
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

    fn close(&mut self) {
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
        let (relations, sources, targets) = edge_list(frames, &first_nodes);
        GraphBatch {
            graphs: frames.len() as i64,
            globals: matrix(&globals, schema.globals.len()),
            node_features: std::array::from_fn(|kind| {
                (totals[kind] > 0).then(|| node_matrix(schema, frames, kind))
            }),
            node_graphs: node_graphs.map(|graphs| index(&graphs)),
            nodes: totals.iter().sum(),
            edge_features: std::array::from_fn(|kind| edge_matrix(schema, frames, EdgeType::ALL[kind])),
            relations,
            sources: index(&sources),
            targets: index(&targets),
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
        self.edge_features =
            self.edge_features.map(|features| features.map(|features| features.to_kind(kind)));
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

/// Features of one edge type with a column of ones, so that a type without features still has an embedding.
fn edge_matrix(schema: &Schema, frames: &[&Frame], kind: EdgeType) -> Option<Tensor> {
    let count: u32 = frames.iter().map(|frame| frame.edges[kind as usize]).sum();
    if count == 0 {
        return None;
    }
    let width = schema.edges[kind as usize].len();
    let mut rows = Vec::with_capacity(count as usize * (width + 1));
    for frame in frames {
        let features = frame.edge_features(schema, kind);
        for edge in 0..frame.edges[kind as usize] as usize {
            rows.push(1.0);
            rows.extend_from_slice(&features[edge * width..(edge + 1) * width]);
        }
    }
    Some(matrix(&rows, width + 1))
}

fn edge_list(frames: &[&Frame], first_nodes: &[[i64; NODE_TYPES]]) -> (Vec<Relation>, Vec<i64>, Vec<i64>) {
    let (mut relations, mut sources, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for kind in EdgeType::ALL {
        let start = sources.len();
        for (frame, first) in frames.iter().zip(first_nodes) {
            let (from, to) = frame.edge_ends(kind);
            sources.extend(from.iter().map(|&node| first[kind.source() as usize] + i64::from(node)));
            targets.extend(to.iter().map(|&node| first[kind.target() as usize] + i64::from(node)));
        }
        let count = sources.len() - start;
        if count > 0 {
            let (forward_sources, forward_targets) = (sources[start..].to_vec(), targets[start..].to_vec());
            sources.extend(forward_targets);
            targets.extend(forward_sources);
            let id = 2 * kind as i64;
            relations.push(Relation { id, count: count as i64 });
            relations.push(Relation { id: id + 1, count: count as i64 });
        }
    }
    (relations, sources, targets)
}
