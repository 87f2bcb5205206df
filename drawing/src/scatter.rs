//! Points over two axes: what lies beyond an axis is an arrow at its edge.

use crate::axis::{Axis, plain};
use crate::element::Element;
use crate::lines::{PLOT, frame};
use crate::path::Path;
use crate::style::{Style, in_drawing_order};
use crate::value::Value;

/// A point of a scatter plot, with intervals along both axes.
#[derive(Clone, Debug)]
pub struct Spot {
    /// How it looks.
    pub style: Style,
    /// Where it lies along x.
    pub x: Value,
    /// Where it lies along y.
    pub y: Value,
}

impl Spot {
    /// Whether it lies beyond an end of one of the axes.
    #[must_use]
    pub fn is_beyond(&self, x: &Axis, y: &Axis) -> bool {
        (x.side(self.x.mean), y.side(self.y.mean)) != (0.0, 0.0)
    }
}

/// Points with intervals both ways.
#[must_use]
pub fn scatter(title: &str, x: &Axis, y: &Axis, spots: &[Spot]) -> Element {
    let mut field = PLOT.field();
    for one in in_drawing_order(spots, |one| &one.style) {
        field.push(if one.is_beyond(x, y) { beyond(x, y, one) } else { within(x, y, one) });
    }
    frame(title, x, y).child(field)
}

fn beyond(x: &Axis, y: &Axis, spot: &Spot) -> Element {
    let place = (PLOT.across(x, x.clamped(spot.x.mean)), PLOT.up(y, y.clamped(spot.y.mean)));
    let direction = (x.side(spot.x.mean), -y.side(spot.y.mean));
    let values = format!("{}, {}", plain(spot.x.mean), plain(spot.y.mean));
    spot.style.group().child(spot.style.arrow(place, direction, &values))
}

fn within(x: &Axis, y: &Axis, spot: &Spot) -> Element {
    let (column, row) = (PLOT.across(x, spot.x.mean), PLOT.up(y, spot.y.mean));
    let ((left, right), (low, high)) = (spot.x.ends(), spot.y.ends());
    let cross = Path::from(PLOT.across(x, left), row)
        .level(PLOT.across(x, right))
        .go(column, PLOT.up(y, low))
        .upright(PLOT.up(y, high));
    spot.style.group().child(spot.style.interval(&cross)).child(spot.style.mark(column, row))
}
