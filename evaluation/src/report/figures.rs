//! Which charts there are.

use common::trajectory::Scenario;

use super::Page;
use super::axis::{Axis, Scale};
use super::chart::{Series, Spot, Style, escape, line_chart, scatter};
use crate::results::Summary;
use crate::statistics::Interval;

/// A metric against load.
struct Shown {
    metric: &'static str,
    title: &'static str,
    label: &'static str,
    scale: Scale,
    percent: bool,
}

const fn shown(
    metric: &'static str,
    title: &'static str,
    label: &'static str,
    scale: Scale,
    percent: bool,
) -> Shown {
    Shown { metric, title, label, scale, percent }
}

const SERVERLESS: [Shown; 8] = [
    shown(
        "slowdown",
        "Slowdown, geometric mean over functions (primary)",
        "slowdown (×, log)",
        Scale::Log,
        false,
    ),
    shown("slowdown_mean", "Slowdown, mean over invocations (guard)", "slowdown (×, log)", Scale::Log, false),
    shown("slowdown_p99", "Slowdown, 99th percentile", "slowdown (×, log)", Scale::Log, false),
    shown("cold_start_rate", "Cold-start rate", "invocations that waited for one", Scale::Linear, true),
    shown("cost_usd", "Cost of an episode", "USD", Scale::Linear, false),
    shown("slo_violations", "SLO violations", "invocations beyond their objective", Scale::Linear, true),
    shown(
        "workflow_slowdown_mean",
        "Slowdown of workflows, end to end",
        "slowdown (×, log)",
        Scale::Log,
        false,
    ),
    shown(
        "workflow_slo_violations",
        "SLO violations of workflows",
        "workflows beyond their objective",
        Scale::Linear,
        true,
    ),
];

const SLOTS: [Shown; 2] = [
    shown("slowdown", "Mean slowdown", "slowdown (×, log)", Scale::Log, false),
    shown("dropped_share", "Jobs dropped", "share of the jobs offered", Scale::Linear, true),
];

/// More than these are counted, not named, in a note.
const MOST_NAMED: usize = 4;

/// Every metric that the workload has, against load.
pub(super) fn against_load(page: &Page<'_>, workload: &str) -> Vec<String> {
    let summaries: Vec<&Summary> = page.summaries.iter().filter(|one| one.workload == workload).collect();
    let all: &[Shown] = match page.scenario {
        Scenario::Slots => &SLOTS,
        Scenario::Serverless => &SERVERLESS,
    };
    all.iter().filter_map(|shown| chart(page, &summaries, shown)).collect()
}

/// `None` where no scheduler has the metric. Its scale is that of the schedulers that are shown at first: one that is far off
/// would press all others together.
fn chart(page: &Page<'_>, summaries: &[&Summary], shown: &Shown) -> Option<String> {
    let value = |summary: &Summary| summary.metric(page.scenario, shown.metric);
    let loads = summaries.iter().map(|one| one.load);
    let (least, most) = (loads.clone().fold(f64::INFINITY, f64::min), loads.fold(0.0, f64::max));
    let x = Axis::between("offered load (% of capacity)", least.min(most - 10.0), most);
    let line = |style: &Style| {
        let mine = summaries.iter().filter(|one| one.scheduler == style.name);
        Series {
            style: style.clone(),
            points: mine.map(|one| (one.load, value(one))).collect(),
            marked: true,
        }
    };
    let series = lines(page, line);
    if series.is_empty() {
        return None;
    }
    let ends = at_first(&series, |one| &one.style)
        .flat_map(|one| &one.points)
        .flat_map(|(_, value)| [value.mean, value.low, value.high]);
    let y = Axis::around(shown.label, shown.scale, shown.percent, ends);
    let above = |one: &&Series| one.points.iter().any(|(_, value)| y.ends_below(value.mean));
    let note = cut_off(series.iter().filter(above).map(|one| &one.style));
    Some(line_chart(shown.title, &x, &y, &series) + &note)
}

/// Those that are shown at first; all where none is.
fn at_first<T>(all: &[T], style: impl Fn(&T) -> &Style) -> impl Iterator<Item = &T> {
    let any = all.iter().any(|one| !style(one).hidden);
    all.iter().filter(move |one| !any || !style(one).hidden)
}

