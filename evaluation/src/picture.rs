//! SVG pictures of results.

use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::error::EvaluationError;
use crate::results::in_order_of_appearance;
use crate::serverless::ServerlessRecord;
use crate::slots::SlotsPoint;
use crate::statistics::Interval;

const WIDTH: u32 = 1120;
const HEIGHT: u32 = 560;
const FONT: &str = "sans-serif";

/// Colours that differ in lightness as well, so that they are told apart by everybody.
const COLOURS: [RGBColor; 10] = [
    RGBColor(0, 0, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
    RGBColor(148, 84, 40),
    RGBColor(178, 171, 0),
];

/// Mean slowdown against load, a panel for each episode length, with a bar of one standard error up and down.
///
/// # Errors
/// When nothing is there to be drawn, or the drawing library fails.
pub fn slots_picture(points: &[SlotsPoint]) -> Result<String, EvaluationError> {
    let lengths = in_order_of_appearance(points.iter().map(|point| point.steps));
    let schedulers = in_order_of_appearance(points.iter().map(|point| point.scheduler.clone()));
    draw(lengths.len(), |panels| {
        for (steps, panel) in lengths.iter().zip(panels) {
            let here: Vec<&SlotsPoint> = points.iter().filter(|point| point.steps == *steps).collect();
            slots_panel(panel, *steps, &here, &schedulers)?;
        }
        Ok(())
    })
}

/// Primary slowdown and guard, a panel each, with 95% intervals: against load, or scheduler by scheduler where there is one
/// load only.
///
/// # Errors
/// When nothing is there to be drawn, or the drawing library fails.
pub fn serverless_picture(records: &[ServerlessRecord]) -> Result<String, EvaluationError> {
    let panels = [
        ("slowdown", "geometric mean over functions (primary)"),
        ("slowdown_mean", "mean over invocations (guard)"),
    ];
    let schedulers = in_order_of_appearance(records.iter().map(|record| record.scheduler.clone()));
    let loads = in_order_of_appearance(records.iter().map(|record| record.load.to_bits()));
    let workload = records.first().map(|record| record.workload.clone()).unwrap_or_default();
    let axis = match loads.as_slice() {
        [load] => Axis {
            label: format!("scheduler, at {}% load", f64::from_bits(*load)),
            names: schedulers.clone(),
        },
        _ => Axis::load(),
    };
    draw(panels.len(), |areas| {
        for ((metric, title), area) in panels.iter().zip(areas) {
            let series = series_of(records, &schedulers, metric, &axis);
            let title = format!("{workload}: {title}");
            panel(area, &title, &axis, "slowdown (×, log scale, 95% interval)", &series)?;
        }
        Ok(())
    })
}

/// A line: name and (place on the axis, value with interval).
type Series = (String, Vec<(f64, Interval)>);

/// What lies across: loads in percent, or names at 0, 1, 2 and so on.
struct Axis {
    label: String,
    names: Vec<String>,
}

impl Axis {
    fn load() -> Self {
        Axis { label: "offered load (% of capacity)".to_owned(), names: Vec::new() }
    }

    fn tick(&self, value: f64) -> String {
        if self.names.is_empty() {
            return format!("{value}");
        }
        let whole = value >= 0.0 && (value - value.round()).abs() < 1e-6;
        let name = whole.then(|| self.names.get(value.round() as usize)).flatten();
        name.cloned().unwrap_or_default()
    }
}

fn series_of(records: &[ServerlessRecord], schedulers: &[String], metric: &str, axis: &Axis) -> Vec<Series> {
    // Side by side, so that intervals at one load do not cover each other.
    let shift = |place: usize| 0.4 * (place as f64 - (schedulers.len() as f64 - 1.0) / 2.0);
    let across = |record: &ServerlessRecord, place: usize| {
        if axis.names.is_empty() { record.load + shift(place) } else { place as f64 }
    };
    let line = |(place, name): (usize, &String)| {
        let points = records
            .iter()
            .filter(|record| record.scheduler == *name)
            .map(|record| (across(record, place), record.metrics[metric]))
            .collect();
        (name.clone(), points)
    };
    schedulers.iter().enumerate().map(line).collect()
}

type PanelError = Box<dyn std::error::Error>;

fn slots_panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    steps: u32,
    points: &[&SlotsPoint],
    schedulers: &[String],
) -> Result<(), PanelError> {
    let series: Vec<Series> = schedulers
        .iter()
        .map(|name| {
            let mine = points.iter().filter(|point| point.scheduler == *name);
            let with_bar = |point: &&SlotsPoint| {
                let (mean, error) = (point.slowdown, point.slowdown_stderr);
                (point.load, Interval { mean, low: mean - error, high: mean + error })
            };
            (name.clone(), mine.map(with_bar).collect())
        })
        .collect();
    let dropped = points.iter().map(|point| point.dropped_share).fold(0.0, f64::max);
    let episodes = points.iter().map(|point| point.episodes).max().unwrap_or(0);
    let dropped = if dropped > 0.0 {
        format!("at most {:.1}% dropped", 100.0 * dropped)
    } else {
        "nothing dropped".to_owned()
    };
    let title = format!("{steps} steps, {episodes} episodes a point, {dropped}");
    panel(area, &title, &Axis::load(), "mean slowdown (×, log scale, ± standard error)", &series)
}

