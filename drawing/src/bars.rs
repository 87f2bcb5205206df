//! Bars over time, in lanes of groups.

use crate::axis::Axis;
use crate::course::{wide_frame, wide_plot_around};
use crate::element::Element;
use crate::ink::{IDLE, Ink, RUN, START, TICK, TICK_END};
use crate::path::Path;
use crate::plot::{Plot, grid_line};

/// Room between two groups, pixels.
const GAP: f64 = 8.0;
/// Height of all lanes together, pixels, where each is then neither too thin nor too thick.
const LANES: f64 = 420.0;

/// What a bar shows, which is its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// An idle container that is kept warm.
    Idle,
    /// A container that runs an invocation.
    Running,
    /// A container that is being initialised.
    Starting,
}

impl BarKind {
    const ALL: [(BarKind, Ink, &str); 3] = [
        (BarKind::Idle, IDLE, "idle, kept warm"),
        (BarKind::Running, RUN, "running"),
        (BarKind::Starting, START, "cold start"),
    ];
}

/// A bar in one lane of the timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Number of the group that its lane is in.
    pub group: u32,
    /// Number of the lane within the group.
    pub lane: u32,
    /// What it shows.
    pub kind: BarKind,
    /// Where it begins on the time axis.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
}

/// Where the lanes lie, pixels.
struct Lanes {
    plot: Plot,
    /// Number of lanes of each group.
    counts: Vec<u32>,
    /// Upper edge of each group.
    tops: Vec<f64>,
    height: f64,
}

/// The bars, each group below the one before, named `name` with its number.
#[must_use]
pub fn bar_chart(title: &str, time: &Axis, name: &str, bars: &[Bar]) -> Element {
    let lanes = Lanes::of(bars);
    let mut svg = wide_frame(&lanes.plot, title, time);
    lanes.name_groups(&mut svg, name);
    for (kind, ink, _) in BarKind::ALL {
        let of_kind = bars.iter().filter(|bar| bar.kind == kind);
        let path = of_kind.fold(Path::default(), |path, bar| path.then(&lanes.bar(bar, time)));
        svg.push(Element::new("path").ink(ink).with("d", path));
    }
    key(&lanes.plot, &mut svg);
    svg
}

impl Lanes {
    fn of(bars: &[Bar]) -> Self {
        let groups = bars.iter().map(|bar| bar.group + 1).max().unwrap_or(0);
        let lanes_of = |group: u32| {
            bars.iter().filter(|bar| bar.group == group).map(|bar| bar.lane + 1).max().unwrap_or(0)
        };
        let counts: Vec<u32> = (0..groups).map(lanes_of).collect();
        let all: u32 = counts.iter().sum();
        let height = (LANES / f64::from(all.max(1))).clamp(2.5, 12.0);
        let plot = wide_plot_around(f64::from(all) * height + f64::from(groups) * GAP);
        let mut top = plot.top;
        let mut tops = Vec::new();
        for &count in &counts {
            tops.push(top);
            top += f64::from(count) * height + GAP;
        }
        Lanes { plot, counts, tops, height }
    }

    fn name_groups(&self, svg: &mut Element, name: &str) {
        let Plot { left, right, .. } = self.plot;
        for (group, (&top, &count)) in self.tops.iter().zip(&self.counts).enumerate() {
            let below = top + f64::from(count) * self.height;
            let text = Element::new("text").ink(TICK_END).at(left - 6.0, (top + below) / 2.0 + 3.0);
            svg.push(text.text(&format!("{name} {group}")));
            svg.push(grid_line(&Path::from(left, below + GAP / 2.0).level(right)));
        }
    }

    fn bar(&self, bar: &Bar, time: &Axis) -> Path {
        let across = |at: f64| self.plot.across(time, time.clamped(at));
        let (left, right) = (across(bar.from), across(bar.to));
        let top = self.tops[bar.group as usize] + f64::from(bar.lane) * self.height;
        // A thin gap tells one bar from the next; what is short is still seen.
        let width = (right - left - 0.3).max(0.4);
        Path::from(left, top).rectangle(width, 0.86 * self.height)
    }
}

/// The meaning of the colours, at the top right.
fn key(plot: &Plot, svg: &mut Element) {
    let mut x = plot.right - 300.0;
    for (_, ink, words) in BarKind::ALL {
        svg.push(Element::new("rect").ink(ink).at(x, 8.0).sized(14.0, 10.0));
        svg.push(Element::new("text").ink(TICK).at(x + 19.0, 17.0).text(words));
        x += 42.0 + 6.2 * words.len() as f64;
    }
}
