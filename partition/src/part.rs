//! One rank's part of a graph, and the rows that it exchanges with other ranks.

use std::num::NonZeroU32;

use crate::{EdgeList, PartitionError};

/// One rank's share of a graph. Its local rows are the owned nodes, then the halo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Global ids of the nodes that it owns, ascending.
    pub owned: Vec<u32>,
    /// Global ids of the sources that others own, by owner ascending and then by id ascending.
    pub halo: Vec<u32>,
    /// Global places of the edges whose target it owns, ascending.
    pub edges: Vec<usize>,
    /// Local row of each edge's source: its place in `owned`, or `owned.len()` + its place in `halo`.
    pub sources: Vec<u32>,
    /// Local row of each edge's target: its place in `owned`.
    pub targets: Vec<u32>,
    /// For each rank the local rows to send to it, in the order of the receiver's halo.
    pub send: Vec<Vec<u32>>,
    /// For each rank the number of halo rows that it sends to this rank.
    pub receive: Vec<usize>,
}

impl Part {
    /// The share of `rank` when node `v` belongs to `assignment[v]`. Takes time linear in the graph and in the cut
    /// (times its logarithm); every rank finds the same layout by itself, so no layout ever travels.
    ///
    /// # Errors
    /// When the assignment has not one owner below `parts` for each node, or `rank` is not below `parts`.
    pub fn of(
        list: &EdgeList,
        assignment: &[u32],
        rank: u32,
        parts: NonZeroU32,
    ) -> Result<Self, PartitionError> {
        check_assignment(list, assignment, parts)?;
        if rank >= parts.get() {
            return Err(PartitionError::RankOutOfRange { rank, parts: parts.get() });
        }
        Ok(Cut { list, assignment, rank, parts: parts.get() as usize }.part())
    }

    /// Number of local rows: owned nodes and halo.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.owned.len() + self.halo.len()
    }
}

/// A checked assignment, seen from one rank.
struct Cut<'a> {
    list: &'a EdgeList<'a>,
    assignment: &'a [u32],
    rank: u32,
    parts: usize,
}

impl Cut<'_> {
    fn part(&self) -> Part {
        let owned = self.owned();
        let (halo, receive) = self.halo();
        let edges = self.edges();
        let rows = self.local_rows(&owned, &halo);
        let local = |ends: &[u32]| edges.iter().map(|edge| rows[ends[*edge] as usize]).collect();
        let (sources, targets) = (local(self.list.sources()), local(self.list.targets()));
        let send = self.send(&rows);
        Part { owned, halo, edges, sources, targets, send, receive }
    }

    fn owner(&self, node: u32) -> u32 {
        self.assignment[node as usize]
    }

    fn owned(&self) -> Vec<u32> {
        (0_u32..)
            .zip(self.assignment)
            .filter(|(_, owner)| **owner == self.rank)
            .map(|(node, _)| node)
            .collect()
    }

    fn edges(&self) -> Vec<usize> {
        let targets = self.list.targets().iter().enumerate();
        targets.filter(|(_, target)| self.owner(**target) == self.rank).map(|(edge, _)| edge).collect()
    }

    /// The halo, and how much of it comes from each rank.
    fn halo(&self) -> (Vec<u32>, Vec<usize>) {
        let mut halo: Vec<(u32, u32)> = self
            .list
            .iter()
            .filter(|(source, target)| self.owner(*target) == self.rank && self.owner(*source) != self.rank)
            .map(|(source, _)| (self.owner(source), source))
            .collect();
        halo.sort_unstable();
        halo.dedup();
        let mut receive = vec![0; self.parts];
        halo.iter().for_each(|(owner, _)| receive[*owner as usize] += 1);
        (halo.into_iter().map(|(_, node)| node).collect(), receive)
    }

    /// The local row of each node that has one on this rank; other entries are not valid.
    fn local_rows(&self, owned: &[u32], halo: &[u32]) -> Vec<u32> {
        let mut rows = vec![u32::MAX; self.list.nodes()];
        for (row, node) in (0_u32..).zip(owned.iter().chain(halo)) {
            rows[*node as usize] = row;
        }
        rows
    }

    /// The local rows to send to each rank. Rows ascend with ids, so this is the order of the receiver's halo.
    fn send(&self, rows: &[u32]) -> Vec<Vec<u32>> {
        let mut send = vec![Vec::new(); self.parts];
        for (source, target) in self.list.iter() {
            if self.owner(source) == self.rank && self.owner(target) != self.rank {
                send[self.owner(target) as usize].push(rows[source as usize]);
            }
        }
        for list in &mut send {
            list.sort_unstable();
            list.dedup();
        }
        send
    }
}

/// Refuses an assignment that has not one owner below `parts` for each node.
pub(crate) fn check_assignment(
    list: &EdgeList,
    assignment: &[u32],
    parts: NonZeroU32,
) -> Result<(), PartitionError> {
    if assignment.len() != list.nodes() {
        return Err(PartitionError::AssignmentLength { owners: assignment.len(), nodes: list.nodes() });
    }
    match assignment.iter().position(|owner| *owner >= parts.get()) {
        Some(node) => {
            Err(PartitionError::OwnerOutOfRange { node, owner: assignment[node], parts: parts.get() })
        }
        None => Ok(()),
    }
}
