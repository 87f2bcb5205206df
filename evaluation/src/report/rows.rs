//! A value of each scheduler with its interval, a row each: what a chart against load would be at a single load.

use std::fmt::Write as _;

use super::axis::{Axis, plain};
use super::chart::{BOTTOM, RIGHT, Style, TOP, WIDTH, ends, escape, opened};
use super::ink::{self, AXES, AXIS_LABEL, GRID, TICK_MIDDLE};
use crate::reference::shown_name;
use crate::statistics::Interval;

/// Height of a row.
const ROW: f64 = 20.0;

/// A scheduler's row.
pub(crate) struct Row {
    pub style: Style,
    pub value: Interval,
}

/// The rows in their order. What lies beyond the axis is an arrow at its edge.
pub(crate) fn row_chart(title: &str, x: &Axis, rows: &[Row]) -> String {
    let longest = rows.iter().map(|one| shown_name(&one.style.name).chars().count()).max().unwrap_or(0);
    let left = (14.0 + 6.4 * longest as f64).min(WIDTH / 2.0);
    let bottom = TOP + ROW * rows.len() as f64;
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
    for (place, one) in rows.iter().enumerate() {
        let row = TOP + (place as f64 + 0.5) * ROW;
        let name = if one.style.learnt { ink::STRONG_ROW } else { ink::ROW };
        let _ = write!(
            svg,
            r#"<text {name} x="{:.1}" y="{:.1}">{}</text>{}"#,
            left - 8.0,
            row + 4.0,
            escape(&shortened(&shown_name(&one.style.name))),
            one.style.open_fixed()
        );
        let mean = one.value.mean;
        let side = x.side(mean);
        if side == 0.0 {
            let (low, high) = ends(&one.value);
            let _ = write!(
                svg,
                r#"<path {} d="M{:.1} {row:.1}H{:.1}"/>{}"#,
                ink::interval(&one.style),
                across(low),
                across(high),
                one.style.mark(across(mean), row)
            );
        } else {
            svg.push_str(&one.style.arrow((across(mean), row), (side, 0.0), &plain(mean)));
        }
        svg.push_str("</g>");
    }
    let _ = write!(
        svg,
        r#"<path {AXES} d="M{left:.1} {TOP}V{bottom}H{:.1}"/><text {AXIS_LABEL} x="{:.1}" y="{:.1}">{}</text></svg>"#,
        WIDTH - RIGHT,
        // Names on the left take so much room that a label in the middle of the axis would be cut off.
        WIDTH / 2.0,
        bottom + BOTTOM - 10.0,
        escape(&x.label)
    );
    svg
}

/// Height of a [`row_chart`] with so many rows.
pub(crate) fn row_chart_height(rows: usize) -> f64 {
    TOP + BOTTOM + ROW * rows as f64
}

/// Names beyond half a chart lose their middle; their marks say them in full.
fn shortened(name: &str) -> String {
    const MOST: usize = 34;
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= MOST {
        return name.to_owned();
    }
    let half = MOST / 2 - 1;
    letters[..half].iter().chain(&['…']).chain(&letters[letters.len() - half..]).collect()
}
