//! A value over time, as an area.

use crate::axis::{Axis, Scale};
use crate::element::Element;
use crate::ink::QUEUE;
use crate::path::Path;
use crate::plot::Plot;

/// Height of an area chart, pixels.
const HEIGHT: f64 = 190.0;
/// Room below the area of a time course, pixels.
const BELOW: f64 = 44.0;

/// The area of a time course in a drawing of this height.
pub(crate) fn wide_plot(height: f64) -> Plot {
    Plot { width: 940.0, height, left: 72.0, right: 924.0, top: 30.0, bottom: height - BELOW }
}

/// The same, high enough for so many pixels between the axes.
pub(crate) fn wide_plot_around(inside: f64) -> Plot {
    wide_plot(30.0 + inside + BELOW)
}

/// Title, time axis and its grid.
pub(crate) fn wide_frame(plot: &Plot, title: &str, time: &Axis) -> Element {
    let mut svg = plot.open(title, plot.left);
    plot.upright_grid(&mut svg, time, 10);
    plot.axes(&mut svg, &time.label, (plot.left + plot.right) / 2.0);
    svg
}

/// Means of consecutive stretches of `seconds` seconds each, from time 0; what they are says `label`.
#[must_use]
pub fn area_chart(title: &str, time: &Axis, label: &str, means: &[f64], seconds: f64) -> Element {
    let plot = wide_plot(HEIGHT);
    let values = Axis::around(label, Scale::Linear, false, means.iter().copied());
    let mut svg = wide_frame(&plot, title, time);
    plot.level_grid(&mut svg, &values, 4);
    let mut path = Path::from(plot.left, plot.bottom);
    for (place, value) in means.iter().enumerate() {
        let column = plot.across(time, (place as f64 + 0.5) * seconds);
        path = path.line(column, plot.up(&values, *value));
    }
    let end = plot.across(time, means.len() as f64 * seconds);
    svg.push(Element::new("path").ink(QUEUE).with("d", path.line(end, plot.bottom).close()));
    plot.upright_label(&mut svg, label);
    svg
}
