//! Linear deterministic greedy (Stanton & Kliot 2012), restreamed (Nishimura & Ugander 2013).

use std::num::NonZeroU32;

use crate::EdgeList;
use crate::neighbours::Neighbours;
use crate::weights::weights;

/// Number of passes over all nodes. Later passes use the assignment of the previous one; more than five improve little.
const PASSES: usize = 5;
/// Largest weight of a part, relative to the mean.
const SLACK: f64 = 1.05;
/// The owner of a node that has none yet.
const NOWHERE: u32 = u32::MAX;

/// The part of each node, balanced by in-degree + 1 within 5% (or by what the heaviest node leaves possible): nodes go
/// in turn to where most of their neighbours are, the more reluctantly the fuller it is there. Linear in the edges, a
/// fraction of [`crate::metis()`]'s time, and as good where hubs leave nothing to find; the same graph gives the same
/// cut.
#[must_use]
pub fn stream(list: &EdgeList, parts: NonZeroU32) -> Vec<u32> {
    let mut assignment = vec![NOWHERE; list.nodes()];
    if parts.get() == 1 {
        assignment.fill(0);
        return assignment;
    }
    let neighbours = Neighbours::of(list);
    let weights = weights(list);
    for _ in 0..PASSES {
        let mut pass = Pass::new(parts, weights.iter().sum());
        for (node, weight) in weights.iter().enumerate() {
            assignment[node] = pass.place(neighbours.of_node(node), &assignment, *weight);
        }
    }
    assignment
}

/// One pass over all nodes.
struct Pass {
    capacity: f64,
    loads: Vec<u64>,
    /// Number of the current node's neighbours on each part; all zero between nodes.
    near: Vec<u32>,
}

impl Pass {
    fn new(parts: NonZeroU32, total: u64) -> Self {
        let parts = parts.get() as usize;
        let capacity = SLACK * total as f64 / parts as f64;
        Self { capacity, loads: vec![0; parts], near: vec![0; parts] }
    }

    fn place(&mut self, neighbours: &[u32], assignment: &[u32], weight: u64) -> u32 {
        let owners = || neighbours.iter().map(|neighbour| assignment[*neighbour as usize]);
        let placed = || owners().filter(|owner| *owner != NOWHERE);
        placed().for_each(|owner| self.near[owner as usize] += 1);
        let part = self.best(weight);
        self.near.fill(0);
        self.loads[part] += weight;
        part as u32
    }

    /// The part of the highest score among those with room, the lightest where scores tie or none has room.
    fn best(&self, weight: u64) -> usize {
        let mut best = (f64::NEG_INFINITY, u64::MAX, 0);
        for (part, load) in self.loads.iter().copied().enumerate() {
            let has_room = (load + weight) as f64 <= self.capacity;
            let room = 1.0 - load as f64 / self.capacity;
            let score = if has_room { f64::from(self.near[part]) * room } else { -1.0 };
            if score > best.0 || (score == best.0 && load < best.1) {
                best = (score, load, part);
            }
        }
        best.2
    }
}
