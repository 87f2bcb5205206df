//! Pictures of one episode against time: how many waited, how full the nodes were, what each container did.

use drawing::{Axis, Bar, BarKind, Element, area_chart, bar_chart, heat_map};

use crate::recording::{ContainerState, Recording, Span};

const TIME: &str = "time since the start of the episode (s)";

/// Every picture that the recording has something for.
pub(super) fn charts(recording: &Recording) -> Vec<Element> {
    let seconds = recording.queue.len() as f64 * recording.bin_seconds;
    let time = Axis::between(TIME, 0.0, seconds);
    let mut charts = Vec::new();
    if !recording.queue.is_empty() {
        let (title, label) = ("Queue length (mean of each moment)", "waiting invocations");
        charts.push(area_chart(title, &time, label, &recording.queue, recording.bin_seconds));
    }
    for (title, fractions) in [
        ("Memory of starting and running containers, fraction of each node", &recording.busy),
        ("CPU in use, fraction of each node", &recording.cpu),
    ] {
        if fractions.iter().any(|row| !row.is_empty()) {
            charts.push(heat_map(title, &time, "node", fractions));
        }
    }
    if !recording.spans.is_empty() {
        charts.push(containers(recording));
    }
    charts
}

/// Containers of the first nodes for a while: a lane each.
fn containers(recording: &Recording) -> Element {
    let [from, to] = recording.window;
    let bars: Vec<Bar> = recording.spans.iter().map(bar).collect();
    bar_chart("Containers on their nodes", &Axis::between(TIME, from, to), "node", &bars)
}

fn bar(span: &Span) -> Bar {
    let kind = match span.state {
        ContainerState::Starting => BarKind::Starting,
        ContainerState::Running => BarKind::Running,
        ContainerState::Idle => BarKind::Idle,
    };
    Bar { group: span.node, lane: span.lane, kind, from: span.from, to: span.to }
}
