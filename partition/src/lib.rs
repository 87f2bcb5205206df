//! Partitions graphs over devices and samples graphs that are too large. Inputs and outputs are plain indices: no
//! tensor, no clock, no socket, and no randomness except the caller's generator.
//!
//! A cut belongs to the *nodes*: every node has one owner, and an edge lies where its target lies, so that what is
//! computed over a node's incoming edges (the softmax of attention) never leaves a device. Rows of sources that lie
//! elsewhere are fetched: the *halo* ([`Part`]).
//!
//! - A minibatch of many graphs: [`balance`] over its [`components`] cuts no edge at all.
//! - One large graph: [`metis()`] where it has communities, [`stream()`] where it has hubs or time matters;
//!   [`Quality`] says what the cut costs.
//! - A graph that need not be known whole: [`sample_neighbours`].
//!
//! Nodes are numbered by `u32` and edges by `usize`; an edge is its place in the [`EdgeList`].

mod components;
mod edges;
mod error;
mod metis;
mod neighbours;
mod part;
mod quality;
mod sample;
mod stream;
mod weights;

pub use components::{balance, components};
pub use edges::{EdgeList, Incoming};
pub use error::PartitionError;
pub use metis::metis;
pub use part::Part;
pub use quality::Quality;
pub use sample::{Sample, sample_neighbours};
pub use stream::stream;
