//! What holds of every cut of every graph.

#![expect(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::num::NonZeroU32;

use partition::{
    EdgeList, Incoming, Part, PartitionError, Quality, balance, components, metis, sample_neighbours, stream,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A graph with room for self loops and parallel edges; with `hub`, all edges end in node 0.
#[derive(Clone, Debug)]
struct Graph {
    nodes: usize,
    sources: Vec<u32>,
    targets: Vec<u32>,
}

impl Graph {
    fn list(&self) -> EdgeList<'_> {
        EdgeList::new(self.nodes, &self.sources, &self.targets).unwrap()
    }

    fn ends(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.sources.iter().copied().zip(self.targets.iter().copied())
    }
}

fn graphs() -> impl Strategy<Value = Graph> {
    (0_usize..60, any::<bool>()).prop_flat_map(|(nodes, hub)| {
        let end = 0..nodes.max(1) as u32;
        let ends = vec((end.clone(), end), 0..if nodes == 0 { 1 } else { 120 });
        ends.prop_map(move |ends| Graph {
            nodes,
            sources: ends.iter().map(|(source, _)| *source).collect(),
            targets: ends.iter().map(|(_, target)| if hub { 0 } else { *target }).collect(),
        })
    })
}

fn parts(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

/// All layouts of one assignment.
fn layouts(graph: &Graph, assignment: &[u32], count: u32) -> Vec<Part> {
    (0..count).map(|rank| Part::of(&graph.list(), assignment, rank, parts(count)).unwrap()).collect()
}

/// Every way to assign, of which METIS and the stream are two.
fn assignments() -> impl Strategy<Value = (Graph, Vec<u32>, u32)> {
    (graphs(), 1_u32..6, 0_u8..3, any::<u64>()).prop_map(|(graph, count, way, seed)| {
        let scattered = |node: u64| ((node.wrapping_mul(2 * seed + 1) >> 7) % u64::from(count)) as u32;
        let assignment = match way {
            0 => metis(&graph.list(), parts(count)).unwrap(),
            1 => stream(&graph.list(), parts(count)),
            _ => (0..graph.nodes as u64).map(scattered).collect(),
        };
        (graph, assignment, count)
    })
}

proptest! {
    #[test]
    fn nodes_and_edges_have_one_owner((graph, assignment, count) in assignments()) {
        let layouts = layouts(&graph, &assignment, count);
        let mut nodes: Vec<u32> = layouts.iter().flat_map(|part| part.owned.iter().copied()).collect();
        nodes.sort_unstable();
        prop_assert_eq!(nodes, (0..graph.nodes as u32).collect::<Vec<_>>());
        let mut edges: Vec<usize> = layouts.iter().flat_map(|part| part.edges.iter().copied()).collect();
        edges.sort_unstable();
        prop_assert_eq!(edges, (0..graph.sources.len()).collect::<Vec<_>>());
        for (rank, part) in layouts.iter().enumerate() {
            prop_assert!(part.owned.iter().all(|node| assignment[*node as usize] as usize == rank));
            prop_assert!(part.edges.is_sorted());
            prop_assert!(part.owned.is_sorted());
        }
    }

    #[test]
    fn local_rows_are_the_global_nodes((graph, assignment, count) in assignments()) {
        for part in layouts(&graph, &assignment, count) {
            let rows: Vec<u32> = part.owned.iter().chain(&part.halo).copied().collect();
            prop_assert_eq!(rows.len(), part.rows());
            for ((edge, source), target) in part.edges.iter().zip(&part.sources).zip(&part.targets) {
                prop_assert_eq!(rows[*source as usize], graph.sources[*edge]);
                prop_assert_eq!(rows[*target as usize], graph.targets[*edge]);
                prop_assert!((*target as usize) < part.owned.len());
            }
            let mut fetched = part.halo.clone();
            fetched.sort_unstable();
            fetched.dedup();
            prop_assert_eq!(fetched.len(), part.halo.len(), "no row is fetched twice");
        }
    }

    #[test]
    fn what_one_sends_is_what_the_other_awaits((graph, assignment, count) in assignments()) {
        let layouts = layouts(&graph, &assignment, count);
        for receiver in 0..count as usize {
            let mut halo = layouts[receiver].halo.iter().copied();
            for (rank, sender) in layouts.iter().enumerate() {
                let segment: Vec<u32> = halo.by_ref().take(layouts[receiver].receive[rank]).collect();
                let sent: Vec<u32> =
                    sender.send[receiver].iter().map(|row| sender.owned[*row as usize]).collect();
                prop_assert_eq!(segment, sent);
            }
            prop_assert_eq!(halo.next(), None);
            prop_assert!(layouts[receiver].send[receiver].is_empty());
        }
    }

    #[test]
    fn quality_counts_what_is_cut((graph, assignment, count) in assignments()) {
        let quality = Quality::of(&graph.list(), &assignment, parts(count)).unwrap();
        let owner = |node: u32| assignment[node as usize];
        let cut = graph.ends().filter(|(source, target)| owner(*source) != owner(*target)).count();
        prop_assert_eq!(quality.cut_edges, cut);
        prop_assert!((quality.cut_share * graph.sources.len() as f64 - cut as f64).abs() < 1e-9);
        let loads = layouts(&graph, &assignment, count).into_iter().map(|part| part.owned.len() + part.edges.len());
        let mean = (graph.nodes + graph.sources.len()) as f64 / f64::from(count);
        let expected = if mean == 0.0 { 1.0 } else { loads.max().unwrap() as f64 / mean };
        prop_assert!((quality.imbalance - expected).abs() < 1e-9);
    }

    #[test]
    fn the_same_graph_is_cut_the_same(graph in graphs(), count in 1_u32..6) {
        let list = graph.list();
        prop_assert_eq!(metis(&list, parts(count)).unwrap(), metis(&list, parts(count)).unwrap());
        prop_assert_eq!(stream(&list, parts(count)), stream(&list, parts(count)));
    }

    #[test]
    fn the_stream_fills_no_part_beyond_its_capacity(graph in graphs(), count in 1_u32..6) {
        let list = graph.list();
        let imbalance = Quality::of(&list, &stream(&list, parts(count)), parts(count)).unwrap().imbalance;
        let mean = (graph.nodes + graph.sources.len()) as f64 / f64::from(count);
        let degree = |node| graph.targets.iter().filter(|target| **target as usize == node).count();
        let heaviest = (0..graph.nodes).map(|node| degree(node) + 1).max().unwrap_or(0);
        // A node goes where there is room, or else to the lightest part, which is at most the mean.
        prop_assert!(imbalance * mean <= (1.05 * mean).max(mean + heaviest as f64) + 1e-9);
    }

    #[test]
    fn components_are_closed_and_connected(graph in graphs()) {
        let found = components(&graph.list());
        // The slow way: spread the smallest id along the edges until nothing changes.
        let mut smallest: Vec<u32> = (0..graph.nodes as u32).collect();
        loop {
            let before = smallest.clone();
            for (a, b) in graph.ends().map(|(a, b)| (a as usize, b as usize)) {
                let least = smallest[a].min(smallest[b]);
                (smallest[a], smallest[b]) = (least, least);
            }
            if smallest == before {
                break;
            }
        }
        for a in 0..graph.nodes {
            for b in 0..graph.nodes {
                prop_assert_eq!(found[a] == found[b], smallest[a] == smallest[b]);
            }
        }
        let mut firsts: Vec<u32> = Vec::new();
        found.iter().for_each(|one| if !firsts.contains(one) { firsts.push(*one) });
        prop_assert_eq!(&firsts, &(0..firsts.len() as u32).collect::<Vec<_>>());
    }

    #[test]
    fn whole_components_cut_nothing(graph in graphs(), count in 1_u32..6) {
        let found = components(&graph.list());
        let weights = vec![1; found.iter().max().map_or(0, |last| *last as usize + 1)];
        let owners = balance(&weights, parts(count));
        let assignment: Vec<u32> = found.iter().map(|one| owners[*one as usize]).collect();
        prop_assert_eq!(Quality::of(&graph.list(), &assignment, parts(count)).unwrap().cut_edges, 0);
    }

    #[test]
    fn the_heaviest_part_is_within_a_third_of_the_best(weights in vec(0_u64..100, 0..9), count in 1_u32..4) {
        let owners = balance(&weights, parts(count));
        let load = |owners: &[u32]| {
            let mut loads = vec![0; count as usize];
            owners.iter().zip(&weights).for_each(|(owner, weight)| loads[*owner as usize] += weight);
            loads.into_iter().max().unwrap()
        };
        let tries = (count as usize).pow(weights.len() as u32);
        let nth = |mut number: usize| -> Vec<u32> {
            let digit = |_| {
                let digit = number % count as usize;
                number /= count as usize;
                digit as u32
            };
            (0..weights.len()).map(digit).collect()
        };
        let best = (0..tries).map(|number| load(&nth(number))).min().unwrap();
        prop_assert!(3 * load(&owners) <= 4 * best, "{} against {best}", load(&owners));
    }

    #[test]
    fn a_sample_is_a_sub_graph(
        graph in graphs(), picks in vec(any::<prop::sample::Index>(), 0..6), fanouts in vec(0_usize..5, 0..4),
    ) {
        let seeds: Vec<u32> = picks.iter().filter(|_| graph.nodes > 0).map(|pick| pick.index(graph.nodes) as u32).collect();
        let incoming = Incoming::of(&graph.list());
        let draw = || sample_neighbours(&incoming, &seeds, &fanouts, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let sample = draw();
        prop_assert_eq!(&sample, &draw());
        for ((edge, source), target) in sample.edges.iter().zip(&sample.sources).zip(&sample.targets) {
            prop_assert_eq!(sample.nodes[*source as usize], graph.sources[*edge]);
            prop_assert_eq!(sample.nodes[*target as usize], graph.targets[*edge]);
        }
        let distinct = |mut list: Vec<usize>| { list.sort_unstable(); list.windows(2).all(|pair| pair[0] != pair[1]) };
        prop_assert!(distinct(sample.edges.clone()), "no edge is drawn twice");
        prop_assert!(distinct(sample.nodes.iter().map(|node| *node as usize).collect()));
        let mut expected: Vec<u32> = Vec::new();
        seeds.iter().for_each(|seed| if !expected.contains(seed) { expected.push(*seed) });
        prop_assert_eq!(&sample.nodes[..sample.seeds], &expected[..]);
        // Every seed has as many edges as the first fanout and its in-degree allow.
        for (local, seed) in expected.iter().enumerate() {
            let degree = graph.targets.iter().filter(|target| *target == seed).count();
            let drawn = sample.targets.iter().filter(|target| **target as usize == local).count();
            prop_assert_eq!(drawn, degree.min(fanouts.first().copied().unwrap_or(0)));
        }
    }

    #[test]
    fn unbounded_fanouts_take_everything_within_reach(graph in graphs(), hops in 0_usize..4) {
        prop_assume!(graph.nodes > 0);
        let incoming = Incoming::of(&graph.list());
        let fanouts = vec![usize::MAX; hops];
        let sample = sample_neighbours(&incoming, &[0], &fanouts, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let mut reached = vec![0_u32];
        let mut expanded = Vec::new();
        for _ in 0..hops {
            expanded = reached.clone();
            reached.extend(graph.ends().filter(|(_, target)| expanded.contains(target)).map(|(source, _)| source));
            reached.sort_unstable();
            reached.dedup();
        }
        let mut nodes = sample.nodes;
        nodes.sort_unstable();
        prop_assert_eq!(nodes, reached);
        let mut edges = sample.edges;
        edges.sort_unstable();
        let wanted = graph.targets.iter().enumerate().filter(|(_, target)| expanded.contains(target));
        prop_assert_eq!(edges, wanted.map(|(edge, _)| edge).collect::<Vec<_>>());
    }
}

/// Two dense groups of ten, one edge between them.
fn two_groups() -> Graph {
    let within = |first: u32| (0..10).flat_map(move |a| (0..10).map(move |b| (first + a, first + b)));
    // Odd and even nodes, so that the natural order does not give the answer away.
    let ends: Vec<(u32, u32)> = within(0)
        .map(|(a, b)| (2 * a, 2 * b))
        .chain(within(0).map(|(a, b)| (2 * a + 1, 2 * b + 1)))
        .chain([(18, 19)])
        .collect();
    Graph {
        nodes: 20,
        sources: ends.iter().map(|(source, _)| *source).collect(),
        targets: ends.iter().map(|(_, target)| *target).collect(),
    }
}

#[test]
fn communities_are_found() {
    let graph = two_groups();
    for assignment in [metis(&graph.list(), parts(2)).unwrap(), stream(&graph.list(), parts(2))] {
        let quality = Quality::of(&graph.list(), &assignment, parts(2)).unwrap();
        assert_eq!(quality.cut_edges, 1, "{assignment:?}");
        assert!(quality.imbalance < 1.01);
    }
}

#[test]
fn more_parts_than_nodes_leaves_some_empty() {
    let graph = Graph { nodes: 3, sources: vec![0, 1, 2], targets: vec![1, 2, 0] };
    for assignment in [metis(&graph.list(), parts(7)).unwrap(), stream(&graph.list(), parts(7))] {
        assert_eq!(layouts(&graph, &assignment, 7).iter().map(|part| part.owned.len()).sum::<usize>(), 3);
    }
}

#[test]
fn a_wrong_assignment_is_refused_with_the_node() {
    let graph = two_groups();
    let short = Part::of(&graph.list(), &[0; 19], 0, parts(2)).unwrap_err();
    assert_eq!(short.to_string(), "the assignment names 19 owners for 20 nodes");
    let mut assignment = [0; 20];
    assignment[7] = 2;
    let outside = Quality::of(&graph.list(), &assignment, parts(2)).unwrap_err();
    assert_eq!(outside.to_string(), "node 7 is assigned to part 2, but there are only 2 parts");
    let rank = Part::of(&graph.list(), &[0; 20], 2, parts(2)).unwrap_err();
    assert_eq!(rank.to_string(), "rank 2 of 2 parts: ranks count from 0");
    let incoming = Incoming::of(&graph.list());
    let seed = sample_neighbours(&incoming, &[20], &[1], &mut ChaCha8Rng::seed_from_u64(0)).unwrap_err();
    assert_eq!(seed, PartitionError::SeedOutOfRange { seed: 20, nodes: 20 });
}
