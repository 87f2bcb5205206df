//! States of the `serverless` scenario. [`ServerlessGraph`] follows cluster events and keeps a record of every
//! function, node, container and invocation up to date. A state shows a part of it, which does not grow with the cluster but for its
//! resources: the invocations that could start, some that fit nowhere, the running ones that are expected to finish first,
//! their functions, and those whose idle containers would be evicted first.

mod container;
mod counts;
mod features;
mod frame;
mod function;
mod invocation_rows;
mod levels;
mod node;
mod offer;
mod option_rows;
mod queue;
mod scales;
mod tracker;
mod workflows;

use crate::schema::names;
use crate::{EDGE_TYPES, EdgeType, NODE_TYPES, NodeType, Schema};

pub use counts::GraphCounts;
pub use frame::{Legend, PENDING_WINDOW, RUNNING_WINDOW, STUCK_WINDOW};
pub use levels::Group;
pub use offer::{Offer, OtherOption, Subject};
pub use tracker::{ServerlessGraph, TrackerError};

/// Names of every feature, for a scheduler that decides between `sizes` sizes.
#[must_use]
pub fn schema(sizes: usize) -> Schema {
    let mut nodes: [Vec<String>; NODE_TYPES] = Default::default();
    nodes[NodeType::Function as usize] = names(&features::FUNCTION);
    nodes[NodeType::Resource as usize] = names(&features::RESOURCE);
    nodes[NodeType::Invocation as usize] = names(&invocation_rows::INVOCATION);
    let mut edges: [Vec<String>; EDGE_TYPES] = Default::default();
    edges[EdgeType::InstanceOf as usize] = names(&["pending"]);
    edges[EdgeType::Warm as usize] = names(&features::WARM);
    edges[EdgeType::Allocation as usize] = names(&features::ALLOCATION);
    edges[EdgeType::Request as usize] = names(&option_rows::OPTION);
    edges[EdgeType::Sharing as usize] = names(&features::SHARING);
    edges[EdgeType::Temporal as usize] = names(&features::TEMPORAL);
    edges[EdgeType::Dependency as usize] = names(&features::DEPENDENCY);
    let ways = (0..sizes).map(|size| format!("start_size_{size}")).collect();
    Schema { globals: names(&features::GLOBAL), nodes, edges, options: names(&option_rows::OPTION), ways }
}

/// `schema` with the rows of applications, tenants, zones and the cluster.
#[must_use]
pub fn with_levels(mut schema: Schema) -> Schema {
    schema.nodes[NodeType::Group as usize] = names(&levels::GROUP);
    for kind in [EdgeType::FunctionOf, EdgeType::ResourceOf, EdgeType::GroupOf] {
        schema.edges[kind as usize] = names(&levels::MEMBER);
    }
    schema
}
