//! Line charts and scatter plots as SVG. Style sheets colour the classes, light and dark; `ink` has the colours where there are
//! none.

use std::fmt::Write as _;

use super::axis::Axis;
use super::ink::{self, AXES, AXIS_LABEL, COLOURS, GRID, ROOT, TICK_END, TICK_MIDDLE, TITLE};
use crate::reference::shown_name;
use crate::statistics::Interval;

/// Size of a chart.
pub(crate) const WIDTH: f64 = 460.0;
/// See [`WIDTH`].
pub(crate) const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
/// Height of a row of names.
const ROW: f64 = 20.0;

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

/// A scheduler's line.
pub(crate) struct Series {
    pub style: Style,
    /// Places along x with values; ascending.
    pub points: Vec<(f64, Interval)>,
    /// Each point has a mark and its interval.
    pub marked: bool,
}

/// A scheduler's point.
pub(crate) struct Spot {
    pub style: Style,
    pub x: Interval,
    pub y: Interval,
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
        let _ = write!(svg, r#"<path {} d="M{}"/>"#, ink::line(&one.style), path.join("L"));
        let interval = ink::interval(&one.style);
        for (place, value) in sound.iter().filter(|_| one.marked) {
            let column = across(x, *place);
            let (low, high) = (up(y, value.low), up(y, value.high));
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

/// Points with intervals both ways.
pub(crate) fn scatter(title: &str, x: &Axis, y: &Axis, spots: &[Spot]) -> String {
    let mut svg = frame(title, x, y);
    svg.push_str(&field());
    for one in in_drawing_order(spots, |one| &one.style) {
        let (column, row) = (across(x, one.x.mean), up(y, one.y.mean));
        svg.push_str(&one.style.open());
        let _ = write!(
            svg,
            r#"<path {} d="M{:.1} {row:.1}H{:.1}M{column:.1} {:.1}V{:.1}"/>{}</g>"#,
            ink::interval(&one.style),
            across(x, one.x.low),
            across(x, one.x.high),
            up(y, one.y.low),
            up(y, one.y.high),
            one.style.mark(column, row)
        );
    }
    svg.push_str("</svg></svg>");
    svg
}

/// Opens the part within the axes, with room for half a mark around it: what is beyond is cut off.
fn field() -> String {
    const MARGIN: f64 = 5.0;
    let (left, top) = (LEFT - MARGIN, TOP - MARGIN);
    let (width, height) = (WIDTH - LEFT - RIGHT + 2.0 * MARGIN, HEIGHT - TOP - BOTTOM + 2.0 * MARGIN);
    format!(
        r#"<svg x="{left}" y="{top}" width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">"#
    )
}

/// A row for each series with its one value: what a chart against load would be at a single load.
pub(crate) fn row_chart(title: &str, x: &Axis, series: &[Series]) -> String {
    let longest = series.iter().map(|one| shown_name(&one.style.name).chars().count()).max().unwrap_or(0);
    let left = (14.0 + 6.4 * longest as f64).min(WIDTH / 2.0);
    let bottom = TOP + ROW * series.len() as f64;
    let across = |value: f64| left + x.place(value) * (WIDTH - left - RIGHT);
    let mut svg = opened(title, bottom + BOTTOM, 14.0);
    for (value, text) in x.ticks(5) {
        let column = across(value);
        let _ = write!(
            svg,
            r#"<path {GRID} d="M{column:.1} {TOP}V{bottom}"/><text {TICK_MIDDLE} x="{column:.1}" y="{:.1}">{text}</text>"#,
            bottom + 15.0
        );
    }
    for (place, one) in series.iter().enumerate() {
        let row = TOP + (place as f64 + 0.5) * ROW;
        let name = escape(&shown_name(&one.style.name));
        let row_name = if one.style.learnt { ink::STRONG_ROW } else { ink::ROW };
        let _ = write!(svg, r#"<text {row_name} x="{:.1}" y="{:.1}">{name}</text>"#, left - 8.0, row + 4.0);
        svg.push_str(&one.style.open());
        for (_, value) in one.points.iter().filter(|(_, value)| value.mean.is_finite()) {
            let (low, high) = (across(value.low), across(value.high));
            let _ = write!(svg, r#"<path {} d="M{low:.1} {row:.1}H{high:.1}"/>"#, ink::interval(&one.style));
            svg.push_str(&one.style.mark(across(value.mean), row));
        }
        svg.push_str("</g>");
    }
    let _ = write!(
        svg,
        r#"<path {AXES} d="M{left:.1} {TOP}V{bottom}H{:.1}"/><text {AXIS_LABEL} x="{:.1}" y="{:.1}">{}</text></svg>"#,
        WIDTH - RIGHT,
        (left + WIDTH - RIGHT) / 2.0,
        bottom + BOTTOM - 10.0,
        escape(&x.label)
    );
    svg
}

/// Height of a [`row_chart`] with so many rows.
pub(crate) fn row_chart_height(rows: usize) -> f64 {
    TOP + BOTTOM + ROW * rows as f64
}

/// References first and learnt ones last, so that these lie above.
fn in_drawing_order<T>(all: &[T], style: impl Fn(&T) -> &Style) -> Vec<&T> {
    let mut ordered: Vec<&T> = all.iter().collect();
    ordered.sort_by_key(|one| (style(one).learnt, !style(one).reference));
    ordered
}

fn across(x: &Axis, value: f64) -> f64 {
    LEFT + x.place_beyond(value) * (WIDTH - LEFT - RIGHT)
}

fn up(y: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - y.place_beyond(value) * (HEIGHT - TOP - BOTTOM)
}

fn opened(title: &str, height: f64, left: f64) -> String {
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg" {ROOT}><title>{0}</title><text {TITLE} x="{left:.1}" y="17">{0}</text>"#,
        escape(title)
    )
}

/// Title, axes with their units, grid.
fn frame(title: &str, x: &Axis, y: &Axis) -> String {
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
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
