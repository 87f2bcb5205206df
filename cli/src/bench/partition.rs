//! `longshore bench partition`: every cut of every kind of graph.

use std::io::Write as _;
use std::num::NonZeroU32;

use bench::{CutRow, Topology};
use serde::Serialize;

use super::figure::{Figure, at_least_one};

/// What is cut, how large, and over how many.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  longshore bench partition --graphs community,power-law --edges 10000000 --parts 2,8 --repeats 1"
)]
pub struct PartitionArguments {
    /// Kinds of graphs.
    #[arg(
        long,
        value_name = "GRAPH,…",
        value_delimiter = ',',
        default_value = "community,power-law,state,states"
    )]
    pub graphs: Vec<Topology>,
    /// Edges of a graph, both directions of a state's counted.
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',', default_value = "100000,1000000", value_parser = at_least_one())]
    pub edges: Vec<usize>,
    /// Parts to cut into.
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',', default_value = "2,4,8")]
    pub parts: Vec<NonZeroU32>,
    /// Times that every cut is made; the quickest counts.
    #[arg(long, default_value = "3")]
    pub repeats: NonZeroU32,
}

/// A figure (the time) with what the cut costs.
#[derive(Debug, Serialize)]
struct Case {
    #[serde(flatten)]
    figure: Figure,
    cut_share: f64,
    halo_rows: usize,
    imbalance: f64,
}

/// Cuts and prints, graph by graph.
pub(super) fn compare(arguments: &PartitionArguments, json: bool) -> anyhow::Result<()> {
    if !json {
        writeln!(
            telemetry::stdout(),
            "{:10} {:>9} {:>5}  {:10} {:>10} {:>7} {:>9} {:>9}",
            "graph",
            "edges",
            "parts",
            "cut",
            "ms",
            "share",
            "halo",
            "imbalance"
        )?;
    }
    for &graph in &arguments.graphs {
        for &edges in &arguments.edges {
            let rows = bench::cuts(graph, edges, &arguments.parts, arguments.repeats)?;
            rows.iter().try_for_each(|row| print(graph, row, json))?;
        }
    }
    Ok(())
}

fn print(graph: Topology, row: &CutRow, json: bool) -> anyhow::Result<()> {
    let (graph, cut) = (graph.name(), row.cutter.name());
    let milliseconds = row.seconds * 1e3;
    let CutRow { edges, parts, quality, halo_rows, .. } = row;
    let mut stdout = telemetry::stdout();
    if json {
        let figure = Figure {
            schema: 1,
            name: format!("partition/{graph}-{edges}/{parts}/{cut}"),
            value: milliseconds,
            unit: "ms",
            threads: 1,
            what: format!("{} nodes; the quickest of all repeats", row.nodes),
        };
        let (cut_share, imbalance) = (quality.cut_share, quality.imbalance);
        let case = Case { figure, cut_share, halo_rows: *halo_rows, imbalance };
        writeln!(stdout, "{}", serde_json::to_string(&case)?)?;
    } else {
        writeln!(
            stdout,
            "{graph:10} {edges:>9} {parts:>5}  {cut:10} {milliseconds:>10.1} {:>7.3} {halo_rows:>9} {:>9.3}",
            quality.cut_share, quality.imbalance
        )?;
    }
    Ok(())
}
