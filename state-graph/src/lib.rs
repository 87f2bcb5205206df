//! The cluster as a typed graph in flat arrays: schemas that name every feature, state graphs that hold one
//! state each, and builders that make them from what a scheduler may see. No tensor, no clock, no simulator.

mod codec;
mod schema;
pub mod serverless;
pub mod slots;
mod state_graph;
mod ways;

pub use codec::{StateGraphDecoder, StateGraphEncoder, StateGraphError};
pub use common::{EDGE_TYPES, EdgeType, NODE_TYPES, NodeType};
pub use schema::Schema;
pub use state_graph::{Node, StateGraph, StateGraphBuilder};
pub use ways::Way;
