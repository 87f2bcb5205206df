//! What the numbers of a state mean: a name for every feature of every node type, edge type, option and global.

use common::ids::Digest;

/// Node types, in the order in which a state stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum NodeType {
    /// A function.
    Function = 0,
    /// A worker node (in `slots`: the machine).
    Resource = 1,
    /// A pending or running invocation (in `slots`: a job).
    Invocation = 2,
}

/// Number of node types.
pub const NODE_TYPES: usize = 3;

impl NodeType {
    /// Every node type, in order.
    pub const ALL: [NodeType; NODE_TYPES] = [NodeType::Function, NodeType::Resource, NodeType::Invocation];
}

/// Edge types, in the order in which a state stores them. Each is stored in one direction; the networks pass messages
/// along both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum EdgeType {
    /// Invocation → its function.
    InstanceOf = 0,
    /// Function → resource that holds idle containers of it.
    Warm = 1,
    /// Running invocation → the resource that it runs on.
    Allocation = 2,
    /// Pending invocation → a resource that could hold it.
    Request = 3,
    /// Function → function that used the same resources lately.
    Sharing = 4,
    /// Earlier → later invocation of one function.
    Temporal = 5,
    /// Function → function that consumes its output.
    Dependency = 6,
}

/// Number of edge types.
pub const EDGE_TYPES: usize = 7;

const NODE_SOURCES: [NodeType; EDGE_TYPES] = [
    NodeType::Invocation,
    NodeType::Function,
    NodeType::Invocation,
    NodeType::Invocation,
    NodeType::Function,
    NodeType::Invocation,
    NodeType::Function,
];
const NODE_TARGETS: [NodeType; EDGE_TYPES] = [
    NodeType::Function,
    NodeType::Resource,
    NodeType::Resource,
    NodeType::Resource,
    NodeType::Function,
    NodeType::Invocation,
    NodeType::Function,
];

impl EdgeType {
    /// Every edge type, in order.
    pub const ALL: [EdgeType; EDGE_TYPES] = [
        EdgeType::InstanceOf,
        EdgeType::Warm,
        EdgeType::Allocation,
        EdgeType::Request,
        EdgeType::Sharing,
        EdgeType::Temporal,
        EdgeType::Dependency,
    ];

    /// The type of the nodes that edges of this type leave.
    #[must_use]
    pub fn source(self) -> NodeType {
        NODE_SOURCES[self as usize]
    }

    /// The type of the nodes that edges of this type enter.
    #[must_use]
    pub fn target(self) -> NodeType {
        NODE_TARGETS[self as usize]
    }
}

/// The feature names of one scenario; their counts are the widths of the networks' inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Features of the whole cluster.
    pub globals: Vec<String>,
    /// Features of each node type.
    pub nodes: [Vec<String>; NODE_TYPES],
    /// Features of each edge type.
    pub edges: [Vec<String>; EDGE_TYPES],
    /// Features of an option: one (invocation, size, node) that could be started.
    pub options: Vec<String>,
    /// Sizes that may be decided between.
    pub sizes: usize,
}

impl Schema {
    /// The digest by which peers know that they mean the same numbers.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = format!("globals={};sizes={};", self.globals.join(","), self.sizes);
        for names in self.nodes.iter().chain(&self.edges).chain([&self.options]) {
            text.push_str(&names.join(","));
            text.push(';');
        }
        Digest::of(text.as_bytes())
    }
}

/// Owned names from literals.
pub(crate) fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}
