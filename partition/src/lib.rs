//! How a graph is cut over devices, and sampled where it is too large. Plain indices in, plain indices
//! out: no tensor, no clock, no socket, and no randomness but what the caller hands in.
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
mod metis;
mod neighbours;
mod part;
mod quality;
mod sample;
mod stream;
mod weights;

pub use components::{balance, components};
pub use edges::{EdgeList, Incoming};
pub use metis::metis;
pub use part::Part;
pub use quality::Quality;
pub use sample::{Sample, sample_neighbours};
pub use stream::stream;

/// Why a graph cannot be cut as asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// The two columns of an edge list differ in length.
    #[error("{sources} sources but {targets} targets: every edge needs one of each")]
    UnevenEdges {
        /// Length of the sources.
        sources: usize,
        /// Length of the targets.
        targets: usize,
    },
    /// Nodes are numbered by `u32`.
    #[error("{nodes} nodes, but node ids end at {}", u32::MAX)]
    TooManyNodes {
        /// Nodes asked for.
        nodes: usize,
    },
    /// An edge ends outside of the graph.
    #[error("edge {edge} goes from {source_node} to {target_node}, but there are only {nodes} nodes")]
    EndOutOfRange {
        /// Place of the edge.
        edge: usize,
        /// Where it starts.
        source_node: u32,
        /// Where it ends.
        target_node: u32,
        /// Nodes of the graph.
        nodes: usize,
    },
    /// An assignment has not one owner for each node.
    #[error("the assignment names {owners} owners for {nodes} nodes")]
    AssignmentLength {
        /// Length of the assignment.
        owners: usize,
        /// Nodes of the graph.
        nodes: usize,
    },
    /// A node is assigned to a part that does not exist.
    #[error("node {node} is assigned to part {owner}, but there are only {parts} parts")]
    OwnerOutOfRange {
        /// The node.
        node: usize,
        /// Where it is assigned to.
        owner: u32,
        /// Number of parts.
        parts: u32,
    },
    /// A rank outside of the parts.
    #[error("rank {rank} of {parts} parts: ranks count from 0")]
    RankOutOfRange {
        /// The rank.
        rank: u32,
        /// Number of parts.
        parts: u32,
    },
    /// A seed of neighbour sampling outside of the graph.
    #[error("seed node {seed} is outside of a graph of {nodes} nodes")]
    SeedOutOfRange {
        /// The seed.
        seed: u32,
        /// Nodes of the graph.
        nodes: usize,
    },
    /// METIS counts in 32 bits.
    #[error(
        "{edges} edges are too many for METIS (its 32-bit indices end at 2^30 edges); use the streaming partitioner"
    )]
    TooLargeForMetis {
        /// Edges of the graph.
        edges: usize,
    },
    /// METIS failed.
    #[error("METIS: {0}")]
    Metis(String),
}
