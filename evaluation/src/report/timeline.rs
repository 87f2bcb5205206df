//! Pictures of one episode against time: who was where, how full the nodes were, how many waited.

use std::fmt::Write as _;

use super::axis::{Axis, Scale};
use super::chart::escape;
use super::heat::heat_maps;
use super::ink::{AXES, AXIS_LABEL, GRID, IDLE, QUEUE, ROOT, RUN, START, TICK, TICK_END, TICK_MIDDLE, TITLE};
use crate::recording::{ContainerState, Recording, Span};

pub(super) const WIDTH: f64 = 940.0;
pub(super) const LEFT: f64 = 72.0;
pub(super) const RIGHT: f64 = 16.0;
pub(super) const TOP: f64 = 30.0;
pub(super) const BOTTOM: f64 = 44.0;
/// Every picture that the recording has something for.
pub(super) fn charts(recording: &Recording) -> Vec<String> {
    let mut charts = Vec::new();
    if !recording.queue.is_empty() {
        charts.push(queue_chart(recording));
    }
    charts.extend(heat_maps(recording));
    if !recording.spans.is_empty() {
        charts.push(gantt(recording));
    }
    charts
}

/// Invocations that wait, against time.
fn queue_chart(recording: &Recording) -> String {
    let height = 190.0;
    let time = time_axis(recording);
    let label = "waiting invocations";
    let queue = Axis::around(label, Scale::Linear, false, recording.queue.iter().copied());
    let mut svg = frame("Queue length (mean of each moment)", &time, height);
    for (value, text) in queue.ticks(4) {
        let row = height - BOTTOM - queue.place(value) * (height - TOP - BOTTOM);
        let _ = write!(
            svg,
            r#"<path {GRID} d="M{LEFT} {row:.1}H{:.1}"/><text {TICK_END} x="{:.1}" y="{:.1}">{text}</text>"#,
            WIDTH - RIGHT,
            LEFT - 6.0,
            row + 3.5
        );
    }
    let mut path = format!("M{LEFT} {:.1}", height - BOTTOM);
    for (bin, value) in recording.queue.iter().enumerate() {
        let column = across(&time, (bin as f64 + 0.5) * recording.bin_seconds);
        let _ = write!(
            path,
            "L{column:.1} {:.1}",
            height - BOTTOM - queue.place(*value) * (height - TOP - BOTTOM)
        );
    }
    let last = across(&time, recording.queue.len() as f64 * recording.bin_seconds);
    let _ = write!(path, "L{last:.1} {:.1}z", height - BOTTOM);
    let centre = (TOP + height - BOTTOM) / 2.0;
    let _ = write!(
        svg,
        r#"<path {QUEUE} d="{path}"/><text {AXIS_LABEL} transform="translate(13 {centre:.1})rotate(-90)">{label}</text></svg>"#
    );
    svg
}

/// Containers of the first nodes for a while: a row each, starting, running or idle.
fn gantt(recording: &Recording) -> String {
    let [from, to] = recording.window;
    let nodes = recording.spans.iter().map(|span| span.node + 1).max().unwrap_or(0);
    let lanes_of = |node: u32| {
        recording.spans.iter().filter(|span| span.node == node).map(|span| span.lane + 1).max().unwrap_or(0)
    };
    let lanes: Vec<u32> = (0..nodes).map(lanes_of).collect();
    let all: u32 = lanes.iter().sum();
    let lane_height = (420.0 / f64::from(all.max(1))).clamp(2.5, 12.0);
    let gap = 8.0;
    let height = TOP + BOTTOM + f64::from(all) * lane_height + f64::from(nodes) * gap;
    let time = Axis::between("time since the start of the episode (s)", from, to);
    let mut svg = frame("Containers on their nodes", &time, height);
    let tops: Vec<f64> = lanes
        .iter()
        .scan(TOP, |top, &count| {
            let here = *top;
            *top += f64::from(count) * lane_height + gap;
            Some(here)
        })
        .collect();
    for (node, (&top, &count)) in tops.iter().zip(&lanes).enumerate() {
        let below = top + f64::from(count) * lane_height;
        let _ = write!(
            svg,
            r#"<text {TICK_END} x="{:.1}" y="{:.1}">node {node}</text><path {GRID} d="M{LEFT} {:.1}H{:.1}"/>"#,
            LEFT - 6.0,
            (top + below) / 2.0 + 3.0,
            below + gap / 2.0,
            WIDTH - RIGHT
        );
    }
    for (state, ink, _) in STATES {
        let of_state = recording.spans.iter().filter(|span| span.state == state);
        let path: String = of_state.map(|span| bar(span, &time, &tops, lane_height)).collect();
        let _ = write!(svg, r#"<path {ink} d="{path}"/>"#);
    }
    svg.push_str(&state_key());
    svg.push_str("</svg>");
    svg
}

const STATES: [(ContainerState, &str, &str); 3] = [
    (ContainerState::Idle, IDLE, "idle, kept warm"),
    (ContainerState::Running, RUN, "running"),
    (ContainerState::Starting, START, "cold start"),
];

fn bar(span: &Span, time: &Axis, tops: &[f64], lane_height: f64) -> String {
    let (left, right) = (across(time, span.from), across(time, span.to));
    let top = tops[span.node as usize] + f64::from(span.lane) * lane_height;
    // A thin gap tells one invocation from the next; what is short is still seen.
    let width = (right - left - 0.3).max(0.4);
    format!("M{left:.1} {top:.1}h{width:.1}v{:.1}h{:.1}z", lane_height * 0.86, -width)
}

fn state_key() -> String {
    let mut key = String::new();
    let mut x = WIDTH - RIGHT - 300.0;
    for (_, ink, words) in STATES {
        let _ = write!(
            key,
            r#"<rect {ink} x="{x:.1}" y="8" width="14" height="10"/><text {TICK} x="{:.1}" y="17">{words}</text>"#,
            x + 19.0
        );
        x += 42.0 + 6.2 * words.len() as f64;
    }
    key
}

pub(super) fn time_axis(recording: &Recording) -> Axis {
    let seconds = recording.queue.len() as f64 * recording.bin_seconds;
    Axis::between("time since the start of the episode (s)", 0.0, seconds)
}

fn across(time: &Axis, at: f64) -> f64 {
    LEFT + time.place(at) * (WIDTH - LEFT - RIGHT)
}

pub(super) fn frame(title: &str, time: &Axis, height: f64) -> String {
    let mut svg = format!(
        r#"<svg viewBox="0 0 {WIDTH} {height:.0}" role="img" xmlns="http://www.w3.org/2000/svg" {ROOT}><title>{0}</title><text {TITLE} x="{LEFT}" y="17">{0}</text>"#,
        escape(title)
    );
    let bottom = height - BOTTOM;
    for (value, text) in time.ticks(10) {
        let column = across(time, value);
        let _ = write!(
            svg,
            r#"<path {GRID} d="M{column:.1} {TOP}V{bottom:.1}"/><text {TICK_MIDDLE} x="{column:.1}" y="{:.1}">{text}</text>"#,
            bottom + 15.0
        );
    }
    let _ = write!(
        svg,
        r#"<path {AXES} d="M{LEFT} {TOP}V{bottom:.1}H{:.1}"/><text {AXIS_LABEL} x="{:.1}" y="{:.1}">{}</text>"#,
        WIDTH - RIGHT,
        (LEFT + WIDTH - RIGHT) / 2.0,
        height - 9.0,
        escape(&time.label)
    );
    svg
}
