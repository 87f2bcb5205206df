//! METIS, multilevel k-way (Karypis & Kumar 1998).

use std::num::NonZeroU32;
use std::sync::Mutex;

use metis::Graph;
use metis::option::Seed;

use crate::neighbours::Neighbours;
use crate::weights::weights;
use crate::{EdgeList, PartitionError, stream};

/// METIS draws from the C library's one generator, so two calls at once would disturb each other's numbers.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// With fewer nodes per part METIS leaves parts empty and writes warnings to standard output.
const LEAST_NODES_A_PART: usize = 8;

/// The part of each node by METIS, balanced by in-degree + 1 within 3% where nodes are small enough; parallel edges
/// count with their number. The same graph gives the same cut. Graphs of under eight nodes a part, for which METIS is
/// not made, go through [`stream()`].
///
/// METIS replaces the handlers of SIGTERM and SIGABRT while it runs (tens of seconds for 10⁷ edges without
/// communities).
///
/// # Errors
/// When the graph has 2³⁰ edges and nodes together or more, or METIS itself fails.
pub fn metis(list: &EdgeList, parts: NonZeroU32) -> Result<Vec<u32>, PartitionError> {
    if list.edges() + list.nodes() >= 1 << 30 {
        return Err(PartitionError::TooLargeForMetis { edges: list.edges() });
    }
    if parts.get() == 1 || list.nodes() / LEAST_NODES_A_PART < parts.get() as usize {
        return Ok(stream(list, parts));
    }
    Symmetric::of(list).cut(parts)
}

/// A graph as METIS wants it: symmetric, no self loops, parallel edges merged.
struct Symmetric {
    offsets: Vec<i32>,
    neighbours: Vec<i32>,
    /// How many edges each entry stands for.
    multiplicities: Vec<i32>,
    weights: Vec<i32>,
}

impl Symmetric {
    fn of(list: &EdgeList) -> Self {
        let mut all = Neighbours::of(list);
        let mut graph = Self {
            offsets: vec![0],
            neighbours: Vec::with_capacity(all.nodes.len()),
            multiplicities: Vec::with_capacity(all.nodes.len()),
            weights: weights(list).into_iter().map(|weight| weight as i32).collect(),
        };
        for node in 0..list.nodes() {
            let row = &mut all.nodes[all.offsets[node]..all.offsets[node + 1]];
            row.sort_unstable();
            for equal in row.chunk_by(|a, b| a == b) {
                graph.neighbours.push(equal[0] as i32);
                graph.multiplicities.push(equal.len() as i32);
            }
            graph.offsets.push(graph.neighbours.len() as i32);
        }
        graph
    }

    fn cut(&self, parts: NonZeroU32) -> Result<Vec<u32>, PartitionError> {
        let failed = |error: &dyn std::fmt::Display| PartitionError::Metis(error.to_string());
        let graph = Graph::new(1, parts.get() as i32, &self.offsets, &self.neighbours)
            .map_err(|error| failed(&error))?
            .set_vwgt(&self.weights)
            .set_adjwgt(&self.multiplicities)
            .set_option(Seed(1));
        let mut assignment = vec![0; self.weights.len()];
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        graph.part_kway(&mut assignment).map_err(|error| failed(&error))?;
        drop(alone);
        Ok(assignment.into_iter().map(|part| part as u32).collect())
    }
}
