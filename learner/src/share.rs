//! Which of a set of states each rank computes.

use std::num::NonZeroU32;
use std::ops::Range;

use policy::GraphBatch;
use state_graph::Frame;

use crate::update::Updater;

/// States in one forward pass where no gradient is needed.
const CHUNK: usize = 2048;
/// Edges in one such pass, unless a single state has more.
const CHUNK_EDGES: u64 = 2_000_000;

/// What one rank computes of a set of frames.
pub(crate) struct Share {
    /// Its states; none where there are more ranks than frames.
    pub(crate) graph: Option<GraphBatch>,
    /// The places, in the set, of the frames that it says something of, in the order of the graph's.
    pub(crate) places: Vec<usize>,
}

impl Updater {
    /// This rank's share of `frames`: all of them where it is alone, else whole frames, evenly by nodes and edges.
    pub(crate) fn share_of(&self, frames: &[&Frame]) -> Share {
        let places = match &self.group {
            None => (0..frames.len()).collect(),
            Some(group) => places_of(frames, group.rank(), group.size()),
        };
        let mine: Vec<&Frame> = places.iter().map(|&place| frames[place]).collect();
        let graph = (!mine.is_empty()).then(|| GraphBatch::collate(&self.schema, &mine));
        Share { graph, places }
    }
}

fn places_of(frames: &[&Frame], rank: usize, size: usize) -> Vec<usize> {
    let weights: Vec<u64> = frames.iter().map(|frame| nodes_of(frame) + edges_of(frame)).collect();
    let parts = NonZeroU32::new(size as u32).unwrap_or(NonZeroU32::MIN);
    let owners = partition::balance(&weights, parts);
    (0..frames.len()).filter(|&place| owners[place] as usize == rank).collect()
}

fn nodes_of(frame: &Frame) -> u64 {
    frame.nodes.iter().map(|&count| u64::from(count)).sum()
}

/// Edges of a state, both directions counted.
pub(crate) fn edges_of(frame: &Frame) -> u64 {
    2 * frame.edges.iter().map(|&count| u64::from(count)).sum::<u64>()
}

/// Consecutive frames that may be computed at once where no gradient is needed.
pub(crate) fn chunks(frames: &[&Frame]) -> Vec<Range<usize>> {
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
