//! Which charts there are.

use common::trajectory::Scenario;
use drawing::{
    Axis, Element, Row, Scale, Series, Spot, Style, Value, escape, line_chart, row_chart, scatter,
};

use super::page::Page;
use crate::judged::Judged;
use crate::results::Summary;

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

const SERVERLESS: [Shown; 6] = [
    shown("slowdown", "Slowdown, geometric mean over functions (primary)", SLOWDOWN, Scale::Log, false),
    shown("slowdown_mean", "Slowdown, mean over invocations (guard)", SLOWDOWN, Scale::Log, false),
    shown("slowdown_p99", "Slowdown, 99th percentile", SLOWDOWN, Scale::Log, false),
    COLD_STARTS,
    COST,
    shown("slo_violations", "SLO violations", "invocations beyond their objective", Scale::Linear, true),
];

/// Whole workflows first, then their stages.
const WORKFLOWS: [Shown; 7] = [
    shown(
        "workflow_slowdown_mean",
        "Slowdown of whole workflows, mean (primary)",
        SLOWDOWN,
        Scale::Log,
        false,
    ),
    shown(
        "workflow_slowdown_p99",
        "Slowdown of whole workflows, 99th percentile (guard)",
        SLOWDOWN,
        Scale::Log,
        false,
    ),
    shown(
        "workflow_slo_violations",
        "SLO violations of whole workflows",
        "workflows beyond their objective",
        Scale::Linear,
        true,
    ),
    shown("slowdown", "Slowdown of stages, geometric mean over functions", SLOWDOWN, Scale::Log, false),
    shown("slowdown_mean", "Slowdown of stages, mean", SLOWDOWN, Scale::Log, false),
    COLD_STARTS,
    COST,
];

const SLOWDOWN: &str = "slowdown (×, log)";
const COLD_STARTS: Shown =
    shown("cold_start_rate", "Cold-start rate", "invocations that waited for one", Scale::Linear, true);
const COST: Shown = shown("cost_usd", "Cost of an episode", "USD", Scale::Linear, false);

const SLOTS: [Shown; 2] = [
    shown("slowdown", "Mean slowdown", SLOWDOWN, Scale::Log, false),
    shown("dropped_share", "Jobs dropped", "share of the jobs offered", Scale::Linear, true),
];

/// More than these are counted, not named, in a note.
const MOST_NAMED: usize = 4;

/// Every metric that the workload has: against load, or scheduler by scheduler where there is one load only.
pub(super) fn against_load(page: &Page<'_>, workload: &str) -> Vec<String> {
    let summaries: Vec<&Summary> = page.summaries.iter().filter(|one| one.workload == workload).collect();
    let all: &[Shown] = match page.scenario {
        Scenario::Slots => &SLOTS,
        Scenario::Serverless if Judged::in_results(page.input.results, workload).workflows => &WORKFLOWS,
        Scenario::Serverless => &SERVERLESS,
    };
    let one_load = page.input.results.loads(workload).len() == 1;
    let draw = if one_load { rows } else { chart };
    all.iter().filter_map(|shown| draw(page, &summaries, shown)).collect()
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
            points: mine.map(|one| (one.load, value(one).into())).collect(),
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
    Some(figure(&line_chart(shown.title, &x, &y, &series), &note))
}

/// A row for each scheduler at the one load that there is; `None` where no scheduler has the metric.
fn rows(page: &Page<'_>, summaries: &[&Summary], shown: &Shown) -> Option<String> {
    let row = |style: &Style| {
        let summary = summaries.iter().find(|one| one.scheduler == style.name)?;
        let value = summary.metric(page.scenario, shown.metric);
        value.mean.is_finite().then(|| Row { style: style.clone(), value: value.into() })
    };
    let rows: Vec<Row> = in_order(page).into_iter().filter_map(row).collect();
    let load = summaries.first()?.load;
    if rows.is_empty() {
        return None;
    }
    let values: Vec<Value> = rows.iter().map(|row| row.value).collect();
    let label = format!("{}, at {load}% load", shown.label);
    let x = Axis::around_most(&label, shown.scale, shown.percent, &values);
    let beyond = |row: &&Row| x.side(row.value.mean) != 0.0;
    let note = by_arrows(rows.iter().filter(beyond).map(|row| &row.style));
    Some(figure(&row_chart(shown.title, &x, &rows), &note))
}

/// A chart with its note, in HTML.
pub(super) fn figure(chart: &Element, note: &str) -> String {
    format!("<figure>{chart}{note}</figure>")
}

