//! SVG pictures of results that stand alone: panels side by side and a legend beside them, light and dark.

use drawing::{
    Axis, Element, LINE_CHART_HEIGHT, Row, Scale, Series, Style, Value, line_chart, panels, row_chart,
    row_chart_height,
};

use crate::error::EvaluationError;
use crate::judged::Judged;
use crate::reference::{is_reference, shown_name};
use crate::results::in_order_of_appearance;
use crate::serverless::{ServerlessRecord, judged};
use crate::slots::SlotsPoint;

const LOAD: &str = "offered load (% of capacity)";

/// Mean slowdown against load, a panel for each episode length, with a bar of one standard error up and down. Schedulers
/// whose name is in `learnt` are drawn wider and above the others.
///
/// # Errors
/// When nothing is there to be drawn.
pub fn slots_picture(points: &[SlotsPoint], learnt: &[&str]) -> Result<String, EvaluationError> {
    let styles = styles(points.iter().map(|point| point.scheduler.as_str()), learnt);
    let mut panels = Vec::new();
    for steps in in_order_of_appearance(points.iter().map(|point| point.steps)) {
        let here: Vec<&SlotsPoint> = points.iter().filter(|point| point.steps == steps).collect();
        let value = |point: &SlotsPoint| {
            let (mean, error) = (point.slowdown, point.slowdown_stderr);
            (point.load, Value { mean, low: mean - error, high: mean + error })
        };
        let line = |style: &Style| {
            let mine = here.iter().filter(|point| point.scheduler == style.name);
            Series { style: style.clone(), points: mine.map(|point| value(point)).collect(), marked: true }
        };
        let series = styles.iter().map(line).collect();
        panels.push(Panel {
            title: slots_title(steps, &here),
            label: "mean slowdown (×, log, ± standard error)".to_owned(),
            series,
        });
    }
    draw(&panels, &styles)
}

fn slots_title(steps: u32, points: &[&SlotsPoint]) -> String {
    let dropped = points.iter().map(|point| point.dropped_share).fold(0.0, f64::max);
    let episodes = points.iter().map(|point| point.episodes).max().unwrap_or(0);
    let dropped = if dropped > 0.0 {
        format!("≤ {:.1}% dropped", 100.0 * dropped)
    } else {
        "nothing dropped".to_owned()
    };
    format!("{steps} steps, {episodes} episodes a point, {dropped}")
}

/// Primary slowdown and guard, a panel each for every workload, with 95% intervals: against load, or scheduler by
/// scheduler where there is one load only. Schedulers whose name is in `learnt` stand out.
///
/// # Errors
/// When nothing is there to be drawn.
pub fn serverless_picture(records: &[ServerlessRecord], learnt: &[&str]) -> Result<String, EvaluationError> {
    let styles = styles(records.iter().map(|record| record.scheduler.as_str()), learnt);
    let mut panels = Vec::new();
    for workload in in_order_of_appearance(records.iter().map(|record| record.workload.as_str())) {
        let here = records.iter().filter(|one| one.workload == workload);
        for (metric, title) in shown_figures(judged(here)) {
            let line = |style: &Style| {
                let mine =
                    records.iter().filter(|one| one.workload == workload && one.scheduler == style.name);
                let points = mine.map(|record| (record.load, record.metrics[metric].into())).collect();
                Series { style: style.clone(), points, marked: true }
            };
            let known = |one: &Series| one.points.iter().any(|(_, value)| value.mean.is_finite());
            let series = styles.iter().map(line).filter(known).collect();
            let title = format!("{workload}: {title}");
            panels.push(Panel { title, label: "slowdown (×, log, 95% interval)".to_owned(), series });
        }
    }
    draw(&panels, &styles)
}

/// Primary and guard; where whole workflows are judged, their stages beside them.
fn shown_figures(judged: Judged) -> Vec<(&'static str, &'static str)> {
    if judged.workflows {
        return vec![
            (judged.primary(), "mean over workflows (primary)"),
            (judged.guard(), "99th percentile over workflows (guard)"),
            ("slowdown", "stages, geometric mean over functions"),
            ("slowdown_mean", "stages, mean over invocations"),
        ];
    }
    vec![
        (judged.primary(), "geometric mean over functions (primary)"),
        (judged.guard(), "mean over invocations (guard)"),
    ]
}

/// Learnt ones first and references last, the others in their order.
fn styles<'a>(names: impl Iterator<Item = &'a str>, learnt: &[&str]) -> Vec<Style> {
    let mut names = in_order_of_appearance(names);
    names.sort_by_key(|name| (is_reference(name), !learnt.contains(name)));
    let style = |(number, name): (usize, &str)| Style {
        number,
        strong: learnt.contains(&name),
        soft: is_reference(name),
        label: shown_name(name),
        ..Style::new(number, name.to_owned())
    };
    names.into_iter().enumerate().map(style).collect()
}

struct Panel {
    title: String,
    label: String,
    series: Vec<Series>,
}

impl Panel {
    fn loads(&self) -> Vec<f64> {
        let mut loads = in_order_of_appearance(
            self.series.iter().flat_map(|one| one.points.iter().map(|(load, _)| *load)),
        );
        loads.sort_by(f64::total_cmp);
        loads
    }

    /// The chart, and its height; `None` where no value is a number.
    fn chart(&self) -> Option<(Element, f64)> {
        let points = || self.series.iter().flat_map(|one| &one.points);
        if !points().any(|(_, value)| value.mean.is_finite()) {
            return None;
        }
        let loads = self.loads();
        if let [load] = loads.as_slice() {
            let rows = self.rows();
            let values: Vec<Value> = rows.iter().map(|row| row.value).collect();
            let label = format!("{}, at {load}% load", self.label);
            let x = Axis::around_most(&label, Scale::Log, false, &values);
            return Some((row_chart(&self.title, &x, &rows), row_chart_height(rows.len())));
        }
        let ends = (loads.first().copied().unwrap_or(0.0), loads.last().copied().unwrap_or(1.0));
        let values = points().flat_map(|(_, value)| [value.mean, value.low, value.high]);
        let y = Axis::around(&self.label, Scale::Log, false, values);
        Some((
            line_chart(&self.title, &Axis::between(LOAD, ends.0, ends.1), &y, &self.series),
            LINE_CHART_HEIGHT,
        ))
    }

    fn rows(&self) -> Vec<Row> {
        let of = |one: &Series| {
            let (_, value) = one.points.iter().find(|(_, value)| value.mean.is_finite())?;
            Some(Row { style: one.style.clone(), value: *value })
        };
        self.series.iter().filter_map(of).collect()
    }
}

/// The panels with their legend; those without any number are left out.
fn draw(all: &[Panel], styles: &[Style]) -> Result<String, EvaluationError> {
    let charts: Vec<(Element, f64)> = all.iter().filter_map(Panel::chart).collect();
    if charts.is_empty() {
        let message = "no figure of these results is a number, so there is nothing to draw".to_owned();
        return Err(EvaluationError::Picture(message));
    }
    // Rows are named already where there is one load only.
    let legend = if all.iter().all(|panel| panel.loads().len() == 1) { &[] } else { styles };
    Ok(panels(charts, legend))
}
