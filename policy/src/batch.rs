//! Many states as one big graph in tensors. Nodes lie type by type (all functions of the batch, then all resources,
//! then all invocations, then all groups), so that every per-type network works on one slice; edges are sorted by the node that they
//! enter.

use state_graph::{EdgeType, NODE_TYPES, NodeType, Schema, StateGraph};
use tch::{Device, Kind, Tensor};
use torch_extension::EdgeLayout;

use crate::choices::Choices;
use crate::edge_list::EdgeList;
use crate::exchange::{ExchangedRows, Spread};
use crate::segment::index;

/// A minibatch of states as one graph, or what one rank computes of it ([`crate::collate_part`]).
#[derive(Debug)]
pub struct GraphBatch {
    /// `[graphs, globals]`: features of the whole cluster, `Float` unless converted by [`GraphBatch::to_kind`].
    pub(crate) globals: Tensor,
    /// `[graphs, node types]`: number of nodes of each type in each graph, with 1 in place of 0, as divisor of means.
    pub(crate) node_counts: Tensor,
    /// Number of graphs that the nodes belong to. With several ranks it can differ from `graphs`.
    pub(crate) pooled: i64,
    /// For each node type `[nodes of the type, features]`, `None` where the batch has no such nodes.
    pub(crate) node_features: [Option<Tensor>; NODE_TYPES],
    /// For each node type `[nodes of the type]`, `Int64`: the graph of each node.
    pub(crate) node_graphs: [Tensor; NODE_TYPES],
    /// All edges in both directions, sorted for attention. The relation of an edge is twice its type, plus one for the
    /// reverse direction; features are padded with zeros to the widest type's.
    pub(crate) edges: EdgeLayout,
    /// The options of each graph.
    pub(crate) choices: Choices,
    /// The exchange with other ranks, where graphs are spread over them.
    pub(crate) spread: Option<Spread>,
}

impl GraphBatch {
    /// Puts `states`, at least one, into one graph.
    #[must_use]
    pub fn collate(schema: &Schema, states: &[&StateGraph]) -> Self {
        let mut collation = Collation::new(schema);
        collation.whole(states, starts(totals(states)));
        collation.finish(None)
    }

    /// Number of rows that go to other ranks and come from them in each layer.
    #[must_use]
    pub fn exchanged_rows(&self) -> ExchangedRows {
        self.spread.as_ref().map_or_else(ExchangedRows::default, Spread::rows)
    }

    /// The same batch on another device, on which the networks then compute.
    #[must_use]
    pub fn to_device(mut self, device: Device) -> Self {
        if device == Device::Cpu && self.globals.device() == Device::Cpu {
            return self;
        }
        self.globals = self.globals.to_device(device);
        self.node_counts = self.node_counts.to_device(device);
        self.node_features =
            self.node_features.map(|features| features.map(|features| features.to_device(device)));
        self.node_graphs = self.node_graphs.map(|graphs| graphs.to_device(device));
        self.edges = self.edges.to_device(device);
        self.spread = self.spread.map(|spread| spread.moved_to(device));
        self
    }

    /// The same batch with features of another kind; `Double` is for checking gradients.
    #[must_use]
    pub fn to_kind(mut self, kind: Kind) -> Self {
        self.globals = self.globals.to_kind(kind);
        self.node_counts = self.node_counts.to_kind(kind);
        self.node_features =
            self.node_features.map(|features| features.map(|features| features.to_kind(kind)));
        self.edges = self.edges.to_kind(kind);
        self
    }
}

/// A batch that is being built.
pub(crate) struct Collation<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) edges: EdgeList,
    node_features: [Vec<f32>; NODE_TYPES],
    node_graphs: [Vec<i64>; NODE_TYPES],
    node_counts: Vec<f32>,
    globals: Vec<f32>,
    choices: Choices,
    pooled: i64,
    graphs: i64,
}

