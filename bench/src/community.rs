//! The state of a large cluster whose parts mostly keep to themselves, as zones and tenants do: what there is to gain from
//! cutting a graph well.

use rand::Rng;
use rand::seq::SliceRandom;
use state_graph::{EdgeType, NODE_TYPES, NodeType, StateGraph, StateGraphBuilder};

use crate::graph::{generator, noise};
use crate::typed::{EDGES, NODES, count, schema};

/// Messages of a community, so that it has about a thousand nodes.
const MESSAGES: usize = 10_000;
/// Share of the edges whose target is drawn from all nodes.
const LEAVING: f64 = 0.05;

/// A state along whose edges about `messages` messages pass in a layer. Ids say nothing of communities.
pub(crate) fn state(messages: usize) -> StateGraph {
    // Which edges there are does not depend on how many features a node or an edge has.
    let (mut rng, mut features_rng) = (generator(messages ^ (1 << 50)), generator(messages ^ (1 << 51)));
    let schema = schema();
    let communities = (messages / MESSAGES).max(1);
    let mut builder = StateGraphBuilder::default();
    builder.globals(&noise(schema.globals.len(), &mut features_rng));
    // Nodes of each type in an order in which every community is a range.
    let mut orders: [Vec<u32>; NODE_TYPES] = Default::default();
    for ((kind, share), order) in NodeType::ALL.into_iter().zip(NODES).zip(&mut orders) {
        let count = count(share, messages, communities);
        for _ in 0..count {
            builder.node(kind, &noise(schema.nodes[kind as usize].len(), &mut features_rng));
        }
        order.extend((0_u32..).take(count));
        order.shuffle(&mut rng);
    }
    for (kind, share) in EdgeType::ALL.into_iter().zip(EDGES) {
        let (sources, targets) = (&orders[kind.source() as usize], &orders[kind.target() as usize]);
        let features = schema.edges[kind as usize].len();
        for _ in 0..(share * messages as f64 / 2.0).round() as usize {
            let source = rng.random_range(0..sources.len());
            let target = if rng.random_bool(LEAVING) {
                rng.random_range(0..targets.len())
            } else {
                let community = source * communities / sources.len();
                let start = |community: usize| (community * targets.len()).div_ceil(communities);
                rng.random_range(start(community)..start(community + 1))
            };
            builder.edge(kind, sources[source], targets[target], &noise(features, &mut features_rng));
        }
    }
    builder.may_wait(true);
    builder.build()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use partition::{EdgeList, Quality};

    use super::*;

    #[test]
    fn a_good_cut_leaves_little_more_than_what_leaves_the_communities() {
        let state = state(100_000);
        let (sources, targets) = policy::messages(&state);
        assert!((99_000..101_000).contains(&sources.len()));
        let nodes = state.nodes.iter().sum::<u32>() as usize;
        let list = EdgeList::new(nodes, &sources, &targets).unwrap();
        let parts = NonZeroU32::new(2).unwrap();
        let quality = Quality::of(&list, &partition::metis(&list, parts).unwrap(), parts).unwrap();
        assert!((0.005..0.06).contains(&quality.cut_share), "{quality:?}");
    }
}
