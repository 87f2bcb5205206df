//! Scatter plots as SVG: what lies beyond an axis is an arrow at its edge.

use std::fmt::Write as _;

use super::axis::{Axis, plain};
use super::chart::{Style, across, ends, field, frame, in_drawing_order, up};
use super::ink;
use crate::statistics::Interval;

/// A scheduler's point.
pub(crate) struct Spot {
    pub style: Style,
    pub x: Interval,
    pub y: Interval,
}

impl Spot {
    /// Whether its point lies on neither axis.
    pub fn is_beyond(&self, x: &Axis, y: &Axis) -> bool {
        (x.side(self.x.mean), y.side(self.y.mean)) != (0.0, 0.0)
    }
}

/// Points with intervals both ways.
pub(crate) fn scatter(title: &str, x: &Axis, y: &Axis, spots: &[Spot]) -> String {
    let mut svg = frame(title, x, y);
    svg.push_str(&field());
    for one in in_drawing_order(spots, |one| &one.style) {
        svg.push_str(&one.style.open());
        if one.is_beyond(x, y) {
            let place = (across(x, x.clamped(one.x.mean)), up(y, y.clamped(one.y.mean)));
            let direction = (x.side(one.x.mean), -y.side(one.y.mean));
            let values = format!("{}, {}", plain(one.x.mean), plain(one.y.mean));
            svg.push_str(&one.style.arrow(place, direction, &values));
        } else {
            let (column, row) = (across(x, one.x.mean), up(y, one.y.mean));
            let ((left, right), (low, high)) = (ends(&one.x), ends(&one.y));
            let _ = write!(
                svg,
                r#"<path {} d="M{:.1} {row:.1}H{:.1}M{column:.1} {:.1}V{:.1}"/>{}"#,
                ink::interval(&one.style),
                across(x, left),
                across(x, right),
                up(y, low),
                up(y, high),
                one.style.mark(column, row)
            );
        }
        svg.push_str("</g>");
    }
    svg.push_str("</svg></svg>");
    svg
}