fn draw(
    panels: usize,
    paint: impl FnOnce(&[DrawingArea<SVGBackend<'_>, Shift>]) -> Result<(), PanelError>,
) -> Result<String, EvaluationError> {
    let mut svg = String::new();
    {
        let fail = |error: PanelError| EvaluationError::Picture(error.to_string());
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE).map_err(|error| fail(error.into()))?;
        paint(&root.split_evenly((1, panels.max(1)))).map_err(fail)?;
        root.present().map_err(|error| fail(error.into()))?;
    }
    Ok(svg)
}

/// Everything of a panel but its lines.
struct Frame {
    across: std::ops::Range<f64>,
    up: std::ops::Range<f64>,
}

impl Frame {
    /// Holds all points, and starts at 1 where nothing lies below.
    fn around(series: &[Series], axis: &Axis) -> Result<Self, PanelError> {
        let points: Vec<&(f64, Interval)> =
            series.iter().flat_map(|(_, points)| points).filter(|(_, value)| value.mean > 0.0).collect();
        if points.is_empty() {
            return Err("there are no points to draw".into());
        }
        let lowest = points.iter().map(|(place, _)| *place).fold(f64::INFINITY, f64::min);
        let highest = points.iter().map(|(place, _)| *place).fold(0.0, f64::max);
        let bottom = points.iter().map(|(_, value)| value.low.max(value.mean / 10.0)).fold(1.0, f64::min);
        let top = points.iter().map(|(_, value)| value.high).fold(1.0, f64::max);
        let margin = if axis.names.is_empty() { ((highest - lowest) * 0.04).max(3.0) } else { 0.6 };
        Ok(Frame { across: lowest - margin..highest + margin, up: bottom..top * 1.3 })
    }
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, LogCoord<f64>>>;

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    axis: &Axis,
    value_label: &str,
    series: &[Series],
) -> Result<(), PanelError> {
    let frame = Frame::around(series, axis)?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 17))
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(58)
        .build_cartesian_2d(frame.across, frame.up.log_scale())?;
    chart
        .configure_mesh()
        .x_desc(&axis.label)
        .x_label_formatter(&|value| axis.tick(*value))
        .disable_x_mesh()
        .y_desc(value_label)
        .axis_desc_style((FONT, 15))
        .label_style((FONT, 13))
        .y_max_light_lines(0)
        .y_label_formatter(&|value| {
            format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
        })
        .draw()?;
    for (place, (name, points)) in series.iter().enumerate() {
        line(&mut chart, COLOURS[place % COLOURS.len()], name, points)?;
    }
    if axis.names.is_empty() {
        legend(&mut chart)?;
    }
    Ok(())
}

/// A line through the values, with a mark and a bar at each.
fn line(
    chart: &mut Chart<'_, '_>,
    colour: RGBColor,
    name: &str,
    points: &[(f64, Interval)],
) -> Result<(), PanelError> {
    let style = colour.stroke_width(2);
    chart
        .draw_series(LineSeries::new(points.iter().map(|(place, value)| (*place, value.mean)), style))?
        .label(name)
        .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
    let mark = |(place, value): &(f64, Interval)| Circle::new((*place, value.mean), 3, colour.filled());
    chart.draw_series(points.iter().map(mark))?;
    let bar = |(place, value): &(f64, Interval)| {
        PathElement::new(vec![(*place, value.low), (*place, value.high)], style)
    };
    chart.draw_series(points.iter().map(bar))?;
    Ok(())
}

fn legend<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>) -> Result<(), PanelError> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font((FONT, 13))
        .draw()?;
    Ok(())
}