impl<'a> Collation<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        Collation {
            schema,
            edges: EdgeList::new(schema),
            node_features: Default::default(),
            node_graphs: Default::default(),
            node_counts: Vec::new(),
            globals: Vec::new(),
            choices: Choices::default(),
            pooled: 0,
            graphs: 0,
        }
    }

    /// Adds whole graphs; `first` is the row of the first node of each type.
    pub(crate) fn whole(&mut self, states: &[&StateGraph], mut first: [u32; NODE_TYPES]) {
        for state in states {
            for kind in NodeType::ALL {
                self.nodes(kind, state, 0..state.nodes[kind as usize]);
            }
            EdgeType::ALL.into_iter().for_each(|kind| self.edges.push(self.schema, state, &first, kind));
            self.end_graph();
            self.decide(state, |kind, node| i64::from(first[kind as usize] + node));
            (0..NODE_TYPES).for_each(|kind| first[kind] += state.nodes[kind]);
        }
    }

    /// Adds some nodes of the graph that is being added.
    pub(crate) fn nodes(&mut self, kind: NodeType, state: &StateGraph, nodes: impl IntoIterator<Item = u32>) {
        let place = kind as usize;
        let (rows, width) = (state.node_features(self.schema, kind), self.schema.nodes[place].len());
        for node in nodes {
            let start = node as usize * width;
            self.node_features[place].extend_from_slice(&rows[start..start + width]);
            self.node_graphs[place].push(self.pooled);
        }
    }

    /// Ends the current graph; nodes that are added afterwards belong to the next one.
    pub(crate) fn end_graph(&mut self) {
        self.pooled += 1;
    }

    /// Adds `state` to the graphs with outputs: its globals, node counts and choices. `row` maps a node's type and
    /// number to its row.
    pub(crate) fn decide(&mut self, state: &StateGraph, row: impl Fn(NodeType, u32) -> i64) {
        self.globals.extend_from_slice(state.globals(self.schema));
        self.node_counts.extend(state.nodes.map(|count| count.max(1) as f32));
        self.choices.push(state, self.schema, self.graphs, row);
        self.graphs += 1;
    }

    /// Builds the batch; `spread` is the exchange between ranks, `None` where there is none.
    pub(crate) fn finish(mut self, spread: Option<Spread>) -> GraphBatch {
        self.choices.close();
        let nodes = self.node_graphs.iter().map(Vec::len).sum();
        let halo = spread.as_ref().map_or(0, |spread| spread.rows().received as usize);
        let features = |kind: usize| {
            let rows = self.node_graphs[kind].len();
            (rows > 0).then(|| matrix(&self.node_features[kind], self.schema.nodes[kind].len()))
        };
        GraphBatch {
            globals: matrix(&self.globals, self.schema.globals.len()),
            node_counts: matrix(&self.node_counts, NODE_TYPES),
            pooled: self.pooled,
            node_features: std::array::from_fn(features),
            node_graphs: std::array::from_fn(|kind| index(&self.node_graphs[kind], Device::Cpu)),
            edges: self.edges.sorted(nodes, halo),
            choices: self.choices,
            spread,
        }
    }
}

/// Number of nodes of each type in all of `states`.
pub(crate) fn totals(states: &[&StateGraph]) -> [u32; NODE_TYPES] {
    std::array::from_fn(|kind| states.iter().map(|state| state.nodes[kind]).sum())
}

/// Row of the first node of each type, from the number of nodes of each type.
pub(crate) fn starts(counts: [u32; NODE_TYPES]) -> [u32; NODE_TYPES] {
    std::array::from_fn(|kind| counts[..kind].iter().sum())
}

/// `[rows, width]` of `Float` on the CPU; `[0, 0]` for a width of zero.
pub(crate) fn matrix(values: &[f32], width: usize) -> Tensor {
    let rows = values.len().checked_div(width).unwrap_or(0);
    Tensor::from_slice(values).view([rows as i64, width as i64])
}
