//! Lines over two axes.

use crate::axis::Axis;
use crate::element::Element;
use crate::path::Path;
use crate::plot::Plot;
use crate::style::{Style, in_drawing_order};
use crate::value::Value;

/// Height of a chart of lines or points, pixels.
pub const LINE_CHART_HEIGHT: f64 = 300.0;

/// The area of charts of lines and points.
pub(crate) const PLOT: Plot =
    Plot { width: 460.0, height: LINE_CHART_HEIGHT, left: 58.0, right: 446.0, top: 30.0, bottom: 254.0 };

/// A line of a line chart.
#[derive(Clone, Debug)]
pub struct Series {
    /// How it looks.
    pub style: Style,
    /// Places along x with values; ascending.
    pub points: Vec<(f64, Value)>,
    /// Each point has a mark and its interval.
    pub marked: bool,
}

/// Lines over common axes.
#[must_use]
pub fn line_chart(title: &str, x: &Axis, y: &Axis, series: &[Series]) -> Element {
    let mut field = PLOT.field();
    for one in in_drawing_order(series, |one| &one.style) {
        field.push(line(x, y, one));
    }
    frame(title, x, y).child(field)
}

fn line(x: &Axis, y: &Axis, series: &Series) -> Element {
    let style = &series.style;
    let mut group = style.group();
    let sound: Vec<&(f64, Value)> =
        series.points.iter().filter(|(_, value)| value.mean.is_finite()).collect();
    if !sound.is_empty() {
        let points = sound.iter().map(|(place, value)| (PLOT.across(x, *place), PLOT.up(y, value.mean)));
        group.push(style.line(&Path::through(points)));
    }
    // A line of one point would not be seen.
    let marked = series.marked || sound.len() == 1;
    for (place, value) in sound.iter().filter(|_| marked) {
        let column = PLOT.across(x, *place);
        let (low, high) = value.ends();
        let (low, high) = (PLOT.up(y, low), PLOT.up(y, high));
        if (low - high).abs() > 1.0 {
            group.push(style.interval(&Path::from(column, low).upright(high)));
        }
        group.push(style.mark(column, PLOT.up(y, value.mean)));
    }
    group
}

/// Title, axes with their units, grid.
pub(crate) fn frame(title: &str, x: &Axis, y: &Axis) -> Element {
    let mut svg = PLOT.open(title, PLOT.left);
    PLOT.level_grid(&mut svg, y, 5);
    PLOT.upright_grid(&mut svg, x, 10);
    PLOT.axes(&mut svg, &x.label, (PLOT.left + PLOT.right) / 2.0);
    PLOT.upright_label(&mut svg, &y.label);
    svg
}
