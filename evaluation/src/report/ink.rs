//! Colours of drawings as attributes of their elements. Style sheets override such attributes, so a page has its own
//! colours, light and dark; a program that knows no style sheets, or no variables in them, draws these.

use crate::report::chart::Style;

/// Colours of schedulers; the page names them `--c0` and so on.
const SERIES: [&str; 7] = ["#0072b2", "#d1500a", "#00875f", "#b0478f", "#94700a", "#2b9bd8", "#5a5f66"];
/// Colours that schedulers take in turn.
pub(crate) const COLOURS: usize = SERIES.len();
/// Colour of what is no scheduler's own: notes, and references.
const SOFT: &str = "#5b6570";

/// Fonts, for the outermost element.
pub(crate) const ROOT: &str =
    r##"fill="#1b1f24" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="11""##;
/// The paper behind everything.
pub(crate) const PAPER: &str = r##"class="paper" fill="#ffffff""##;
/// The title of a chart.
pub(crate) const TITLE: &str = r#"class="t" font-size="12.5" font-weight="600""#;
/// What stands to the left of an axis or a row.
pub(crate) const TICK_END: &str = r##"class="k e" fill="#5b6570" font-size="10.5" text-anchor="end""##;
/// What stands below an axis.
pub(crate) const TICK_MIDDLE: &str = r##"class="k m" fill="#5b6570" font-size="10.5" text-anchor="middle""##;
/// What stands to the right of a key.
pub(crate) const TICK: &str = r##"class="k" fill="#5b6570" font-size="10.5""##;
/// The name of a row.
pub(crate) const ROW: &str = r#"class="e" text-anchor="end""#;
/// The same, strong.
pub(crate) const STRONG_ROW: &str = r#"class="e strong" text-anchor="end" font-weight="700""#;
/// A name of the legend that is strong.
pub(crate) const STRONG: &str = r#"class="strong" font-weight="700""#;
/// What an axis shows.
pub(crate) const AXIS_LABEL: &str = r##"class="n m" fill="#5b6570" text-anchor="middle""##;
/// A line of the grid.
pub(crate) const GRID: &str = r##"class="g" fill="none" stroke="#e7eaee""##;
/// Both axes.
pub(crate) const AXES: &str = r##"class="a" fill="none" stroke="#d5dae0""##;
/// The frame around a key.
pub(crate) const FRAME: &str = r##"class="o" fill="none" stroke="#d5dae0""##;
/// The area of a queue.
pub(crate) const QUEUE: &str =
    r##"class="q" fill="#0072b2" fill-opacity="0.25" stroke="#0072b2" stroke-width="1.2""##;
/// Heat.
pub(crate) const HEAT: &str = r##"class="h" fill="#0072b2""##;
/// Heat above what there is.
pub(crate) const OVER: &str = r##"class="over" fill="#e07a1f""##;
/// An idle container.
pub(crate) const IDLE: &str = r##"class="idle" fill="#c9d1d9""##;
/// A running container.
pub(crate) const RUN: &str = r##"class="run" fill="#2f86c7""##;
/// A starting container.
pub(crate) const START: &str = r##"class="start" fill="#e07a1f""##;

/// Which dashes a scheduler's line has, of three.
pub(crate) fn dash(style: &Style) -> usize {
    if style.reference { 1 + style.number % 2 } else { style.number / COLOURS % 3 }
}

fn colour(style: &Style) -> &'static str {
    if style.reference { SOFT } else { SERIES[style.number % COLOURS] }
}

/// A scheduler's line.
pub(crate) fn line(style: &Style) -> String {
    let width = if style.learnt { 3.2 } else { 1.7 };
    let dashes = ["", r#" stroke-dasharray="6 3""#, r#" stroke-dasharray="2 2.5""#][dash(style)];
    format!(
        r#"class="l" fill="none" stroke="{}" stroke-width="{width}" stroke-linejoin="round"{dashes}"#,
        colour(style)
    )
}

/// An interval of a scheduler.
pub(crate) fn interval(style: &Style) -> String {
    let width = if style.learnt { 2.0 } else { 1.3 };
    format!(r#"class="i" fill="none" stroke="{}" stroke-width="{width}" opacity="0.7""#, colour(style))
}

/// A mark of a scheduler.
pub(crate) fn mark(style: &Style) -> String {
    format!(r##"class="m" fill="{}" stroke="#f6f7f9" stroke-width="0.8""##, colour(style))
}

#[cfg(test)]
pub(crate) mod tests {
    use roxmltree::{Document, Node};

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
        let light = include_str!("drawing.css").split('}').next().expect("there is a first rule");
        for (number, colour) in super::SERIES.iter().enumerate() {
            assert!(light.contains(&format!("--c{number}: {colour};")), "{colour}");
        }
        let variables = [
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
            let colour = attributes.split('"').find(|part| part.starts_with('#')).expect("it has a colour");
            assert!(light.contains(&format!("--{variable}: {colour};")), "{variable}");
        }
    }
}
