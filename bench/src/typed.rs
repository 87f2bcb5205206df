//! States of a cluster of any size: what the production encoder is measured on, and the same graph as peers read it.

use common::seed::FastRng;
use rand::Rng;
use state_graph::{
    EDGE_TYPES, EdgeType, NODE_TYPES, NodeType, Schema, StateGraph, StateGraphBuilder, serverless,
};

use crate::graph::{Graph, Ranks, generator, noise};

/// Messages (edges of both directions) a node.
pub(crate) const DEGREE: usize = 10;
/// Share of the nodes by type: functions, resources, invocations; no groups.
pub(crate) const NODES: [f64; NODE_TYPES] = [0.25, 0.1, 0.65, 0.0];
/// Share of the edges by type. A busy cluster's state is mostly requests: who could run where.
pub(crate) const EDGES: [f64; EDGE_TYPES] = [0.13, 0.15, 0.05, 0.45, 0.08, 0.08, 0.06, 0.0, 0.0, 0.0];

/// The schema of `serverless` with four sizes.
pub(crate) fn schema() -> Schema {
    serverless::schema(4)
}

/// A state along whose edges about `messages` messages pass in a layer, half of them in reverse; numbers follow from it and
/// `index`. Targets have power-law degrees, as in [`crate::graph::power_law`].
pub(crate) fn state(messages: usize, index: usize) -> StateGraph {
    let mut rng = generator(messages ^ (index << 40));
    let schema = schema();
    let mut builder = StateGraphBuilder::default();
    builder.globals(&noise(schema.globals.len(), &mut rng));
    let counts = NODES.map(|share| count(share, messages, 1));
    for (kind, count) in NodeType::ALL.into_iter().zip(counts) {
        for _ in 0..count {
            builder.node(kind, &noise(schema.nodes[kind as usize].len(), &mut rng));
        }
    }
    let popular = counts.map(|count| Ranks::new(count.max(1), &mut rng));
    for (kind, share) in EdgeType::ALL.into_iter().zip(EDGES) {
        let ends = (counts[kind.source() as usize], &popular[kind.target() as usize]);
        let features = schema.edges[kind as usize].len();
        for _ in 0..(share * messages as f64 / 2.0).round() as usize {
            add_edge(&mut builder, kind, ends, features, &mut rng);
        }
    }
    builder.may_wait(true);
    builder.build()
}

/// Nodes of a type with this share, at least `least`; of a type without share none.
pub(crate) fn count(share: f64, messages: usize, least: usize) -> usize {
    if share > 0.0 { ((share * (messages / DEGREE) as f64) as usize).max(least) } else { 0 }
}

fn add_edge(
    builder: &mut StateGraphBuilder,
    kind: EdgeType,
    (sources, targets): (usize, &Ranks),
    features: usize,
    rng: &mut FastRng,
) {
    let (source, target) = (rng.random_range(0..sources) as u32, targets.draw(rng));
    builder.edge(kind, source, target, &noise(features, rng));
}

/// The messages of `states` as one graph: nodes of all types in one list (features padded, with a column for each type), each edge in both
/// directions, a relation for each edge type and direction.
pub(crate) fn as_graph(schema: &Schema, states: &[StateGraph]) -> Graph {
    let widest = |names: &[Vec<String>]| names.iter().map(Vec::len).max().unwrap_or(0);
    let mut graph = Graph {
        width: widest(&schema.nodes) + NODE_TYPES,
        relations: 2 * EDGE_TYPES as u32,
        edge_width: widest(&schema.edges),
        ..Graph::default()
    };
    states.iter().for_each(|state| append(&mut graph, schema, state));
    graph.aims = noise(graph.nodes, &mut generator(graph.nodes));
    graph
}

fn append(graph: &mut Graph, schema: &Schema, state: &StateGraph) {
    let mut first = [0; NODE_TYPES];
    for (place, kind) in NodeType::ALL.into_iter().enumerate() {
        first[place] = graph.nodes as u32;
        graph.nodes += state.nodes[place] as usize;
        let rows = state.node_features(schema, kind).chunks(schema.nodes[place].len().max(1));
        for row in rows {
            let start = graph.features.len();
            graph.features.resize(start + graph.width, 0.0);
            graph.features[start + place] = 1.0;
            graph.features[start + NODE_TYPES..][..row.len()].copy_from_slice(row);
        }
    }
    for kind in EdgeType::ALL {
        let (from, to) = state.edge_ends(kind);
        let width = schema.edges[kind as usize].len();
        let features = state.edge_features(schema, kind);
        let (from_first, to_first) = (first[kind.source() as usize], first[kind.target() as usize]);
        for direction in 0..2 {
            let (sources, targets) = if direction == 0 { (from, to) } else { (to, from) };
            let (source_first, target_first) =
                if direction == 0 { (from_first, to_first) } else { (to_first, from_first) };
            graph.sources.extend(sources.iter().map(|node| source_first + node));
            graph.targets.extend(targets.iter().map(|node| target_first + node));
            graph
                .edge_relations
                .extend(std::iter::repeat_n((2 * kind as usize + direction) as u8, from.len()));
            for edge in 0..from.len() {
                let start = graph.edge_features.len();
                graph.edge_features.resize(start + graph.edge_width, 0.0);
                graph.edge_features[start..start + width]
                    .copy_from_slice(&features[edge * width..(edge + 1) * width]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_the_messages_it_was_asked_for() {
        let (schema, first) = (schema(), state(10_000, 0));
        let graph = as_graph(&schema, &[first.clone(), state(10_000, 1)]);
        assert_eq!(graph.nodes, 2 * 1000);
        assert!((19_900..20_100).contains(&graph.sources.len()), "{}", graph.sources.len());
        assert_eq!(graph.features.len(), graph.nodes * graph.width);
        assert_eq!(graph.edge_features.len(), graph.sources.len() * graph.edge_width);
        assert!(graph.sources.iter().chain(&graph.targets).all(|node| (*node as usize) < graph.nodes));
        assert_eq!(first, state(10_000, 0));
        assert_ne!(first, state(10_000, 1));
    }

    #[test]
    fn reverse_edges_go_back_with_the_same_features() {
        let (schema, one) = (schema(), state(1000, 0));
        let graph = as_graph(&schema, std::slice::from_ref(&one));
        let warm = one.edges[EdgeType::Warm as usize] as usize;
        let start = graph.edge_relations.iter().position(|one| *one == 2 * EdgeType::Warm as u8).unwrap();
        for edge in start..start + warm {
            assert_eq!(graph.sources[edge], graph.targets[edge + warm]);
            assert_eq!(graph.targets[edge], graph.sources[edge + warm]);
            let row =
                |edge: usize| &graph.edge_features[edge * graph.edge_width..(edge + 1) * graph.edge_width];
            assert_eq!(row(edge), row(edge + warm));
            assert_eq!(graph.edge_relations[edge + warm], graph.edge_relations[edge] + 1);
        }
    }
}
