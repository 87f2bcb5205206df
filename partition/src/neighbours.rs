//! An undirected view of a graph for partitioners, because a cut edge costs the same in either direction.

use crate::EdgeList;
use crate::edges::offsets;

/// The neighbours of each node over incoming and outgoing edges, one entry per edge end. Self loops are left out,
/// because no partition cuts them.
pub(crate) struct Neighbours {
    /// Node `v` has the neighbours `nodes[offsets[v]..offsets[v + 1]]`.
    pub offsets: Vec<usize>,
    pub nodes: Vec<u32>,
}

impl Neighbours {
    pub fn of(list: &EdgeList) -> Self {
        let ends = || list.iter().filter(|(source, target)| source != target);
        let offsets = offsets(list.nodes(), ends().flat_map(|(source, target)| [source, target]));
        let mut next = offsets.clone();
        let mut nodes = vec![0; offsets[list.nodes()]];
        let mut push = |node: u32, neighbour| {
            nodes[next[node as usize]] = neighbour;
            next[node as usize] += 1;
        };
        for (source, target) in ends() {
            push(source, target);
            push(target, source);
        }
        Self { offsets, nodes }
    }

    pub fn of_node(&self, node: usize) -> &[u32] {
        &self.nodes[self.offsets[node]..self.offsets[node + 1]]
    }
}
