//! Graph files: one graph, for peers that are timed on it. Drawn byte by byte in `docs/formats.md`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;

use crate::graph::Graph;

const MAGIC: [u8; 4] = *b"LSHG";
const VERSION: u32 = 1;

/// Writes `graph` to the file at `path`.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write(path: &Path, graph: &Graph) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    write_to(&mut BufWriter::new(file), graph).with_context(|| format!("cannot write {}", path.display()))
}

fn write_to(out: &mut impl Write, graph: &Graph) -> std::io::Result<()> {
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    for count in [graph.nodes, graph.sources.len()] {
        out.write_all(&(count as u64).to_le_bytes())?;
    }
    for count in [graph.width as u32, graph.relations, graph.edge_width as u32] {
        out.write_all(&count.to_le_bytes())?;
    }
    for column in [&graph.sources, &graph.targets] {
        column.iter().try_for_each(|end| out.write_all(&end.to_le_bytes()))?;
    }
    for column in [&graph.features, &graph.aims, &graph.edge_features] {
        column.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
    }
    out.write_all(&graph.edge_relations)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_pinned() {
        let graph = Graph {
            nodes: 2,
            sources: vec![0],
            targets: vec![1],
            width: 1,
            features: vec![1.0, 2.0],
            aims: vec![0.5, 0.25],
            relations: 3,
            edge_relations: vec![2],
            edge_width: 1,
            edge_features: vec![-1.0],
        };
        let mut bytes = Vec::new();
        write_to(&mut bytes, &graph).unwrap();
        let words = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut expected = b"LSHG".to_vec();
        expected.extend(words(&[1, 2, 0, 1, 0, 1, 3, 1, 0, 1]));
        expected.extend(words(&[1.0_f32, 2.0, 0.5, 0.25, -1.0].map(f32::to_bits)));
        expected.push(2);
        assert_eq!(bytes, expected);
    }
}
