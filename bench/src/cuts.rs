//! Graphs cut over devices: what a cut takes, and what it leaves to exchange.

use std::num::NonZeroU32;
use std::time::Instant;

use anyhow::Result;
use partition::{EdgeList, Part, PartitionError, Quality};
use serde::{Deserialize, Serialize};
use state_graph::StateGraph;

use crate::{community, graph, typed};

/// Messages of a state of a minibatch.
const STATE: usize = 1000;

/// Partitioner that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cutter {
    /// Linear deterministic greedy, as the learner does it.
    Stream,
    /// Multilevel partitioning by METIS.
    Metis,
    /// Connected components as wholes: no edge is cut.
    Components,
}

impl Cutter {
    /// All of them.
    pub const ALL: [Cutter; 3] = [Cutter::Stream, Cutter::Metis, Cutter::Components];

    /// As it is written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cutter::Stream => "stream",
            Cutter::Metis => "metis",
            Cutter::Components => "components",
        }
    }

    /// The part of each node.
    pub(crate) fn cut(self, list: &EdgeList, parts: NonZeroU32) -> Result<Vec<u32>, PartitionError> {
        match self {
            Cutter::Stream => Ok(partition::stream(list, parts)),
            Cutter::Metis => partition::metis(list, parts),
            Cutter::Components => Ok(whole_components(list, parts)),
        }
    }
}

/// Components are weighed as the other cuts weigh nodes: in-degree + 1.
fn whole_components(list: &EdgeList, parts: NonZeroU32) -> Vec<u32> {
    let components = partition::components(list);
    let mut weights = vec![0_u64; components.iter().max().map_or(0, |last| *last as usize + 1)];
    let targets = list.targets().iter().map(|target| components[*target as usize]);
    components.iter().copied().chain(targets).for_each(|component| weights[component as usize] += 1);
    let parts = partition::balance(&weights, parts);
    components.into_iter().map(|component| parts[component as usize]).collect()
}

/// Kinds of graphs to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Topology {
    /// Communities of a thousand nodes; 5% of the edges go anywhere.
    Community,
    /// In-degrees follow a power law; nothing is near anything.
    PowerLaw,
    /// One large state of a cluster.
    State,
    /// A minibatch: states of 1000 messages side by side.
    States,
}

impl Topology {
    /// As it is written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Topology::Community => "community",
            Topology::PowerLaw => "power-law",
            Topology::State => "state",
            Topology::States => "states",
        }
    }

    /// Nodes, sources and targets of a graph of about so many edges.
    fn graph(self, edges: usize) -> (usize, Vec<u32>, Vec<u32>) {
        match self {
            Topology::Community => side_by_side([community::state(edges)]),
            Topology::PowerLaw => {
                let graph = graph::power_law(edges);
                (graph.nodes, graph.sources, graph.targets)
            }
            Topology::State => side_by_side([typed::state(edges, 0)]),
            Topology::States => {
                side_by_side((0..(edges / STATE).max(1)).map(|index| typed::state(STATE, index)))
            }
        }
    }
}

/// The messages of several states as one graph.
fn side_by_side(states: impl IntoIterator<Item = StateGraph>) -> (usize, Vec<u32>, Vec<u32>) {
    let (mut nodes, mut sources, mut targets) = (0, Vec::new(), Vec::new());
    for state in states {
        let (from, to) = policy::messages(&state);
        sources.extend(from.into_iter().map(|node| nodes + node));
        targets.extend(to.into_iter().map(|node| nodes + node));
        nodes += state.nodes.iter().sum::<u32>();
    }
    (nodes as usize, sources, targets)
}

/// One cut of one graph.
#[derive(Clone, Debug)]
pub struct CutRow {
    /// Nodes of the graph.
    pub nodes: usize,
    /// Edges of the graph.
    pub edges: usize,
    /// The partitioner that cut it.
    pub cutter: Cutter,
    /// Into how many parts.
    pub parts: NonZeroU32,
    /// Seconds of the quickest repeat: whatever else the machine does only adds to it.
    pub seconds: f64,
    /// What the cut costs.
    pub quality: Quality,
    /// Rows that all parts together get from others in each layer.
    pub halo_rows: usize,
}

/// Every cut of one graph of about so many edges, in turn, with one thread.
///
/// # Errors
/// When the graph is too large for METIS.
pub fn cuts(
    topology: Topology,
    edges: usize,
    parts: &[NonZeroU32],
    repeats: NonZeroU32,
) -> Result<Vec<CutRow>> {
    let (nodes, sources, targets) = topology.graph(edges);
    let list = EdgeList::new(nodes, &sources, &targets)?;
    let mut rows = Vec::new();
    for &parts in parts {
        for cutter in Cutter::ALL {
            tracing::info!(graph = topology.name(), edges, parts, cutter = cutter.name(), "cutting");
            rows.push(measure(&list, cutter, parts, repeats)?);
        }
    }
    Ok(rows)
}

fn measure(list: &EdgeList, cutter: Cutter, parts: NonZeroU32, repeats: NonZeroU32) -> Result<CutRow> {
    let (mut seconds, mut owners) = (f64::INFINITY, Vec::new());
    for _ in 0..repeats.get() {
        let start = Instant::now();
        owners = cutter.cut(list, parts)?;
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    let halo = |rank| Part::of(list, &owners, rank, parts).map(|part| part.halo.len());
    Ok(CutRow {
        nodes: list.nodes(),
        edges: list.edges(),
        cutter,
        parts,
        seconds,
        quality: Quality::of(list, &owners, parts)?,
        halo_rows: (0..parts.get()).map(halo).sum::<Result<usize, PartitionError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(topology: Topology, cutter: Cutter) -> CutRow {
        let parts = [NonZeroU32::new(2).unwrap()];
        let rows = cuts(topology, 20_000, &parts, NonZeroU32::MIN).unwrap();
        assert_eq!(rows.len(), Cutter::ALL.len());
        rows.into_iter().find(|row| row.cutter == cutter).unwrap()
    }

    #[test]
    fn a_minibatch_is_shared_out_without_a_cut() {
        let row = row(Topology::States, Cutter::Components);
        assert_eq!((row.nodes, row.quality.cut_edges, row.halo_rows), (2000, 0, 0));
        assert!(row.quality.imbalance < 1.1, "{row:?}");
    }

    #[test]
    fn communities_are_found_and_hubs_are_cut() {
        for cutter in [Cutter::Stream, Cutter::Metis] {
            let [community, hubs] = [Topology::Community, Topology::PowerLaw].map(|graph| row(graph, cutter));
            assert!(community.quality.cut_share < 0.1, "{community:?}");
            assert!(hubs.quality.cut_share > 0.2, "{hubs:?}");
            assert!(community.halo_rows < hubs.halo_rows);
        }
    }
}
