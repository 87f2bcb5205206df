//! Line charts as SVG, and what all charts share. Style sheets colour the classes, light and dark; `ink` has the colours where there are
//! none.

use std::fmt::Write as _;

use super::axis::Axis;
use super::ink::{self, AXES, AXIS_LABEL, COLOURS, GRID, ROOT, TICK_END, TICK_MIDDLE, TITLE};
use common::name::printable;

use crate::reference::shown_name;
use crate::statistics::Interval;

/// Size of a chart.
pub(crate) const WIDTH: f64 = 460.0;
/// See [`WIDTH`].
pub(crate) const HEIGHT: f64 = 300.0;
pub(super) const LEFT: f64 = 58.0;
pub(super) const RIGHT: f64 = 14.0;
pub(super) const TOP: f64 = 30.0;
pub(super) const BOTTOM: f64 = 46.0;

/// What tells a scheduler's marks from another's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Style {
    /// Number of the scheduler on the page: the class that its checkbox switches.
    pub number: usize,
    /// Name, shown when the pointer rests on a mark.
    pub name: String,
    /// Learnt: drawn wider and above the others.
    pub learnt: bool,
    /// Knows the future: drawn grey, dashed and below the others.
    pub reference: bool,
    /// Not shown until its checkbox is set.
    pub hidden: bool,
}

