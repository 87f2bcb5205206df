//! The area of a chart between its axes.

use crate::axis::Axis;
use crate::element::Element;
use crate::ink::{AXES, AXIS_LABEL, GRID, ROOT, TICK_END, TICK_MIDDLE, TITLE};
use crate::path::Path;

/// Marks at the edge of the area are drawn whole: half of one has so much room, pixels.
const MARGIN: f64 = 5.0;

/// The area of a chart, by its edges in pixels from the top left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plot {
    /// Of the whole drawing.
    pub width: f64,
    /// Of the whole drawing.
    pub height: f64,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Plot {
    /// The drawing, with its title above the area at `x`.
    pub fn open(&self, title: &str, x: f64) -> Element {
        Element::new("svg")
            .with("viewBox", format!("0 0 {} {}", self.width, self.height.round()))
            .with("role", "img")
            .with("xmlns", "http://www.w3.org/2000/svg")
            .ink(ROOT)
            .child(Element::new("title").text(title))
            .child(Element::new("text").ink(TITLE).at(x, 17.0).text(title))
    }

    /// Where a value lies; what is beyond the axis lies beyond the area.
    pub fn across(&self, x: &Axis, value: f64) -> f64 {
        self.left + x.place_beyond(value) * (self.right - self.left)
    }

    /// The same for an upright axis.
    pub fn up(&self, y: &Axis, value: f64) -> f64 {
        self.bottom - y.place_beyond(value) * (self.bottom - self.top)
    }

    /// Lines of the grid across the area, with their values; about `count` of them.
    pub fn level_grid(&self, svg: &mut Element, y: &Axis, count: u32) {
        for (value, text) in y.ticks(count) {
            let row = self.up(y, value);
            svg.push(grid_line(&Path::from(self.left, row).level(self.right)));
            svg.push(Element::new("text").ink(TICK_END).at(self.left - 6.0, row + 3.5).text(&text));
        }
    }

    /// Upright lines of the grid, with their values.
    pub fn upright_grid(&self, svg: &mut Element, x: &Axis, count: u32) {
        for (value, text) in x.ticks(count) {
            let column = self.across(x, value);
            svg.push(grid_line(&Path::from(column, self.top).upright(self.bottom)));
            svg.push(Element::new("text").ink(TICK_MIDDLE).at(column, self.bottom + 15.0).text(&text));
        }
    }

    /// Both axes, and what the level one shows around `middle`.
    pub fn axes(&self, svg: &mut Element, label: &str, middle: f64) {
        let corner = Path::from(self.left, self.top).upright(self.bottom).level(self.right);
        svg.push(Element::new("path").ink(AXES).with("d", corner));
        svg.push(Element::new("text").ink(AXIS_LABEL).at(middle, self.height - 10.0).text(label));
    }

    /// What the upright axis shows.
    pub fn upright_label(&self, svg: &mut Element, label: &str) {
        let turned = format!("translate(13 {:.1})rotate(-90)", (self.top + self.bottom) / 2.0);
        svg.push(Element::new("text").ink(AXIS_LABEL).with("transform", turned).text(label));
    }

    /// The part within the axes, with room for half a mark around it: what is beyond is cut off.
    pub fn field(&self) -> Element {
        let (left, top) = (self.left - MARGIN, self.top - MARGIN);
        let width = self.right - self.left + 2.0 * MARGIN;
        let height = self.bottom - self.top + 2.0 * MARGIN;
        let shown = format!("{left} {top} {width} {height}");
        Element::new("svg").at(left, top).sized(width, height).with("viewBox", shown)
    }
}

/// A line of the grid.
pub(crate) fn grid_line(path: &Path) -> Element {
    Element::new("path").ink(GRID).with("d", path.clone())
}
