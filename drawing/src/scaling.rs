//! Cost against size as lines over two logarithmic axes, panel by panel.

use crate::axis::{Axis, Scale};
use crate::element::Element;
use crate::lines::{LINE_CHART_HEIGHT, Series, line_chart};
use crate::panels::panels;
use crate::style::Style;
use crate::value::Value;

/// One chart of cost against size.
#[derive(Clone, Debug)]
pub struct ScalingPanel {
    /// What it shows.
    pub title: String,
    /// What sizes are, with their unit.
    pub x: String,
    /// What costs are, with their unit.
    pub y: String,
    /// Its lines; a panel without any is left out.
    pub lines: Vec<ScalingLine>,
}

/// The cost of one contender.
#[derive(Clone, Debug)]
pub struct ScalingLine {
    /// Its name; the same name has the same colour in all panels.
    pub name: String,
    /// Whether it is drawn strong.
    pub ours: bool,
    /// (size, cost), all positive.
    pub points: Vec<(f64, f64)>,
}

/// Draws the panels with one legend; `None` where no panel has a line.
#[must_use]
pub fn scaling_picture(all: &[ScalingPanel]) -> Option<String> {
    let drawn: Vec<ScalingPanel> = all.iter().map(drawable).filter(|panel| !panel.lines.is_empty()).collect();
    let styles = styles(&drawn);
    let charts: Vec<(Element, f64)> =
        drawn.iter().map(|panel| (chart(panel, &styles), LINE_CHART_HEIGHT)).collect();
    (!charts.is_empty()).then(|| panels(charts, &styles))
}

/// The panel without what logarithmic axes have no place for.
fn drawable(panel: &ScalingPanel) -> ScalingPanel {
    let sound = |value: f64| value.is_finite() && value > 0.0;
    let mut panel = panel.clone();
    for line in &mut panel.lines {
        line.points.retain(|(size, cost)| sound(*size) && sound(*cost));
    }
    panel.lines.retain(|line| !line.points.is_empty());
    panel
}

fn styles(panels: &[ScalingPanel]) -> Vec<Style> {
    let mut styles: Vec<Style> = Vec::new();
    for line in panels.iter().flat_map(|panel| &panel.lines) {
        if styles.iter().all(|style| style.name != line.name) {
            styles.push(Style { strong: line.ours, ..Style::new(styles.len(), line.name.clone()) });
        }
    }
    styles
}

fn chart(panel: &ScalingPanel, styles: &[Style]) -> Element {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let x = Axis::around(&panel.x, Scale::Log, false, points().map(|(size, _)| *size));
    let y = Axis::around(&panel.y, Scale::Log, false, points().map(|(_, cost)| *cost));
    let exact = |(size, cost): &(f64, f64)| (*size, Value::exact(*cost));
    let series = |line: &ScalingLine| {
        let style = styles.iter().find(|style| style.name == line.name)?.clone();
        Some(Series { style, points: line.points.iter().map(exact).collect(), marked: true })
    };
    line_chart(&panel.title, &x, &y, &panel.lines.iter().filter_map(series).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(names: &[&str]) -> ScalingPanel {
        let line = |name: &&str| ScalingLine {
            name: (*name).to_owned(),
            ours: *name == "ours",
            points: vec![(1e3, 0.001), (1e6, 1.0)],
        };
        ScalingPanel {
            title: "Epoch".to_owned(),
            x: "edges".to_owned(),
            y: "seconds".to_owned(),
            lines: names.iter().map(line).collect(),
        }
    }

    #[test]
    fn every_line_is_drawn_and_named_once() {
        let svg = scaling_picture(&[panel(&["ours", "theirs"]), panel(&["theirs"]), panel(&[])])
            .expect("there are lines");
        let document = roxmltree::Document::parse(&svg).expect("it is XML");
        let lines = |class| {
            document
                .descendants()
                .filter(|node| node.attribute("class").is_some_and(|all| all.contains(class)))
                .count()
        };
        // Two charts and the legend.
        assert_eq!(lines("c0 "), 1 + 1);
        assert_eq!(lines("c1 "), 2 + 1);
        assert!(!svg.contains("NaN"));
        crate::ink::tests::assert_has_ink(&svg);
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(scaling_picture(&[panel(&[])]).is_none());
        let mut wrong = panel(&["ours"]);
        wrong.lines[0].points = vec![(f64::NAN, 1.0), (1.0, f64::INFINITY), (0.0, 1.0), (1.0, -1.0)];
        assert!(scaling_picture(&[wrong.clone()]).is_none());
        wrong.lines[0].points.push((2.0, 3.0));
        let svg = scaling_picture(&[wrong]).expect("one point is drawn");
        assert!(svg.contains("<circle") && !svg.contains("NaN") && !svg.contains("inf"), "one point is seen");
    }
}