/// Those that are shown at first; all where none is.
fn at_first<T>(all: &[T], style: impl Fn(&T) -> &Style) -> impl Iterator<Item = &T> {
    let any = all.iter().any(|one| !style(one).hidden);
    all.iter().filter(move |one| !any || !style(one).hidden)
}

/// Names the schedulers whose lines go beyond the scale.
fn cut_off<'a>(styles: impl Iterator<Item = &'a Style>) -> String {
    note("The scale is that of the schedulers shown at first; beyond it, at least in part", styles)
}

/// Names the schedulers whose points are beyond the scale.
fn by_arrows<'a>(styles: impl Iterator<Item = &'a Style>) -> String {
    note("Beyond the scale, an arrow at its edge", styles)
}

fn note<'a>(words: &str, styles: impl Iterator<Item = &'a Style>) -> String {
    let names: Vec<String> = styles.map(|style| escape(&style.name)).collect();
    if names.is_empty() {
        return String::new();
    }
    let (first, rest) = names.split_at(names.len().min(MOST_NAMED));
    let rest = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    format!("<figcaption>{words}: {}{rest}</figcaption>", first.join(", "))
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

/// The fraction of invocations whose slowdown is above a value, against that value.
/// `None` where nothing is known of them.
pub(super) fn distributions(page: &Page<'_>, workload: &str, load: f64) -> Option<String> {
    let line = |style: &Style| {
        let point = page.input.results.find(workload, load, &style.name);
        let buckets: Vec<(f64, u64)> = point.map(|point| point.slowdowns().collect()).unwrap_or_default();
        let all = buckets.iter().fold(0_u64, |all, (_, count)| all.saturating_add(*count));
        let mut left = all;
        let above = |(edge, count): &(f64, u64)| {
            let share = left as f64 / all as f64;
            left = left.saturating_sub(*count);
            (*edge, Value::exact(share))
        };
        let points = buckets.iter().map(above).filter(|(_, value)| value.mean >= RAREST).collect();
        Series { style: style.clone(), points, marked: false }
    };
    let series = lines(page, line);
    if series.is_empty() {
        return None;
    }
    let places = at_first(&series, |one| &one.style).flat_map(|one| one.points.iter().map(|(edge, _)| *edge));
    let x = Axis::around("slowdown x (×, log)", Scale::Log, false, places);
    let shares = series.iter().flat_map(|one| one.points.iter().map(|(_, value)| value.mean));
    let y = Axis::around("share above x (log)", Scale::Log, true, shares);
    let beyond = |one: &&Series| one.points.iter().any(|(edge, _)| x.ends_below(*edge));
    let note = cut_off(series.iter().filter(beyond).map(|one| &one.style));
    let stages = Judged::in_results(page.input.results, workload).workflows;
    let of = if stages { "the slowdowns of stages" } else { "slowdowns" };
    let title = format!("Distribution of {of} at {load}% load");
    Some(figure(&line_chart(&title, &x, &y, &series), &note))
}

/// Cold starts against idle memory, a point for each scheduler; `None` where no scheduler has both figures.
pub(super) fn cold_against_idle(page: &Page<'_>, workload: &str, load: f64) -> Option<String> {
    let spot = |style: &Style| {
        let here =
            |one: &&Summary| one.workload == workload && one.load == load && one.scheduler == style.name;
        let summary = page.summaries.iter().find(here)?;
        let metric = |name: &str| summary.metric(page.scenario, name);
        let (x, y) = (metric("idle_gb_seconds"), metric("cold_start_rate"));
        (x.mean.is_finite() && y.mean.is_finite()).then(|| Spot {
            style: style.clone(),
            x: x.into(),
            y: y.into(),
        })
    };
    let spots: Vec<Spot> = in_order(page).into_iter().filter_map(spot).collect();
    if spots.is_empty() {
        return None;
    }
    let values =
        |of: fn(&Spot) -> Value| -> Vec<Value> { at_first(&spots, |spot| &spot.style).map(of).collect() };
    let x = Axis::fitting("idle memory of an episode (GB·s)", false, &values(|spot| spot.x));
    let y = Axis::fitting("cold-start rate", true, &values(|spot| spot.y));
    let beyond = |spot: &&Spot| spot.is_beyond(&x, &y);
    let note = by_arrows(spots.iter().filter(beyond).map(|spot| &spot.style));
    let title = format!("Cold starts and idle memory at {load}% load");
    Some(figure(&scatter(&title, &x, &y, &spots), &note))
}
