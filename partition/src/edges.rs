//! A directed graph as two columns, and the same sorted by target.

use crate::PartitionError;

/// A directed graph: edge `e` goes from `sources[e]` to `targets[e]`. Self loops and parallel edges are allowed.
#[derive(Clone, Copy, Debug)]
pub struct EdgeList<'a> {
    nodes: usize,
    sources: &'a [u32],
    targets: &'a [u32],
}

impl<'a> EdgeList<'a> {
    /// A graph of nodes `0..nodes`.
    ///
    /// # Errors
    /// When the columns differ in length, node ids do not fit `u32`, or an edge ends outside the graph.
    pub fn new(nodes: usize, sources: &'a [u32], targets: &'a [u32]) -> Result<Self, PartitionError> {
        if sources.len() != targets.len() {
            return Err(PartitionError::UnevenEdges { sources: sources.len(), targets: targets.len() });
        }
        if nodes > u32::MAX as usize {
            return Err(PartitionError::TooManyNodes { nodes });
        }
        let list = Self { nodes, sources, targets };
        let outside = list.iter().position(|(source, target)| source.max(target) as usize >= nodes);
        match outside {
            Some(edge) => Err(PartitionError::EndOutOfRange {
                edge,
                source_node: sources[edge],
                target_node: targets[edge],
                nodes,
            }),
            None => Ok(list),
        }
    }

    /// Number of nodes.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.nodes
    }

    /// Number of edges.
    #[must_use]
    pub const fn edges(&self) -> usize {
        self.sources.len()
    }

    /// Source of each edge.
    #[must_use]
    pub const fn sources(&self) -> &'a [u32] {
        self.sources
    }

    /// Target of each edge.
    #[must_use]
    pub const fn targets(&self) -> &'a [u32] {
        self.targets
    }

    /// (source, target) of each edge.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> + 'a {
        self.sources.iter().copied().zip(self.targets.iter().copied())
    }
}

/// A graph sorted by target (compressed sparse rows), as neighbour sampling needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Node `v` has the incoming edges `offsets[v]..offsets[v + 1]` of the two columns below; nodes + 1 entries.
    pub offsets: Vec<usize>,
    /// Source of each edge.
    pub sources: Vec<u32>,
    /// Place of each edge in the edge list it came from.
    pub places: Vec<usize>,
}

impl Incoming {
    /// Sorts `list` by target; edges of one target stay in their order.
    #[must_use]
    pub fn of(list: &EdgeList) -> Self {
        let offsets = offsets(list.nodes, list.targets.iter().copied());
        let mut next = offsets.clone();
        let mut sorted = Self { offsets, sources: vec![0; list.edges()], places: vec![0; list.edges()] };
        for (place, (source, target)) in list.iter().enumerate() {
            let slot = &mut next[target as usize];
            sorted.sources[*slot] = source;
            sorted.places[*slot] = place;
            *slot += 1;
        }
        sorted
    }

    /// Number of nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.offsets.len() - 1
    }
}

/// The start of each row's entries when `entries` (row numbers) are sorted; `rows + 1` numbers.
pub(crate) fn offsets(rows: usize, entries: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut offsets = vec![0; rows + 1];
    entries.for_each(|row| offsets[row as usize + 1] += 1);
    for row in 0..rows {
        offsets[row + 1] += offsets[row];
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_outside_is_named_with_its_edge() {
        let error = EdgeList::new(3, &[0, 1], &[2, 3]).unwrap_err();
        assert_eq!(error.to_string(), "edge 1 goes from 1 to 3, but there are only 3 nodes");
        let error = EdgeList::new(3, &[0, 1], &[2]).unwrap_err();
        assert_eq!(error.to_string(), "2 sources but 1 targets: every edge needs one of each");
    }

    #[test]
    fn sorted_by_target_edges_keep_their_order() {
        let sorted = Incoming::of(&EdgeList::new(4, &[3, 1, 0, 2], &[2, 0, 2, 2]).unwrap());
        assert_eq!(sorted.offsets, [0, 1, 1, 4, 4]);
        assert_eq!(sorted.sources, [1, 3, 0, 2]);
        assert_eq!(sorted.places, [1, 0, 2, 3]);
    }
}