/// Says whose values are beyond the scale.
fn cut_off<'a>(styles: impl Iterator<Item = &'a Style>) -> String {
    let names: Vec<String> = styles.map(|style| escape(&style.name)).collect();
    if names.is_empty() {
        return String::new();
    }
    let (first, rest) = names.split_at(names.len().min(MOST_NAMED));
    let rest = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    format!(
        "<figcaption>The scale is that of the schedulers shown at first; beyond it, at least in part: {}{rest}</figcaption>",
        first.join(", ")
    )
}

/// A series for each scheduler that has such values, in the order of the legend.
fn lines(page: &Page<'_>, line: impl Fn(&Style) -> Series) -> Vec<Series> {
    let known = |one: &Series| one.points.iter().any(|(_, value)| value.mean.is_finite());
    in_order(page).into_iter().map(line).filter(known).collect()
}

fn in_order<'a>(page: &'a Page<'_>) -> Vec<&'a Style> {
    let mut styles: Vec<&Style> = page.styles.values().collect();
    styles.sort_by_key(|style| style.number);
    styles
}

/// Shares below this are not drawn: too few invocations stand for them.
const RAREST: f64 = 1e-5;

/// The share of invocations whose slowdown is above a value, against that value.
pub(super) fn distributions(page: &Page<'_>, workload: &str, load: f64) -> String {
    let line = |style: &Style| {
        let point = page.input.results.find(workload, load, &style.name);
        let buckets: Vec<(f64, u64)> = point.map(|point| point.slowdowns().collect()).unwrap_or_default();
        let all: u64 = buckets.iter().map(|(_, count)| count).sum();
        let mut left = all;
        let above = |(edge, count): &(f64, u64)| {
            let share = left as f64 / all as f64;
            left -= count;
            (*edge, Interval { mean: share, low: share, high: share })
        };
        let points = buckets.iter().map(above).filter(|(_, value)| value.mean >= RAREST).collect();
        Series { style: style.clone(), points, marked: false }
    };
    let series = lines(page, line);
    let places = at_first(&series, |one| &one.style).flat_map(|one| one.points.iter().map(|(edge, _)| *edge));
    let x = Axis::around("slowdown x (×, log)", Scale::Log, false, places);
    let shares = series.iter().flat_map(|one| one.points.iter().map(|(_, value)| value.mean));
    let y = Axis::around("share above x (log)", Scale::Log, true, shares);
    let beyond = |one: &&Series| one.points.iter().any(|(edge, _)| x.ends_below(*edge));
    let note = cut_off(series.iter().filter(beyond).map(|one| &one.style));
    line_chart(&format!("Distribution of slowdowns at {load}% load"), &x, &y, &series) + &note
}

/// Cold starts and the idle memory that avoids them, a point for each scheduler.
pub(super) fn cold_against_idle(page: &Page<'_>, workload: &str, load: f64) -> String {
    let spot = |style: &Style| {
        let here =
            |one: &&Summary| one.workload == workload && one.load == load && one.scheduler == style.name;
        let summary = page.summaries.iter().find(here)?;
        let metric = |name: &str| summary.metric(page.scenario, name);
        let (x, y) = (metric("idle_gb_seconds"), metric("cold_start_rate"));
        (x.mean.is_finite() && y.mean.is_finite()).then(|| Spot { style: style.clone(), x, y })
    };
    let spots: Vec<Spot> = in_order(page).into_iter().filter_map(spot).collect();
    let shown = || at_first(&spots, |spot| &spot.style);
    let x = shown().flat_map(|spot| [spot.x.low, spot.x.high]);
    let x = Axis::around("idle memory of an episode (GB·s)", Scale::Linear, false, x);
    let y = shown().flat_map(|spot| [spot.y.low, spot.y.high]);
    let y = Axis::around("cold-start rate", Scale::Linear, true, y);
    let beyond = |spot: &&Spot| x.ends_below(spot.x.mean) || y.ends_below(spot.y.mean);
    let note = cut_off(spots.iter().filter(beyond).map(|spot| &spot.style));
    scatter(&format!("Cold starts and idle memory at {load}% load"), &x, &y, &spots) + &note
}
