//! A graph in ranges of targets: exact layer-by-layer computation in bounded memory.

use std::ops::Range;

/// Cuts the nodes of a graph sorted by target ([`crate::Incoming::offsets`], nodes + 1 entries) into successive ranges with at
/// most `max_edges` incoming edges each. A hub with more than that is a range of its own, so none is ever empty.
#[must_use]
pub fn chunks(offsets: &[usize], max_edges: usize) -> Vec<Range<usize>> {
    let nodes = offsets.len().saturating_sub(1);
    let mut ranges = Vec::new();
    let mut start = 0;
    while start < nodes {
        let bound = offsets[start].saturating_add(max_edges);
        // Offsets only rise, so the last node that still fits can be looked up.
        let fitting = offsets[start + 1..].partition_point(|end| *end <= bound);
        let end = start + fitting.max(1);
        ranges.push(start..end);
        start = end;
    }
    ranges
}
