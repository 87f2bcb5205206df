//! The shared vocabulary of Longshore: ids, seeds, time, cluster events, actions, trajectories and exit codes;
//! no I/O but reading files that people name, no clock, no socket, no tensor.

pub mod action;
mod arrived;
mod bounded_lines;
pub mod checksum;
pub mod cluster;
mod error_text;
mod exit_code;
pub mod folder_file;
mod graph_types;
pub mod ids;
pub mod name;
mod nearest;
mod residual;
pub mod reward;
pub mod seed;
mod shutdown;
pub mod slots;
pub mod time;
pub mod trajectory;
mod upward_ranks;
pub mod user_file;

pub use action::{Action, ActionKind, Patience};
pub use arrived::Arrived;
pub use bounded_lines::BoundedLines;
pub use error_text::error_text;
pub use exit_code::{ExitCode, ExitStatus};
pub use graph_types::{EDGE_TYPES, EdgeType, NODE_TYPES, NodeType};
pub use nearest::nearest;
pub use seed::{RunSeed, Stream};
pub use shutdown::Shutdown;
pub use time::SimTime;
pub use upward_ranks::upward_ranks;
