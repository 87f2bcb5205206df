//! Colours of drawings as attributes of their elements. Style sheets override such attributes, so a page has its own
//! colours, light and dark; a program that knows no style sheets, or no variables in them, draws these.

/// Colours and fonts of all drawings, for a page that holds some.
pub const STYLE_SHEET: &str = include_str!("drawing.css");

/// Attributes of an element with their values.
pub(crate) type Ink = &'static [(&'static str, &'static str)];

/// Colours of series; the page names them `--c0` and so on.
pub(crate) const SERIES: [&str; 7] =
    ["#0072b2", "#d1500a", "#00875f", "#b0478f", "#94700a", "#2b9bd8", "#5a5f66"];
/// Colours that series take in turn.
pub(crate) const COLOURS: usize = SERIES.len();
/// Colour of what is no series' own: notes, and soft series.
pub(crate) const SOFT: &str = "#5b6570";
/// Lines that separate.
const LINE: &str = "#d5dae0";

/// Fonts, for the outermost element.
pub(crate) const ROOT: Ink = &[
    ("fill", "#1b1f24"),
    ("font-family", "system-ui, \"Segoe UI\", \"DejaVu Sans\", sans-serif"),
    ("font-size", "11"),
];
/// The paper behind everything.
pub(crate) const PAPER: Ink = &[("class", "paper"), ("fill", "#ffffff")];
/// The title of a chart.
pub(crate) const TITLE: Ink = &[("class", "t"), ("font-size", "12.5"), ("font-weight", "600")];
/// What stands to the left of an axis or a row.
pub(crate) const TICK_END: Ink =
    &[("class", "k e"), ("fill", SOFT), ("font-size", "10.5"), ("text-anchor", "end")];
/// What stands below an axis.
pub(crate) const TICK_MIDDLE: Ink =
    &[("class", "k m"), ("fill", SOFT), ("font-size", "10.5"), ("text-anchor", "middle")];
/// What stands to the right of a key.
pub(crate) const TICK: Ink = &[("class", "k"), ("fill", SOFT), ("font-size", "10.5")];
/// The name of a row.
pub(crate) const ROW: Ink = &[("class", "e"), ("text-anchor", "end")];
/// The same, strong.
pub(crate) const STRONG_ROW: Ink = &[("class", "e strong"), ("text-anchor", "end"), ("font-weight", "700")];
/// A name of the legend that is strong.
pub(crate) const STRONG: Ink = &[("class", "strong"), ("font-weight", "700")];
/// What an axis shows.
pub(crate) const AXIS_LABEL: Ink = &[("class", "n m"), ("fill", SOFT), ("text-anchor", "middle")];
/// A line of the grid.
pub(crate) const GRID: Ink = &[("class", "g"), ("fill", "none"), ("stroke", "#e7eaee")];
/// The lines of both axes.
pub(crate) const AXES: Ink = &[("class", "a"), ("fill", "none"), ("stroke", LINE)];
/// The frame around a key.
pub(crate) const FRAME: Ink = &[("class", "o"), ("fill", "none"), ("stroke", LINE)];
/// The area of a queue.
pub(crate) const QUEUE: Ink = &[
    ("class", "q"),
    ("fill", "#0072b2"),
    ("fill-opacity", "0.25"),
    ("stroke", "#0072b2"),
    ("stroke-width", "1.2"),
];
/// A cell of a heat map, up to 100%.
pub(crate) const HEAT: Ink = &[("class", "h"), ("fill", "#0072b2")];
/// Heat above what there is.
pub(crate) const OVER: Ink = &[("class", "over"), ("fill", "#e07a1f")];
/// An idle container.
pub(crate) const IDLE: Ink = &[("class", "idle"), ("fill", "#c9d1d9")];
/// A running container.
pub(crate) const RUN: Ink = &[("class", "run"), ("fill", "#2f86c7")];
/// A starting container.
pub(crate) const START: Ink = &[("class", "start"), ("fill", "#e07a1f")];

#[cfg(test)]
pub(crate) mod tests {
    use roxmltree::{Document, Node};

    use crate::{
        Axis, Bar, BarKind, Element, Row, Scale, Series, Spot, Style, Value, area_chart, bar_chart, heat_map,
        line_chart, panels, row_chart, scatter,
    };

    /// Elements that leave ink.
    const DRAWN: [&str; 8] = ["path", "rect", "circle", "line", "polyline", "polygon", "ellipse", "text"];

