//! Charts side by side with one legend, as a picture that stands alone.

use crate::element::Element;
use crate::ink::{PAPER, ROOT, STRONG, STYLE_SHEET};
use crate::lines::PLOT;
use crate::path::Path;
use crate::style::Style;

/// Height of an entry of the legend, pixels.
const ENTRY: f64 = 18.0;
/// Room around charts, pixels.
const GAP: f64 = 8.0;
/// Middle of the first entry of the legend, pixels from the top.
const FIRST_ENTRY: f64 = 24.0;

/// Charts with their heights in pixels, two a row, and the legend to the right.
#[must_use]
pub fn panels(charts: Vec<(Element, f64)>, legend: &[Style]) -> String {
    let columns = charts.len().min(2);
    let (charts, bottom) = placed(charts);
    let left = 2.0 * GAP + columns as f64 * PLOT.width;
    let height = bottom.max(FIRST_ENTRY + ENTRY * legend.len() as f64).round();
    let longest = legend.iter().map(|style| style.label.chars().count()).max().unwrap_or(0);
    let width = if legend.is_empty() { left } else { left + 50.0 + 6.6 * longest as f64 }.round();
    let mut style = Element::new("style");
    style.push_raw(STYLE_SHEET);
    let mut svg = Element::new("svg")
        .with("xmlns", "http://www.w3.org/2000/svg")
        .with("viewBox", format!("0 0 {width} {height}"))
        .sized(width, height)
        .ink(ROOT)
        .child(style)
        .child(Element::new("rect").ink(PAPER).with("width", "100%").with("height", "100%"));
    charts.into_iter().for_each(|chart| svg.push(chart));
    for (place, style) in legend.iter().enumerate() {
        add_entry(&mut svg, style, left, FIRST_ENTRY + place as f64 * ENTRY);
    }
    format!("{svg}\n")
}

/// Every chart at its place, and where the last row ends.
fn placed(charts: Vec<(Element, f64)>) -> (Vec<Element>, f64) {
    let mut found = Vec::new();
    let (mut top, mut row_height) = (GAP, 0.0_f64);
    for (place, (chart, height)) in charts.into_iter().enumerate() {
        if place % 2 == 0 && place > 0 {
            (top, row_height) = (top + row_height + GAP, 0.0);
        }
        row_height = row_height.max(height);
        let x = GAP + (place % 2) as f64 * PLOT.width;
        found.push(chart.at(x, top).sized(PLOT.width, height));
    }
    (found, top + row_height + GAP)
}

fn add_entry(svg: &mut Element, style: &Style, left: f64, y: f64) {
    let line = style.line(&Path::from(left, y).level(left + 32.0));
    svg.push(style.group().child(line).child(style.mark(left + 16.0, y)));
    let text = Element::new("text");
    let text = if style.strong { text.ink(STRONG) } else { text };
    svg.push(text.at(left + 40.0, y + 4.0).text(&style.label));
}
