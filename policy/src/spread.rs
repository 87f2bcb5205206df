//! Graphs that are partitioned over ranks. Every rank holds some of the nodes of such a graph and the edges that enter
//! them. Before each layer it receives the rows of those edges' sources that other ranks own (the halo). Pooling sums
//! are added up over all ranks, and the deciding rank receives the embeddings that the decision needs.

use std::num::NonZeroU32;
use std::ops::Range;

use partition::{EdgeList as Columns, Part};
use state_graph::{EdgeType, NODE_TYPES, NodeType, Schema, StateGraph};
use tch::Device;

use crate::PolicyError;
use crate::batch::{Collation, GraphBatch, starts, totals};
use crate::edge_list::EdgeList;
use crate::exchange::{Exchange, Spread};
use crate::segment::index;

/// The rank or ranks that compute a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// One rank holds all of it.
    Whole {
        /// The rank that holds the whole state, counted from 0.
        rank: u32,
    },
    /// Every rank holds some of its nodes.
    Spread {
        /// The rank of each node: functions, resources, invocations, groups.
        owners: Vec<u32>,
        /// The rank that yields the outputs for the state, counted from 0.
        decider: u32,
    },
}

/// The part of `states` that `rank` of `ranks` computes, and the indices of the states for which it yields outputs, in
/// the order of the batch's graphs. All ranks must pass the same states and placements. Without a spread state no rank
/// needs the others.
///
/// # Errors
/// [`PolicyError::Partition`] where owners do not fit a state or the ranks.
pub fn collate_part(
    schema: &Schema,
    states: &[&StateGraph],
    placements: &[Placement],
    rank: u32,
    ranks: NonZeroU32,
) -> Result<(GraphBatch, Vec<usize>), PolicyError> {
    let (mut whole, mut places, mut deciding) = (Vec::new(), Vec::new(), Vec::new());
    let mut union = Union::new(schema);
    for (place, (state, placement)) in states.iter().zip(placements).enumerate() {
        match placement {
            Placement::Whole { rank: owner } if *owner == rank => whole.push(place),
            Placement::Whole { .. } => {}
            Placement::Spread { owners, decider } => {
                if *decider == rank {
                    deciding.push(union.states.len() as i64);
                    places.push(place);
                }
                union.push(schema, state, owners, *decider);
            }
        }
    }
    places.extend(&whole);
    let whole: Vec<&StateGraph> = whole.into_iter().map(|place| states[place]).collect();
    let mut collation = Collation::new(schema);
    if union.states.is_empty() {
        collation.whole(&whole, starts(totals(&whole)));
        return Ok((collation.finish(None), places));
    }
    let columns = Columns::new(union.nodes(), &union.edges.sources, &union.edges.targets)?;
    let part = Part::of(&columns, &union.owners, rank, ranks)?;
    let spread_graphs = union.states.len() as i64;
    deciding.extend(spread_graphs..spread_graphs + whole.len() as i64);
    let mut rows = Rows::new(&union, &part, &whole);
    rows.add_nodes(&mut collation);
    rows.add_edges(&mut collation);
    let decisive = rows.decisive(rank, ranks);
    for (place, state) in union.states.iter().enumerate().filter(|(_, state)| state.decider == rank) {
        collation.decide(state.graph, |kind, node| i64::from(rows.row_of[union.node(place, kind, node)]));
    }
    collation.whole(&whole, rows.first_whole);
    let send: Vec<Vec<u32>> =
        part.send.iter().map(|list| list.iter().map(|&owned| rows.row(owned)).collect()).collect();
    let halo = Exchange::new(&send, part.receive.iter().map(|&count| count as i64).collect());
    let spread = Spread { halo, decisive, graphs: spread_graphs, deciding: index(&deciding, Device::Cpu) };
    Ok((collation.finish(Some(spread)), places))
}

/// The edges along which messages pass in `state`, as sources and targets; nodes are numbered in the order of
/// [`NodeType`].
#[must_use]
pub fn messages(state: &StateGraph) -> (Vec<u32>, Vec<u32>) {
    let mut edges = EdgeList::default();
    let first = starts(state.nodes);
    EdgeType::ALL.into_iter().for_each(|kind| edges.push_ends(state, &first, kind));
    (edges.sources, edges.targets)
}

/// All spread states as one graph: nodes are ordered by state, and within a state by type.
struct Union<'a> {
    states: Vec<SpreadState<'a>>,
    owners: Vec<u32>,
    edges: EdgeList,
}

struct SpreadState<'a> {
    graph: &'a StateGraph,
    decider: u32,
    /// First node of each type.
    first: [u32; NODE_TYPES],
}

impl<'a> Union<'a> {
    fn new(schema: &Schema) -> Self {
        Union { states: Vec::new(), owners: Vec::new(), edges: EdgeList::new(schema) }
    }

