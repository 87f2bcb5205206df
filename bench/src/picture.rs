//! Cost against size, both on logarithmic axes.

use anyhow::{Context as _, Result};
use drawing::{ScalingLine, ScalingPanel, scaling_picture};

use crate::compare::{Row, slope};
use crate::work::{Pass, Work};

/// Above so many edges the cost of starting an operation no longer shows.
const LARGE: f64 = 1e5;

/// Draws `rows`: epochs and inference without edge features, and with them.
///
/// # Errors
/// When there is nothing to draw.
pub fn picture(rows: &[Row]) -> Result<String> {
    let panels = [
        ("Epoch, GATv2", Pass::Epoch, false),
        ("Inference, GATv2", Pass::Inference, false),
        ("Epoch, typed edges", Pass::Epoch, true),
        ("Inference, typed edges", Pass::Inference, true),
    ];
    let panels: Vec<ScalingPanel> =
        panels.into_iter().map(|(title, pass, typed)| panel(rows, title, pass, typed)).collect();
    scaling_picture(&panels).context("nothing was measured that could be drawn")
}

fn panel(rows: &[Row], title: &str, pass: Pass, typed: bool) -> ScalingPanel {
    let mut lines: Vec<ScalingLine> = Vec::new();
    let single = |row: &&Row| matches!(row.work, Work::PowerLaw(_) | Work::State(_));
    for row in rows.iter().filter(single).filter(|row| row.pass == pass && row.work.is_typed() == typed) {
        let Some(seconds) = row.outcome.median() else { continue };
        let point = (row.work.edges() as f64, seconds);
        match lines.iter_mut().find(|line| line.name == row.contender) {
            Some(line) => line.points.push(point),
            None => lines.push(ScalingLine {
                name: row.contender.to_owned(),
                ours: row.ours,
                points: vec![point],
            }),
        }
    }
    let steepness = lines.iter().find(|line| line.ours).and_then(|line| large_slope(&line.points));
    let title =
        steepness.map_or(title.to_owned(), |slope| format!("{title}; our slope above 100k: {slope:.2}"));
    ScalingPanel { title, x: "edges (log)".to_owned(), y: "seconds (log)".to_owned(), lines }
}

/// How cost follows size above 10⁵ edges: the slope of the line through log(seconds) over log(edges), 1 where they are
/// proportional. `None` with fewer than two such sizes.
#[must_use]
pub fn large_slope(points: &[(f64, f64)]) -> Option<f64> {
    slope(&points.iter().copied().filter(|(edges, _)| *edges >= LARGE).collect::<Vec<_>>())
}
