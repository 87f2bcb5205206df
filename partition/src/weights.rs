//! The computing cost of a node for its owner.

use crate::EdgeList;

/// In-degree + 1 of each node: attention costs one unit per incoming edge, the other layers one unit per node.
pub(crate) fn weights(list: &EdgeList) -> Vec<u64> {
    let mut weights = vec![1; list.nodes()];
    list.targets().iter().for_each(|target| weights[*target as usize] += 1);
    weights
}
