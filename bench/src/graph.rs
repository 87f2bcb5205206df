//! Graphs to measure on. Each follows from its size alone, and making one takes time linear in its edges.

use common::seed::FastRng;
use common::{RunSeed, Stream};
use rand::Rng;
use rand::seq::SliceRandom;

/// Edges a node.
const DEGREE: usize = 10;
/// Number of features of a node.
const FEATURES: usize = 64;
/// Graphs of a minibatch, and their size.
const BATCH: (usize, usize, usize) = (64, 200, 1000);

/// A graph as the peers read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Graph {
    /// Number of nodes.
    pub nodes: usize,
    /// Source of each edge.
    pub sources: Vec<u32>,
    /// Target of each edge.
    pub targets: Vec<u32>,
    /// Number of features of a node.
    pub width: usize,
    /// Features of the nodes, shape `[nodes, width]`, row by row.
    pub features: Vec<f32>,
    /// What the network shall say of each node.
    pub aims: Vec<f32>,
    /// Number of relations; 0 where edges have none.
    pub relations: u32,
    /// Relation of each edge; empty where edges have none.
    pub edge_relations: Vec<u8>,
    /// Number of features of an edge.
    pub edge_width: usize,
    /// Features of the edges, shape `[edges, edge_width]`, row by row.
    pub edge_features: Vec<f32>,
}

/// A directed graph of about so many edges, a tenth as many nodes and 64 features each. In-degrees follow a power law (the node
/// of rank r has r^−½ of the largest, as preferential attachment leaves them: Barabási & Albert 1999); sources are drawn evenly,
/// and ids say nothing of degrees.
pub(crate) fn power_law(edges: usize) -> Graph {
    let mut rng = generator(edges);
    let nodes = (edges / DEGREE).max(1);
    let mut graph = Graph { nodes, width: FEATURES, ..Graph::default() };
    connect(&mut graph, 0, nodes, edges, &mut rng);
    paint(&mut graph, &mut rng);
    graph
}

/// A minibatch: 64 such graphs of 200 nodes and 1000 edges side by side.
pub(crate) fn batch() -> Graph {
    let (graphs, nodes, edges) = BATCH;
    let mut rng = generator(graphs);
    let mut graph = Graph { nodes: graphs * nodes, width: FEATURES, ..Graph::default() };
    (0..graphs).for_each(|one| connect(&mut graph, one * nodes, nodes, edges, &mut rng));
    paint(&mut graph, &mut rng);
    graph
}

pub(crate) fn generator(index: usize) -> FastRng {
    RunSeed(1).fast_rng(Stream::Benchmark, index as u64)
}

/// Adds `edges` edges between the nodes `first..first + nodes`.
fn connect(graph: &mut Graph, first: usize, nodes: usize, edges: usize, rng: &mut FastRng) {
    let ranks = Ranks::new(nodes, rng);
    for _ in 0..edges {
        graph.sources.push((first + rng.random_range(0..nodes)) as u32);
        graph.targets.push(first as u32 + ranks.draw(rng));
    }
}

fn paint(graph: &mut Graph, rng: &mut FastRng) {
    graph.features = noise(graph.nodes * graph.width, rng);
    graph.aims = noise(graph.nodes, rng);
}

/// Numbers between −1 and 1.
pub(crate) fn noise(count: usize, rng: &mut FastRng) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Nodes in the order of their popularity.
pub(crate) struct Ranks(Vec<u32>);

impl Ranks {
    pub(crate) fn new(nodes: usize, rng: &mut FastRng) -> Self {
        let mut order: Vec<u32> = (0_u32..).take(nodes).collect();
        order.shuffle(rng);
        Ranks(order)
    }

    /// A node, that of rank r with a probability proportional to r^−½: the square of an even draw.
    pub(crate) fn draw(&self, rng: &mut FastRng) -> u32 {
        let even: f64 = rng.random();
        self.0[(even * even * self.0.len() as f64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_means_one_graph() {
        assert_eq!(power_law(1000), power_law(1000));
        assert_ne!(power_law(1000).targets, power_law(2000).targets[..1000]);
    }

    #[test]
    fn in_degrees_follow_the_power_law() {
        let graph = power_law(100_000);
        let mut degrees = vec![0_u32; graph.nodes];
        graph.targets.iter().for_each(|target| degrees[*target as usize] += 1);
        degrees.sort_unstable_by(|a, b| b.cmp(a));
        // The most popular hundredth gets a tenth: the square root of its share.
        let popular: u32 = degrees[..graph.nodes / 100].iter().sum();
        assert!((9_000..12_500).contains(&popular), "{popular} of 100000 edges");
        assert!(degrees[0] > 500, "{}", degrees[0]);
    }

    #[test]
    fn the_graphs_of_a_batch_share_no_edge() {
        let graph = batch();
        assert_eq!((graph.nodes, graph.sources.len()), (12_800, 64_000));
        assert!(
            graph.sources.iter().zip(&graph.targets).all(|(source, target)| source / 200 == target / 200)
        );
    }
}
