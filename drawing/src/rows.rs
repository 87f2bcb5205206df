//! A value of each series with its interval, a row each: what a chart of lines would be at a single place along x.

use crate::axis::{Axis, plain};
use crate::element::Element;
use crate::ink;
use crate::lines::PLOT;
use crate::path::Path;
use crate::plot::Plot;
use crate::style::Style;
use crate::value::Value;

/// Height of a row, pixels.
const ROW: f64 = 20.0;
/// Room below the rows for the axis, pixels.
const BELOW: f64 = PLOT.height - PLOT.bottom;
/// Letters of a name at most; longer ones lose their middle.
const MOST_LETTERS: usize = 34;

/// A series with its one value.
#[derive(Clone, Debug)]
pub struct Row {
    /// How its mark looks.
    pub style: Style,
    /// Where it lies.
    pub value: Value,
}

/// The rows in their order. What lies beyond the axis is an arrow at its edge.
#[must_use]
pub fn row_chart(title: &str, x: &Axis, rows: &[Row]) -> Element {
    let plot = plot_of(rows);
    let mut svg = plot.open(title, 14.0);
    plot.upright_grid(&mut svg, x, 5);
    for (place, one) in rows.iter().enumerate() {
        let row = plot.top + (place as f64 + 0.5) * ROW;
        let name = if one.style.strong { ink::STRONG_ROW } else { ink::ROW };
        let text = Element::new("text").ink(name).at(plot.left - 8.0, row + 4.0);
        svg.push(text.text(&shortened(&one.style.label)));
        svg.push(marks(&plot, x, one, row));
    }
    // Names on the left take so much room that a label in the middle of the axis would be cut off.
    plot.axes(&mut svg, &x.label, plot.width / 2.0);
    svg
}

/// Names take the left, up to half of the drawing.
fn plot_of(rows: &[Row]) -> Plot {
    let longest = rows.iter().map(|one| one.style.label.chars().count()).max().unwrap_or(0);
    let left = (14.0 + 6.4 * longest as f64).min(PLOT.width / 2.0);
    let bottom = PLOT.top + ROW * rows.len() as f64;
    Plot { left, bottom, height: bottom + BELOW, ..PLOT }
}

fn marks(plot: &Plot, x: &Axis, row: &Row, y: f64) -> Element {
    let style = &row.style;
    let mean = row.value.mean;
    let across = |value: f64| plot.across(x, x.clamped(value));
    let side = x.side(mean);
    if side != 0.0 {
        return style.fixed_group().child(style.arrow((across(mean), y), (side, 0.0), &plain(mean)));
    }
    let (low, high) = row.value.ends();
    let interval = style.interval(&Path::from(across(low), y).level(across(high)));
    style.fixed_group().child(interval).child(style.mark(across(mean), y))
}

/// Height of a [`row_chart`] with so many rows, pixels.
#[must_use]
pub fn row_chart_height(rows: usize) -> f64 {
    PLOT.top + BELOW + ROW * rows as f64
}

/// Names that are too long lose their middle; their marks say them in full.
fn shortened(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= MOST_LETTERS {
        return name.to_owned();
    }
    let half = MOST_LETTERS / 2 - 1;
    letters[..half].iter().chain(&['…']).chain(&letters[letters.len() - half..]).collect()
}
