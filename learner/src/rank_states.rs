//! Which of a set of states each rank computes.

use std::num::NonZeroU32;
use std::ops::Range;

use policy::{GraphBatch, Placement, collate_part};
use state_graph::{Schema, StateGraph};
use tch::Device;
use torch_extension::process_group::ProcessGroup;

use crate::LearnerError;
use crate::cuts::{Cuts, edges_of, nodes_of, ranks_of};

/// States in one forward pass where no gradient is needed.
const CHUNK: usize = 2048;
/// Edges in one such pass, unless a single state has more.
const CHUNK_EDGES: u64 = 2_000_000;

/// The part of a set of states that one rank computes.
pub(crate) struct RankStates {
    /// Its states, and its parts of those that are spread; `None` where it has neither.
    pub(crate) graph: Option<GraphBatch>,
    /// Places in the set of the states whose outputs this rank reports, in the order of the graph's states.
    pub(crate) places: Vec<usize>,
}

/// Puts this rank's states into tensors. It does not know the networks, so that it can work while they compute.
#[derive(Clone, Debug)]
pub(crate) struct Collator {
    schema: Schema,
    device: Device,
    /// Which one of how many.
    rank: Option<(u32, NonZeroU32)>,
}

impl Collator {
    /// For a rank of `ranks`, or for a learner that is alone.
    pub(crate) fn new(schema: Schema, device: Device, ranks: Option<&ProcessGroup>) -> Self {
        let rank = ranks.map(|ranks| (ranks.rank() as u32, ranks_of(ranks)));
        Collator { schema, device, rank }
    }

    /// The layout of the states.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// This rank's part of the states at `places` of `states`: all of them where it is alone; else some whole states,
    /// balanced by nodes and edges, and its parts of those that are cut.
    pub(crate) fn collate(
        &self,
        states: &[StateGraph],
        cuts: &Cuts,
        places: &[usize],
    ) -> Result<RankStates, LearnerError> {
        let chosen: Vec<&StateGraph> = places.iter().map(|&place| &states[place]).collect();
        let Some((rank, ranks)) = self.rank else {
            let graph = GraphBatch::collate(&self.schema, &chosen).to_device(self.device);
            return Ok(RankStates { graph: Some(graph), places: (0..places.len()).collect() });
        };
        let placements = placements(&chosen, |state| cuts.owners(places[state]), ranks);
        let takes_part = |placement: &Placement| match placement {
            Placement::Whole { rank: owner } => *owner == rank,
            Placement::Spread { .. } => true,
        };
        if !placements.iter().any(takes_part) {
            return Ok(RankStates { graph: None, places: Vec::new() });
        }
        let (graph, places) = collate_part(&self.schema, &chosen, &placements, rank, ranks)?;
        Ok(RankStates { graph: Some(graph.to_device(self.device)), places })
    }
}

/// Whole states are divided by their cost; the ranks take turns in deciding on states that are cut.
fn placements<'a>(
    states: &[&StateGraph],
    owners: impl Fn(usize) -> Option<&'a [u32]>,
    ranks: NonZeroU32,
) -> Vec<Placement> {
    let cost = |state: usize| match owners(state) {
        Some(_) => 0,
        None => nodes_of(states[state]) + edges_of(states[state]),
    };
    let balanced = partition::balance(&(0..states.len()).map(cost).collect::<Vec<_>>(), ranks);
    let mut spread = 0;
    let mut placement = |state: usize| match owners(state) {
        Some(owners) => {
            spread += 1;
            Placement::Spread { owners: owners.to_vec(), decider: (spread - 1) % ranks }
        }
        None => Placement::Whole { rank: balanced[state] },
    };
    (0..states.len()).map(&mut placement).collect()
}

/// Ranges of consecutive states that are small enough for one forward pass without gradients.
pub(crate) fn chunks(states: &[StateGraph]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut edges) = (0, 0);
    for (place, state) in states.iter().enumerate() {
        let more = edges_of(state);
        if place > start && (place - start == CHUNK || edges + more > CHUNK_EDGES) {
            ranges.push(start..place);
            (start, edges) = (place, 0);
        }
        edges += more;
    }
    if start < states.len() {
        ranges.push(start..states.len());
    }
    ranges
}
