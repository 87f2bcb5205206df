//! Neighbour sampling (Hamilton, Ying & Leskovec 2017): a minibatch of a graph that is too large to train on whole.

use std::collections::HashMap;

use rand::Rng;
use rand::seq::index;

use crate::{Incoming, PartitionError};

/// A sub-graph with ids of its own: node `i` is `nodes[i]` of the whole graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Global ids, seeds first, then in the order in which they were found.
    pub nodes: Vec<u32>,
    /// How many of the nodes are seeds: those whose results are exact in depth.
    pub seeds: usize,
    /// Place of each edge in the edge list.
    pub edges: Vec<usize>,
    /// Local id of each edge's source.
    pub sources: Vec<u32>,
    /// Local id of each edge's target; ascending.
    pub targets: Vec<u32>,
}

/// Starting from `seeds` (a repeated one counts once), takes of every node found in the hop before at most
/// `fanouts[hop]` incoming edges, drawn without replacement; as many hops as the network has layers. The same generator
/// gives the same sample, and time and memory follow the sample's size, not the graph's.
///
/// # Errors
/// When a seed is outside of the graph.
pub fn sample_neighbours(
    graph: &Incoming,
    seeds: &[u32],
    fanouts: &[usize],
    rng: &mut impl Rng,
) -> Result<Sample, PartitionError> {
    if let Some(seed) = seeds.iter().find(|seed| **seed as usize >= graph.nodes()) {
        return Err(PartitionError::SeedOutOfRange { seed: *seed, nodes: graph.nodes() });
    }
    let mut growing = Growing::default();
    seeds.iter().for_each(|seed| _ = growing.local(*seed));
    growing.sample.seeds = growing.sample.nodes.len();
    let mut frontier = 0;
    for fanout in fanouts {
        let found = growing.sample.nodes.len();
        (frontier..found).for_each(|target| growing.expand(graph, target, *fanout, rng));
        frontier = found;
    }
    Ok(growing.sample)
}

#[derive(Default)]
struct Growing {
    sample: Sample,
    locals: HashMap<u32, u32>,
}

impl Growing {
    /// The local id of a node, which is new if it was not found before.
    fn local(&mut self, node: u32) -> u32 {
        let nodes = &mut self.sample.nodes;
        *self.locals.entry(node).or_insert_with(|| {
            nodes.push(node);
            nodes.len() as u32 - 1
        })
    }

    /// Takes up to `fanout` edges into the node of local id `target`, in their order.
    fn expand(&mut self, graph: &Incoming, target: usize, fanout: usize, rng: &mut impl Rng) {
        let node = self.sample.nodes[target] as usize;
        let (start, end) = (graph.offsets[node], graph.offsets[node + 1]);
        let mut drawn = index::sample(rng, end - start, fanout.min(end - start)).into_vec();
        drawn.sort_unstable();
        for slot in drawn.into_iter().map(|place| start + place) {
            let source = self.local(graph.sources[slot]);
            self.sample.edges.push(graph.places[slot]);
            self.sample.sources.push(source);
            self.sample.targets.push(target as u32);
        }
    }
}
