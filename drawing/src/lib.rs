//! Charts as SVG: lines, rows, points, heat maps and time courses of plain numbers, with one way to write an element.
//!
//! Every chart is an [`Element`], of which a page takes the text and [`panels`] makes one picture. Lengths are in pixels of the
//! drawing. Marks carry their colours themselves; [`STYLE_SHEET`] overrides them, light and dark.

// What is shown can come from files of anybody: it is cut by letters, as an offset within one is a panic.
#![cfg_attr(not(test), deny(clippy::string_slice))]

mod axis;
mod bars;
mod course;
mod element;
mod heat;
mod ink;
mod lines;
mod page;
mod panels;
mod parallel;
mod path;
mod plot;
mod rows;
mod scaling;
mod scatter;
mod style;
mod value;

pub use axis::{Axis, Scale, plain};
pub use bars::{Bar, BarKind, bar_chart};
pub use course::area_chart;
pub use element::{Element, escape};
pub use heat::heat_map;
pub use ink::STYLE_SHEET;
pub use lines::{LINE_CHART_HEIGHT, Series, line_chart};
pub use page::html_page;
pub use panels::panels;
pub use parallel::{ParallelLine, parallel_coordinates};
pub use rows::{Row, row_chart, row_chart_height};
pub use scaling::{ScalingLine, ScalingPanel, scaling_picture};
pub use scatter::{Spot, scatter};
pub use style::Style;
pub use value::Value;
