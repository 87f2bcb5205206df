//! Measures the cost of a partition.

use std::num::NonZeroU32;

use crate::part::check_assignment;
use crate::weights::weights;
use crate::{EdgeList, PartitionError};

/// Measures of an assignment of nodes to parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Number of edges whose ends lie on different parts.
    pub cut_edges: usize,
    /// Fraction of edges that are cut, 0–1; 0 for a graph without edges.
    pub cut_share: f64,
    /// Weight (in-degree + 1, summed over nodes) of the heaviest part over the mean: 1 is perfect; 1 for an empty
    /// graph.
    pub imbalance: f64,
}

impl Quality {
    /// Measures `assignment`, the owner of each node.
    ///
    /// # Errors
    /// When the assignment has not one owner below `parts` for each node.
    pub fn of(list: &EdgeList, assignment: &[u32], parts: NonZeroU32) -> Result<Self, PartitionError> {
        check_assignment(list, assignment, parts)?;
        let owner = |node: u32| assignment[node as usize];
        let cut_edges = list.iter().filter(|(source, target)| owner(*source) != owner(*target)).count();
        Ok(Self {
            cut_edges,
            cut_share: cut_edges as f64 / list.edges().max(1) as f64,
            imbalance: imbalance(list, assignment, parts),
        })
    }
}

fn imbalance(list: &EdgeList, assignment: &[u32], parts: NonZeroU32) -> f64 {
    let mut loads = vec![0_u64; parts.get() as usize];
    for (weight, owner) in weights(list).into_iter().zip(assignment) {
        loads[*owner as usize] += weight;
    }
    let (total, heaviest) = (loads.iter().sum::<u64>(), loads.iter().max().copied().unwrap_or(0));
    if total == 0 { 1.0 } else { heaviest as f64 * loads.len() as f64 / total as f64 }
}
