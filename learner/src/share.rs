//! Which of a set of states each rank computes.

use std::num::NonZeroU32;
use std::ops::Range;

use policy::{GraphBatch, Placement, collate_share};
use state_graph::{Frame, Schema};
use tch::Device;
use torch_extension::process_group::ProcessGroup;

use crate::LearnerError;
use crate::cuts::Cuts;
use crate::update::Updater;

/// States in one forward pass where no gradient is needed.
const CHUNK: usize = 2048;
/// Edges in one such pass, unless a single state has more.
const CHUNK_EDGES: u64 = 2_000_000;

/// What one rank computes of a set of states.
pub(crate) struct Share {
    /// Its states, and its parts of those that are spread; `None` where it has neither.
    pub(crate) graph: Option<GraphBatch>,
    /// The places, in the set, of the states that it says something of, in the order of the graph's.
    pub(crate) places: Vec<usize>,
}

/// Puts this rank's shares into tensors; knows nothing of networks, so that it can work beside them.
pub(crate) struct Collator {
    schema: Schema,
    device: Device,
    /// Which one of how many.
    rank: Option<(u32, NonZeroU32)>,
}

impl Updater {
    pub(crate) fn collator(&self) -> Collator {
        let rank = self.group.as_ref().map(|group| (group.rank() as u32, ranks_of(group)));
        Collator { schema: self.schema.clone(), device: self.device, rank }
    }
}

impl Collator {
    /// This rank's share of the states at `places` of `frames`: all of them where it is alone; else whole states, evenly by
    /// nodes and edges, and its parts of those that are cut.
    pub(crate) fn share_of(
        &self,
        frames: &[Frame],
        cuts: &Cuts,
        places: &[usize],
    ) -> Result<Share, LearnerError> {
        let states: Vec<&Frame> = places.iter().map(|&place| &frames[place]).collect();
        let Some((rank, ranks)) = self.rank else {
            let graph = GraphBatch::collate(&self.schema, &states).to_device(self.device);
            return Ok(Share { graph: Some(graph), places: (0..places.len()).collect() });
        };
        let placements = placements(&states, |state| cuts.owners(places[state]), ranks);
        let takes_part = |placement: &Placement| match placement {
            Placement::Whole { rank: owner } => *owner == rank,
            Placement::Spread { .. } => true,
        };
        if !placements.iter().any(takes_part) {
            return Ok(Share { graph: None, places: Vec::new() });
        }
        let (graph, places) = collate_share(&self.schema, &states, &placements, rank, ranks)?;
        Ok(Share { graph: Some(graph.to_device(self.device)), places })
    }
}

/// As many parts as there are ranks.
pub(crate) fn ranks_of(group: &ProcessGroup) -> NonZeroU32 {
    NonZeroU32::new(group.size() as u32).unwrap_or(NonZeroU32::MIN)
}

/// Decisions on states that are spread go round; whole states are shared out by what they cost.
fn placements<'a>(
    states: &[&Frame],
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

/// Nodes of a state.
pub(crate) fn nodes_of(frame: &Frame) -> u64 {
    frame.nodes.iter().map(|&count| u64::from(count)).sum()
}

/// Edges of a state, both directions counted.
pub(crate) fn edges_of(frame: &Frame) -> u64 {
    2 * frame.edges.iter().map(|&count| u64::from(count)).sum::<u64>()
}

/// Consecutive frames that may be computed at once where no gradient is needed.
pub(crate) fn chunks(frames: &[Frame]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut edges) = (0, 0);
    for (place, frame) in frames.iter().enumerate() {
        let more = edges_of(frame);
        if place > start && (place - start == CHUNK || edges + more > CHUNK_EDGES) {
            ranges.push(start..place);
            (start, edges) = (place, 0);
        }
        edges += more;
    }
    if start < frames.len() {
        ranges.push(start..frames.len());
    }
    ranges
}