    fn push(&mut self, schema: &Schema, state: &'a StateGraph, owners: &[u32], decider: u32) {
        let before = self.owners.len() as u32;
        let first = starts(state.nodes).map(|start| before + start);
        EdgeType::ALL.into_iter().for_each(|kind| self.edges.push(schema, state, &first, kind));
        self.owners.extend_from_slice(owners);
        self.states.push(SpreadState { graph: state, decider, first });
    }

    fn nodes(&self) -> usize {
        self.states.iter().map(|state| state.graph.nodes.iter().sum::<u32>() as usize).sum()
    }

    fn node(&self, state: usize, kind: NodeType, node: u32) -> usize {
        (self.states[state].first[kind as usize] + node) as usize
    }

    /// Nodes of one type of one state.
    fn range(&self, state: usize, kind: NodeType) -> Range<u32> {
        let first = self.states[state].first[kind as usize];
        first..first + self.states[state].graph.nodes[kind as usize]
    }

    /// The nodes whose embeddings the decision on a state needs, ascending.
    fn decisive(&self, state: usize) -> Vec<usize> {
        let [subjects, _, objects] = self.states[state].graph.option_indices();
        let first = self.states[state].first[0] as usize;
        let mut nodes: Vec<usize> =
            subjects.iter().chain(objects).map(|&node| first + node as usize).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

/// Where this rank's nodes lie in its batch.
struct Rows<'a> {
    union: &'a Union<'a>,
    part: &'a Part,
    /// Row of each node of the union on this rank; valid only for nodes that have a row here.
    row_of: Vec<u32>,
    /// Owned nodes of each type of each state.
    owned: Vec<[Range<usize>; NODE_TYPES]>,
    first_whole: [u32; NODE_TYPES],
    nodes: u32,
}

impl<'a> Rows<'a> {
    fn new(union: &'a Union<'a>, part: &'a Part, whole: &[&StateGraph]) -> Self {
        let below = |end: u32| part.owned.partition_point(|&node| node < end);
        let owned: Vec<[Range<usize>; NODE_TYPES]> = (0..union.states.len())
            .map(|state| {
                NodeType::ALL.map(|kind| {
                    let range = union.range(state, kind);
                    below(range.start)..below(range.end)
                })
            })
            .collect();
        let spread: [u32; NODE_TYPES] =
            std::array::from_fn(|kind| owned.iter().map(|ranges| ranges[kind].len() as u32).sum());
        let whole = totals(whole);
        let first = starts(std::array::from_fn(|kind| spread[kind] + whole[kind]));
        let mut row_of = vec![u32::MAX; union.nodes()];
        let mut next = first;
        for ranges in &owned {
            for (kind, range) in ranges.iter().enumerate() {
                for &node in &part.owned[range.clone()] {
                    row_of[node as usize] = next[kind];
                    next[kind] += 1;
                }
            }
        }
        let nodes = spread.iter().chain(&whole).sum();
        Rows { union, part, row_of, owned, first_whole: next, nodes }
    }

    /// Row of an owned node, given its place in the part.
    fn row(&self, owned: u32) -> u32 {
        self.row_of[self.part.owned[owned as usize] as usize]
    }

    fn add_nodes(&self, collation: &mut Collation<'_>) {
        for (place, (state, ranges)) in self.union.states.iter().zip(&self.owned).enumerate() {
            for (kind, range) in NodeType::ALL.into_iter().zip(ranges) {
                let first = self.union.range(place, kind).start;
                let nodes = self.part.owned[range.clone()].iter().map(|&node| node - first);
                collation.nodes(kind, state.graph, nodes);
            }
            collation.end_graph();
        }
    }

    fn add_edges(&self, collation: &mut Collation<'_>) {
        let owned = self.part.owned.len() as u32;
        for (place, &edge) in self.part.edges.iter().enumerate() {
            let source = match self.part.sources[place] {
                own if own < owned => self.row(own),
                halo => self.nodes + (halo - owned),
            };
            collation.edges.copy(&self.union.edges, edge, source, self.row(self.part.targets[place]));
        }
    }

    /// The exchange of the embeddings that decisions need. Received embeddings get rows after this rank's nodes.
    fn decisive(&mut self, rank: u32, ranks: NonZeroU32) -> Exchange {
        let mut send = vec![Vec::new(); ranks.get() as usize];
        let mut needed = vec![Vec::new(); ranks.get() as usize];
        for (place, state) in self.union.states.iter().enumerate() {
            for node in self.union.decisive(place) {
                let owner = self.union.owners[node];
                if state.decider == owner {
                    continue;
                }
                if owner == rank {
                    send[state.decider as usize].push(self.row_of[node]);
                } else if state.decider == rank {
                    needed[owner as usize].push(node);
                }
            }
        }
        for (row, &node) in (self.nodes..).zip(needed.iter().flatten()) {
            self.row_of[node] = row;
        }
        Exchange::new(&send, needed.iter().map(|nodes| nodes.len() as i64).collect())
    }
}

#[cfg(test)]
#[path = "spread_tests.rs"]
mod tests;
