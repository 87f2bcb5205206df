//! Why a graph cannot be cut.

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
        /// Source node of the edge.
        source_node: u32,
        /// Target node of the edge.
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
        /// Id of the node, counted from 0.
        node: usize,
        /// The part to which the node is assigned.
        owner: u32,
        /// Number of parts.
        parts: u32,
    },
    /// A rank outside of the parts.
    #[error("rank {rank} of {parts} parts: ranks count from 0")]
    RankOutOfRange {
        /// The rank that the caller asked for, counted from 0.
        rank: u32,
        /// Number of parts.
        parts: u32,
    },
    /// A seed of neighbour sampling outside of the graph.
    #[error("seed node {seed} is outside of a graph of {nodes} nodes")]
    SeedOutOfRange {
        /// Node id of the seed.
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
    /// METIS returned an error, described by this text.
    #[error("METIS: {0}")]
    Metis(String),
}
