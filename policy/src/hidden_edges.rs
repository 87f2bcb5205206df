//! States without some types of edges, to see what those are worth.

use state_graph::{EdgeType, Schema, StateGraph};

/// `state` without the edges of the types `hidden`.
pub(crate) fn without_edges(schema: &Schema, state: StateGraph, hidden: &[EdgeType]) -> StateGraph {
    if hidden.iter().all(|kind| state.edges[*kind as usize] == 0) {
        return state;
    }
    let mut kept = state.edges.map(|count| vec![true; count as usize]);
    hidden.iter().for_each(|kind| kept[*kind as usize].fill(false));
    state.with_edges(schema, &kept)
}

#[cfg(test)]
mod tests {
    use state_graph::serverless;

    use super::*;
    use crate::random_states::{SIZES, rng, state_of};

    #[test]
    fn only_the_hidden_edges_are_gone() {
        let schema = serverless::schema(SIZES as usize);
        let whole = state_of(&schema, [5, 12, 6, 3], &mut rng(3));
        let hidden = [EdgeType::Sharing, EdgeType::Request];
        let part = without_edges(&schema, whole.clone(), &hidden);
        for kind in EdgeType::ALL {
            let expected = if hidden.contains(&kind) { 0 } else { whole.edges[kind as usize] };
            assert_eq!(part.edges[kind as usize], expected);
            if expected > 0 {
                assert_eq!(part.edge_features(&schema, kind), whole.edge_features(&schema, kind));
            }
        }
        assert!(whole.edges[EdgeType::Request as usize] > 0);
        assert_eq!(part.option_indices(), whole.option_indices());
        assert_eq!(without_edges(&schema, whole.clone(), &[]), whole);
    }
}
