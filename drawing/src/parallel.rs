//! Parallel coordinates: an upright scale for each parameter, and a line for each setting.

use crate::element::Element;
use crate::ink::{AXES, TICK_MIDDLE};
use crate::path::Path;
use crate::plot::Plot;
use crate::style::{Style, in_drawing_order};

/// Height of the picture.
const HEIGHT: f64 = 340.0;
/// Room of a scale.
const SCALE: f64 = 128.0;

/// A setting.
#[derive(Clone, Debug)]
pub struct ParallelLine {
    /// How it looks.
    pub style: Style,
    /// Its place on each scale, from 0 (below) to 1 (above); `None` where it has none.
    pub places: Vec<Option<f64>>,
}

/// Settings as lines across scales, each with its name and what lies at its ends (below, above).
#[must_use]
pub fn parallel_coordinates(
    title: &str,
    scales: &[(String, [String; 2])],
    lines: &[ParallelLine],
) -> Element {
    let width = SCALE * scales.len().max(2) as f64;
    let plot = Plot {
        width,
        height: HEIGHT,
        left: SCALE / 2.0,
        right: width - SCALE / 2.0,
        top: 64.0,
        bottom: HEIGHT - 34.0,
    };
    let across = |scale: usize| SCALE / 2.0 + SCALE * scale as f64;
    let up = |place: f64| plot.bottom - place * (plot.bottom - plot.top);
    let mut svg = plot.open(title, 14.0);
    for (number, (name, [below, above])) in scales.iter().enumerate() {
        let column = across(number);
        svg.push(Element::new("path").ink(AXES).with("d", Path::from(column, plot.top).upright(plot.bottom)));
        let label = |y: f64, text: &str| Element::new("text").ink(TICK_MIDDLE).at(column, y).text(text);
        // Neighbours are written at two heights, so that long names have room.
        svg.push(label(if number % 2 == 0 { 36.0 } else { 47.0 }, name));
        svg.push(label(plot.top - 4.0, above));
        svg.push(label(plot.bottom + 14.0, below));
    }
    for line in in_drawing_order(lines, |line| &line.style) {
        let mut group = line.style.group();
        let placed =
            line.places.iter().enumerate().filter_map(|(scale, place)| Some((across(scale), up((*place)?))));
        let points: Vec<(f64, f64)> = placed.collect();
        if points.len() > 1 {
            group.push(line.style.line(&Path::through(points)));
        }
        svg.push(group);
    }
    svg
}
