//! The cluster as a typed graph in flat arrays: schemas that name every feature, frames that hold one state each, and
//! the builders that make frames from what a scheduler may see. No tensor, no clock, no simulator.

mod codec;
mod frame;
mod schema;
pub mod serverless;
pub mod slots;

pub use codec::{FrameDecoder, FrameEncoder, FrameError};
pub use frame::{Frame, FrameBuilder};
pub use schema::{EDGE_TYPES, EdgeType, NODE_TYPES, NodeType, Schema};
