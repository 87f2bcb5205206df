//! A trace at a glance, as one SVG: invocations a minute, distributions of durations and memory, and how much of it belongs to
//! the largest functions.

use drawing::{Axis, Element, LINE_CHART_HEIGHT, Scale, Series, Style, Value, line_chart, panels};
use workloads::trace::{Quantiles, TraceSummary};

use crate::error::EvaluationError;

/// Points of a line at most; more minutes are drawn as averages of several.
const POINTS: usize = 240;
/// Durations below are drawn there, seconds: a logarithmic axis has no zero.
const SHORTEST: f64 = 0.001;

/// Draws what the summary has: a panel for each file that was read.
///
/// # Errors
/// When it has nothing.
pub fn trace_picture(summary: &TraceSummary) -> Result<String, EvaluationError> {
    let mut charts = Vec::new();
    if let Some(minutes) = summary.minutes.filter(|_| summary.invocations.is_some()) {
        charts.push(rate_panel(minutes, &summary.by_minute));
    }
    if let Some(durations) = &summary.duration_seconds {
        let of = if summary.invocations.is_some() { "invocations" } else { "functions" };
        charts.push(distribution_panel(durations, "Durations", "duration (s, log)", of, SHORTEST));
    }
    if let Some(memory) = &summary.memory_mb {
        charts.push(distribution_panel(
            memory,
            "Memory",
            "average memory (MB, log)",
            "rows of the file",
            1.0,
        ));
    }
    if !summary.largest.is_empty() {
        charts.push(shares_panel(summary));
    }
    if charts.is_empty() {
        return Err(EvaluationError::Picture("the trace holds nothing to draw".to_owned()));
    }
    Ok(panels(charts.into_iter().map(|chart| (chart, LINE_CHART_HEIGHT)).collect(), &[]))
}

fn rate_panel([first, last]: [u32; 2], by_minute: &[u64]) -> Element {
    let together = by_minute.len().div_ceil(POINTS);
    let mean = |(place, counts): (usize, &[u64])| {
        let middle = f64::from(first) + (place * together) as f64 + (counts.len() as f64 - 1.0) / 2.0;
        (middle, counts.iter().sum::<u64>() as f64 / counts.len() as f64)
    };
    let points: Vec<(f64, f64)> = by_minute.chunks(together.max(1)).enumerate().map(mean).collect();
    let label = if together > 1 {
        format!("invocations a minute (means of {together})")
    } else {
        "invocations a minute".to_owned()
    };
    let y = Axis::around(&label, Scale::Linear, false, points.iter().map(|point| point.1));
    let x = Axis::between("minute", f64::from(first), f64::from(last));
    line_chart("Invocations over time", &x, &y, &[line(0, &points)])
}

/// The fraction of values that do not exceed each value.
fn distribution_panel(values: &Quantiles, title: &str, label: &str, of: &str, least: f64) -> Element {
    let share = |place: usize| place as f64 / (values.curve.len() - 1) as f64;
    let points: Vec<(f64, f64)> =
        values.curve.iter().enumerate().map(|(place, value)| (value.max(least), share(place))).collect();
    let x = Axis::around(label, Scale::Log, false, points.iter().map(|point| point.0));
    let y = Axis::around(&format!("share of {of}"), Scale::Linear, true, [1.0].into_iter());
    line_chart(title, &x, &y, &[line(1, &points)])
}

fn shares_panel(summary: &TraceSummary) -> Element {
    let mut sum = 0.0;
    let points: Vec<(f64, f64)> = summary
        .largest
        .iter()
        .enumerate()
        .map(|(place, one)| {
            sum += one.work_share.unwrap_or(one.invocation_share);
            ((place + 1) as f64, sum)
        })
        .collect();
    let work = summary.largest.iter().any(|one| one.work_share.is_some());
    let label = if work { "share of the running time" } else { "share of the invocations" };
    let x =
        Axis::around("largest functions (number, log)", Scale::Log, false, points.iter().map(|one| one.0));
    let y = Axis::around(label, Scale::Linear, true, [1.0].into_iter());
    line_chart("What the largest functions have", &x, &y, &[line(2, &points)])
}

fn line(number: usize, points: &[(f64, f64)]) -> Series {
    let exact = |&(x, value): &(f64, f64)| (x, Value::exact(value));
    Series {
        style: Style::new(number, String::new()),
        points: points.iter().map(exact).collect(),
        marked: false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use workloads::trace::TraceFileSet;

    use super::*;

    #[test]
    fn every_file_has_its_panel_and_the_picture_is_sound() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../simulator/data/azure2019");
        let paths = ["invocations.csv", "durations.csv", "memory.csv"].map(|name| data.join(name));
        for (files, panels) in [(3, 4), (1, 2)] {
            let some = TraceFileSet::recognise(paths[..files].iter().map(std::path::PathBuf::as_path));
            let summary = TraceSummary::read(some.expect("they are known"), false).expect("they are sound");
            let svg = trace_picture(&summary).expect("there is something to draw");
            let document = roxmltree::Document::parse(&svg).expect("it is XML");
            let charts = document.root_element().children().filter(|child| child.has_tag_name("svg"));
            assert_eq!(charts.count(), panels);
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
            crate::report::tests::assert_draws(&svg);
        }
        assert!(trace_picture(&TraceSummary::default()).is_err());
    }

    #[test]
    fn a_single_minute_is_seen() {
        let minute = TraceSummary {
            invocations: Some(0),
            minutes: Some([7, 7]),
            by_minute: vec![0],
            ..TraceSummary::default()
        };
        let svg = trace_picture(&minute).expect("there is a minute");
        assert!(svg.contains(r#"class="m""#) && !svg.contains("NaN"), "{svg}");
    }
}