    /// Panics at an element that would be drawn black where variables of style sheets are not known.
    pub(crate) fn assert_has_ink(svg: &str) {
        let document = Document::parse(svg).expect("it is XML");
        let drawn = |node: &Node<'_, '_>| DRAWN.contains(&node.tag_name().name());
        assert!(document.descendants().any(|node| drawn(&node)), "nothing is drawn in {svg}");
        for node in document.descendants().filter(drawn) {
            let ink = |name: &str| node.ancestors().find_map(|one| one.attribute(name));
            let concrete = |value: &str| value == "none" || value.starts_with('#');
            let (fill, stroke) = (ink("fill"), ink("stroke"));
            let place = &svg[node.range()];
            // A line has no inside.
            let inside = node.tag_name().name() != "line";
            assert!(!inside || fill.is_some_and(concrete), "no colour of its own: {place}");
            assert!(stroke.is_none_or(concrete), "a stroke without a colour of its own: {place}");
            assert!(fill != Some("none") || stroke.is_some_and(|one| one != "none"), "invisible: {place}");
        }
    }

    /// A chart of each kind, over these figures.
    fn charts(figures: [f64; 3]) -> Vec<Element> {
        let style = |number: usize| Style {
            strong: number == 1,
            soft: number == 2,
            hidden: number == 3,
            ..Style::new(number, "<a> & \"b\"".to_owned())
        };
        let axis = Axis::around("time <s>", Scale::Linear, false, figures.into_iter());
        let value = |place: usize| Value { mean: figures[place % 3], low: f64::NAN, high: figures[0] };
        let series = |number| {
            let points = (0..3).map(|place| (place as f64, value(place))).collect();
            Series { style: style(number), points, marked: number % 2 == 0 }
        };
        let spot = |number| Spot { style: style(number), x: value(number), y: value(number + 1) };
        let row = |number| Row { style: style(number), value: value(number) };
        let kinds = [BarKind::Idle, BarKind::Running, BarKind::Starting];
        let bars = kinds.map(|kind| Bar { group: 1, lane: 0, kind, from: figures[0], to: figures[1] });
        vec![
            line_chart("lines", &axis, &axis, &(0..9).map(series).collect::<Vec<_>>()),
            scatter("points", &axis, &axis, &(0..9).map(spot).collect::<Vec<_>>()),
            row_chart("rows", &axis, &(0..9).map(row).collect::<Vec<_>>()),
            area_chart("area", &axis, "waiting", &figures, 1.0),
            heat_map("heat", &axis, "node", &[figures.to_vec()]),
            bar_chart("bars", &axis, "node", &bars),
        ]
    }

    #[test]
    fn every_kind_of_chart_has_ink_whatever_its_figures() {
        for figures in [[0.1, 0.5, 2.0], [f64::NAN; 3], [0.0, -1.0, f64::INFINITY], [f64::MAX, 1e-320, 1.0]] {
            for chart in charts(figures) {
                let svg = chart.to_string();
                assert_has_ink(&svg);
                assert!(!svg.contains("inf "), "{figures:?}: {svg}");
                let legend = [Style::new(0, "a".to_owned())];
                assert_has_ink(&panels(vec![(chart, 300.0)], &legend));
            }
        }
    }

    #[test]
    fn the_pictures_of_the_documentation_have_ink() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
        for entry in std::fs::read_dir(folder).expect("there are pictures") {
            let path = entry.expect("it can be read").path();
            if path.extension().is_some_and(|ending| ending == "svg") {
                assert_has_ink(&std::fs::read_to_string(path).expect("it is text"));
            }
        }
    }

    #[test]
    fn colours_are_those_of_the_style_sheet_in_the_light() {
        let light = super::STYLE_SHEET.split('}').next().expect("there is a first rule");
        for (number, colour) in super::SERIES.iter().enumerate() {
            assert!(light.contains(&format!("--c{number}: {colour};")), "{colour}");
        }
        let variables: [(super::Ink, &str); 11] = [
            (super::ROOT, "ink"),
            (super::PAPER, "paper"),
            (super::TICK, "soft"),
            (super::GRID, "grid"),
            (super::AXES, "line"),
            (super::FRAME, "line"),
            (super::HEAT, "heat"),
            (super::IDLE, "idle"),
            (super::RUN, "run"),
            (super::START, "start"),
            (super::OVER, "start"),
        ];
        for (attributes, variable) in variables {
            let values = attributes.iter().map(|(_, value)| *value);
            let colour = values.into_iter().find(|value| value.starts_with('#')).expect("it has a colour");
            assert!(light.contains(&format!("--{variable}: {colour};")), "{variable}");
        }
    }
}
