//! The types of nodes and edges in a state graph.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Node types, in the order in which a state stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum NodeType {
    /// A function of the cluster, e.g. `resize-image`; `slots` has none.
    Function = 0,
    /// A worker node (in `slots`: the machine).
    Resource = 1,
    /// A pending or running invocation (in `slots`: a job).
    Invocation = 2,
    /// An application, a tenant, a zone or the whole cluster: a row above others, where a policy has levels.
    Group = 3,
}

/// Number of node types, the length of arrays by node type.
pub const NODE_TYPES: usize = 4;

impl NodeType {
    /// Every node type, in order.
    pub const ALL: [NodeType; NODE_TYPES] =
        [NodeType::Function, NodeType::Resource, NodeType::Invocation, NodeType::Group];
}

/// Edge types, in the order in which a state stores them. Each is stored in one direction; the networks pass messages
/// along both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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
    /// Function → its application.
    FunctionOf = 7,
    /// Resource → its zone.
    ResourceOf = 8,
    /// Application → tenant → cluster, and zone → cluster.
    GroupOf = 9,
}

/// Number of edge types, the length of arrays by edge type.
pub const EDGE_TYPES: usize = 10;

const NODE_SOURCES: [NodeType; EDGE_TYPES] = [
    NodeType::Invocation,
    NodeType::Function,
    NodeType::Invocation,
    NodeType::Invocation,
    NodeType::Function,
    NodeType::Invocation,
    NodeType::Function,
    NodeType::Function,
    NodeType::Resource,
    NodeType::Group,
];
const NODE_TARGETS: [NodeType; EDGE_TYPES] = [
    NodeType::Function,
    NodeType::Resource,
    NodeType::Resource,
    NodeType::Resource,
    NodeType::Function,
    NodeType::Invocation,
    NodeType::Function,
    NodeType::Group,
    NodeType::Group,
    NodeType::Group,
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
        EdgeType::FunctionOf,
        EdgeType::ResourceOf,
        EdgeType::GroupOf,
    ];

    /// The name of the type, as docs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EdgeType::InstanceOf => "instance-of",
            EdgeType::Warm => "warm",
            EdgeType::Allocation => "allocation",
            EdgeType::Request => "request",
            EdgeType::Sharing => "sharing",
            EdgeType::Temporal => "temporal",
            EdgeType::Dependency => "dependency",
            EdgeType::FunctionOf => "function-of",
            EdgeType::ResourceOf => "resource-of",
            EdgeType::GroupOf => "group-of",
        }
    }

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