impl Style {
    /// Opens a group of marks in its colour.
    pub fn open(&self) -> String {
        let Style { number, name, learnt, reference, hidden } = self;
        let colour = number % COLOURS;
        let learnt = if *learnt { " learnt" } else { "" };
        let hidden = if *hidden { " off" } else { "" };
        let known = if *reference { " reference" } else { "" };
        let classes = format!("s s{number} c{colour} d{}{learnt}{known}{hidden}", ink::dash(self));
        let shown = if hidden.is_empty() { "" } else { r#" display="none""# };
        format!(r#"<g class="{classes}"{shown}><title>{}</title>"#, escape(&shown_name(name)))
    }

    /// The same for marks that no checkbox switches.
    pub fn open_fixed(&self) -> String {
        let shown = Style { hidden: false, ..self.clone() };
        shown.open().replacen(&format!("s s{} ", self.number), "s ", 1)
    }

    /// A mark of its shape.
    pub fn mark(&self, x: f64, y: f64) -> String {
        let r = if self.learnt { 4.0 } else { 3.0 };
        let ink = ink::mark(self);
        match self.number % 4 {
            0 => format!(r#"<circle {ink} cx="{x:.1}" cy="{y:.1}" r="{r}"/>"#),
            1 => format!(
                r#"<rect {ink} x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}"/>"#,
                x - r,
                y - r,
                2.0 * r,
                2.0 * r
            ),
            2 => format!(
                r#"<path {ink} d="M{x:.1} {:.1}l{:.1} {:.1}h{:.1}z"/>"#,
                y - 1.2 * r,
                1.2 * r,
                2.1 * r,
                -2.4 * r
            ),
            _ => format!(
                r#"<path {ink} d="M{x:.1} {:.1}l{q:.1} {q:.1}l{n:.1} {q:.1}l{n:.1} {n:.1}z"/>"#,
                y - 1.3 * r,
                q = 1.3 * r,
                n = -1.3 * r
            ),
        }
    }
}

impl Style {
    /// An arrow for what lies beyond an edge, in this direction, with its values.
    pub fn arrow(&self, (x, y): (f64, f64), (right, down): (f64, f64), values: &str) -> String {
        const LENGTH: f64 = 5.0;
        let norm = right.hypot(down).max(1.0);
        let (right, down) = (LENGTH * right / norm, LENGTH * down / norm);
        format!(
            r#"<path {} d="M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}z"><title>{}: {values}</title></path>"#,
            ink::mark(self),
            x + right,
            y + down,
            x - right + down,
            y - down - right,
            x - right - down,
            y - down + right,
            escape(&shown_name(&self.name))
        )
    }
}

/// A scheduler's line.
pub(crate) struct Series {
    pub style: Style,
    /// Places along x with values; ascending.
    pub points: Vec<(f64, Interval)>,
    /// Each point has a mark and its interval.
    pub marked: bool,
}

/// Lines over a common axis.
pub(crate) fn line_chart(title: &str, x: &Axis, y: &Axis, series: &[Series]) -> String {
    let mut svg = frame(title, x, y);
    svg.push_str(&field());
    for one in in_drawing_order(series, |one| &one.style) {
        svg.push_str(&one.style.open());
        let sound: Vec<&(f64, Interval)> =
            one.points.iter().filter(|(_, value)| value.mean.is_finite()).collect();
        let places =
            sound.iter().map(|(place, value)| format!("{:.1} {:.1}", across(x, *place), up(y, value.mean)));
        let path: Vec<String> = places.collect();
        if !path.is_empty() {
            let _ = write!(svg, r#"<path {} d="M{}"/>"#, ink::line(&one.style), path.join("L"));
        }
        let interval = ink::interval(&one.style);
        // A line of one point would not be seen.
        let marked = one.marked || sound.len() == 1;
        for (place, value) in sound.iter().filter(|_| marked) {
            let column = across(x, *place);
            let (low, high) = ends(value);
            let (low, high) = (up(y, low), up(y, high));
            if (low - high).abs() > 1.0 {
                let _ = write!(svg, r#"<path {interval} d="M{column:.1} {low:.1}V{high:.1}"/>"#);
            }
            svg.push_str(&one.style.mark(column, up(y, value.mean)));
        }
        svg.push_str("</g>");
    }
    svg.push_str("</svg></svg>");
    svg
}

/// Opens the part within the axes, with room for half a mark around it: what is beyond is cut off.
pub(super) fn field() -> String {
    const MARGIN: f64 = 5.0;
    let (left, top) = (LEFT - MARGIN, TOP - MARGIN);
    let (width, height) = (WIDTH - LEFT - RIGHT + 2.0 * MARGIN, HEIGHT - TOP - BOTTOM + 2.0 * MARGIN);
    format!(
        r#"<svg x="{left}" y="{top}" width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">"#
    )
}

/// Ends of an interval; where they are not known, the mean.
pub(super) fn ends(value: &Interval) -> (f64, f64) {
    let known = |end: f64| if end.is_finite() { end } else { value.mean };
    (known(value.low), known(value.high))
}

/// References first and learnt ones last, so that these lie above.
pub(super) fn in_drawing_order<T>(all: &[T], style: impl Fn(&T) -> &Style) -> Vec<&T> {
    let mut ordered: Vec<&T> = all.iter().collect();
    ordered.sort_by_key(|one| (style(one).learnt, !style(one).reference));
    ordered
}

pub(super) fn across(x: &Axis, value: f64) -> f64 {
    LEFT + x.place_beyond(value) * (WIDTH - LEFT - RIGHT)
}

pub(super) fn up(y: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - y.place_beyond(value) * (HEIGHT - TOP - BOTTOM)
}

pub(super) fn opened(title: &str, height: f64, left: f64) -> String {
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg" {ROOT}><title>{0}</title><text {TITLE} x="{left:.1}" y="17">{0}</text>"#,
        escape(title)
    )
}

/// Title, axes with their units, grid.
pub(super) fn frame(title: &str, x: &Axis, y: &Axis) -> String {
    let mut svg = opened(title, HEIGHT, LEFT);
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for (value, text) in y.ticks(5) {
        let row = up(y, value);
        let _ = write!(
            svg,
            r#"<path {GRID} d="M{LEFT} {row:.1}H{right}"/><text {TICK_END} x="{:.1}" y="{:.1}">{text}</text>"#,
            LEFT - 6.0,
            row + 3.5
        );
    }
    for (value, text) in x.ticks(10) {
        let column = across(x, value);
        let _ = write!(
            svg,
            r#"<path {GRID} d="M{column:.1} {TOP}V{bottom}"/><text {TICK_MIDDLE} x="{column:.1}" y="{:.1}">{text}</text>"#,
            bottom + 15.0
        );
    }
    let (middle, centre) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
    let _ = write!(
        svg,
        r#"<path {AXES} d="M{LEFT} {TOP}V{bottom}H{right}"/><text {AXIS_LABEL} x="{middle:.1}" y="{:.1}">{}</text><text {AXIS_LABEL} transform="translate(13 {centre:.1})rotate(-90)">{}</text>"#,
        HEIGHT - 10.0,
        escape(&x.label),
        escape(&y.label)
    );
    svg
}

/// A text as it may stand in HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    let text = printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
