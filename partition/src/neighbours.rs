//! A graph without direction: what partitioners look at, for a cut costs the same either way.

use crate::EdgeList;
use crate::edges::offsets;

/// The neighbours of each node over edges in and out, one entry an edge end; self loops, which nothing cuts, are left out.
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
