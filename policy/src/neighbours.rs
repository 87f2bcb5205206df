//! Neighbour sampling (Hamilton, Ying & Leskovec 2017) of a state's edges. The cost then grows with the number of nodes
//! of a large cluster, not with the number of (invocation, node) pairs. A state is sampled when it is observed, so that
//! the learner sees the same edges as the actor that decided.

use partition::{EdgeList, Incoming, PartitionError, sample_neighbours};
use rand::Rng;
use state_graph::{EDGE_TYPES, EdgeType, Schema, StateGraph};

use crate::batch::starts;
use crate::edge_list;

/// Every node draws at most `most` of its edges of each edge type. The result is `state` with only the edges that were
/// drawn by at least one of their two ends; nodes, options and features are unchanged.
///
/// # Errors
/// None for a state whose edges end at its nodes.
pub(crate) fn sampled(
    schema: &Schema,
    state: StateGraph,
    most: usize,
    rng: &mut impl Rng,
) -> Result<StateGraph, PartitionError> {
    if state.edges.iter().all(|&count| count as usize <= most) {
        return Ok(state);
    }
    let mut kept: [Vec<bool>; EDGE_TYPES] = state.edges.map(|count| vec![false; count as usize]);
    let nodes: Vec<u32> = (0..state.nodes.iter().sum()).collect();
    for kind in EdgeType::ALL {
        let mut ends = edge_list::EdgeList::default();
        ends.push_ends(&state, &starts(state.nodes), kind);
        let list = EdgeList::new(nodes.len(), &ends.sources, &ends.targets)?;
        // An edge is in the list twice, once in either direction.
        for place in sample_neighbours(&Incoming::of(&list), &nodes, &[most], rng)?.edges {
            kept[kind as usize][place / 2] = true;
        }
    }
    Ok(state.with_edges(schema, &kept))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use state_graph::serverless;

    use super::*;
    use crate::random_states::{SIZES, rng, state_of};

    /// How many edges of `kind` every node of `state` has.
    fn degrees(state: &StateGraph, kind: EdgeType) -> Vec<usize> {
        let first = starts(state.nodes);
        let mut degrees = vec![0; state.nodes.iter().sum::<u32>() as usize];
        let (from, to) = state.edge_ends(kind);
        from.iter().for_each(|&node| degrees[(first[kind.source() as usize] + node) as usize] += 1);
        to.iter().for_each(|&node| degrees[(first[kind.target() as usize] + node) as usize] += 1);
        degrees
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_node_keeps_what_it_draws_and_the_rest_stays(
            nodes in (1..5_u32, 1..30_u32, 0..9_u32, 1..9_u32),
            most in 1..12_usize,
            seed in 0..1000_u64,
        ) {
            let schema = serverless::schema(SIZES as usize);
            let whole = state_of(&schema, [nodes.0, nodes.1, nodes.2, nodes.3], &mut rng(seed));
            let part = sampled(&schema, whole.clone(), most, &mut rng(seed)).unwrap();
            prop_assert_eq!(&part, &sampled(&schema, whole.clone(), most, &mut rng(seed)).unwrap());
            prop_assert_eq!(part.globals(&schema), whole.globals(&schema));
            prop_assert_eq!(part.option_indices(), whole.option_indices());
            prop_assert_eq!(part.option_features(&schema), whole.option_features(&schema));
            for kind in EdgeType::ALL {
                let (kept, all) = (degrees(&part, kind), degrees(&whole, kind));
                for (kept, all) in kept.iter().zip(&all) {
                    prop_assert!(*kept >= most.min(*all) && kept <= all);
                }
                prop_assert!(part.edges[kind as usize] as usize <= most * kept.len());
                // What is kept is what was there, features and all, in its order.
                let rows = |state: &StateGraph| {
                    let (from, to) = state.edge_ends(kind);
                    let width = schema.edges[kind as usize].len();
                    let features = state.edge_features(&schema, kind).to_vec();
                    let row = move |edge: usize| features[edge * width..(edge + 1) * width].to_vec();
                    from.iter().zip(to).map(|(a, b)| (*a, *b)).enumerate()
                        .map(|(edge, ends)| (ends, row(edge))).collect::<Vec<_>>()
                };
                let mut all = rows(&whole).into_iter();
                prop_assert!(rows(&part).iter().all(|row| all.any(|other| other == *row)));
            }
        }
    }

    #[test]
    fn a_state_with_few_edges_stays_as_it_is() {
        let schema = serverless::schema(SIZES as usize);
        let whole = state_of(&schema, [3, 9, 4, 5], &mut rng(1));
        let part = sampled(&schema, whole.clone(), 1000, &mut rng(1)).unwrap();
        assert_eq!(part, whole);
    }
}
