//! Fractions of many rows over time, as shades of a colour.

use std::collections::BTreeMap;

use crate::axis::Axis;
use crate::course::{wide_frame, wide_plot_around};
use crate::element::Element;
use crate::ink::{FRAME, HEAT, OVER, TICK, TICK_END};
use crate::path::Path;
use crate::plot::Plot;

/// Columns and rows of a heat map at most.
const COLUMNS: usize = 160;
const ROWS: usize = 32;
/// Rows with a name at most.
const NAMED: usize = 12;
/// Shades of a colour.
const SHADES: usize = 20;
/// Fractions that the darkest shade may stand for; the least that holds all values is taken.
const TOPS: [f64; 4] = [0.1, 0.2, 0.5, 1.0];
/// Where all but a twentieth of the fractions are above this part of the top, the scale begins with them.
const CROWDED: f64 = 0.6;
/// Sums of fractions may miss 100% by so much.
const ROUNDING: f64 = 0.005;
/// Opacity of the least value above 100%.
const LEAST_OVER: f64 = 0.3;
/// Width of a box of the key, pixels.
const BOX: f64 = 18.0;

/// `fractions` row by row over time, 1.0 is 100%; rows are named `name` with their number. Neighbours are merged where there are too
/// many to be told apart.
#[must_use]
pub fn heat_map(title: &str, time: &Axis, name: &str, fractions: &[Vec<f64>]) -> Element {
    let rows: Vec<Vec<f64>> = merged(fractions, ROWS, column_means)
        .iter()
        .map(|row| merged(row, COLUMNS, |group| group.iter().sum::<f64>() / group.len() as f64))
        .collect();
    let scale = HeatScale::of(rows.iter().flatten().copied());
    let row_height = (220.0 / rows.len().max(1) as f64).clamp(7.0, 26.0);
    let plot = wide_plot_around(rows.len() as f64 * row_height);
    let mut svg = wide_frame(&plot, title, time);
    for (shade, path) in shaded(&plot, &rows, row_height, scale) {
        svg.push(shade.ink(Element::new("path")).with("d", path));
    }
    let together = fractions.len().div_ceil(rows.len().max(1));
    for row in (0..rows.len()).step_by(rows.len().div_ceil(NAMED).max(1)) {
        let y = plot.top + (row as f64 + 0.5) * row_height + 3.0;
        let text = Element::new("text").ink(TICK_END).at(plot.left - 6.0, y);
        svg.push(text.text(&format!("{name} {}", row * together)));
    }
    scale.add_key(&plot, &mut svg);
    svg
}

/// A path for each shade. What looks the same is one rectangle, without seams.
fn shaded(plot: &Plot, rows: &[Vec<f64>], row_height: f64, scale: HeatScale) -> BTreeMap<Shade, Path> {
    let mut paths: BTreeMap<Shade, Path> = BTreeMap::new();
    for (row, values) in rows.iter().enumerate() {
        let width = (plot.right - plot.left) / values.len().max(1) as f64;
        let y = plot.top + row as f64 * row_height;
        let mut column = 0;
        for run in values.chunk_by(|a, b| scale.shade(*a) == scale.shade(*b)) {
            let x = plot.left + column as f64 * width;
            column += run.len();
            let path = paths.entry(scale.shade(run[0])).or_default();
            *path = std::mem::take(path).go(x, y).rectangle(width * run.len() as f64, row_height - 1.0);
        }
    }
    paths
}

/// Which colours fractions have.
#[derive(Clone, Copy, Debug, PartialEq)]
struct HeatScale {
    /// Fraction of the lightest shade; what is below has it too.
    low: f64,
    /// Fraction of the darkest shade, 100% at most.
    top: f64,
    /// The greatest fraction above 100%, if any: those have a colour of their own.
    over: Option<f64>,
}

/// A colour of a heat map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shade {
    /// Up to 100%.
    Within(usize),
    /// Above 100%.
    Over(usize),
}

impl HeatScale {
    fn of(fractions: impl Iterator<Item = f64>) -> Self {
        let mut fractions: Vec<f64> = fractions.filter(|fraction| fraction.is_finite()).collect();
        fractions.sort_by(f64::total_cmp);
        let greatest = fractions.last().copied().unwrap_or(0.0);
        let top = TOPS.into_iter().find(|top| greatest <= top + ROUNDING).unwrap_or(1.0);
        // Where nearly all fractions are high one shade would fill the picture.
        let usual = fractions.get(fractions.len() / 20).copied().unwrap_or(0.0);
        let low = if usual >= CROWDED * top { (usual * 10.0).floor() / 10.0 } else { 0.0 };
        HeatScale {
            low: low.min(0.9 * top),
            top,
            over: Some(greatest).filter(|greatest| *greatest > 1.0 + ROUNDING),
        }
    }

    fn shade(&self, fraction: f64) -> Shade {
        let of = |part: f64| ((part * SHADES as f64).round() as usize).min(SHADES);
        match self.over {
            Some(greatest) if fraction > 1.0 + ROUNDING => {
                Shade::Over(of((fraction - 1.0) / (greatest - 1.0).max(f64::MIN_POSITIVE)))
            }
            _ => Shade::Within(of((fraction - self.low) / (self.top - self.low))),
        }
    }

    /// Adds the meaning of the shades, at the top right.
    fn add_key(&self, plot: &Plot, svg: &mut Element) {
        let room = if self.over.is_some() { 320.0 } else { 150.0 };
        let x = plot.right - room;
        let below = if self.low > 0.0 { "≤ " } else { "" };
        let low = format!("{below}{:.0}%", 100.0 * self.low);
        svg.push(Element::new("text").ink(TICK_END).at(x - 5.0, 17.0).text(&low));
        for step in 0..6_usize {
            svg.push(box_of(Shade::Within(step * SHADES / 5), x + step as f64 * BOX));
        }
        let right = x + 6.0 * BOX;
        svg.push(Element::new("rect").ink(FRAME).at(x, 8.0).sized(6.0 * BOX, 10.0));
        let top = format!("{:.0}%", 100.0 * self.top);
        svg.push(Element::new("text").ink(TICK).at(right + 5.0, 17.0).text(&top));
        if let Some(greatest) = self.over {
            svg.push(box_of(Shade::Over(SHADES / 2), right + 50.0));
            let words = format!("above 100%, up to {:.0}%", 100.0 * greatest);
            svg.push(Element::new("text").ink(TICK).at(right + 55.0 + BOX, 17.0).text(&words));
        }
    }
}

impl Shade {
    fn ink(self, element: Element) -> Element {
        let part = |shade: usize| shade as f64 / SHADES as f64;
        let (ink, opacity) = match self {
            Shade::Within(shade) => (HEAT, part(shade)),
            Shade::Over(shade) => (OVER, LEAST_OVER + (1.0 - LEAST_OVER) * part(shade)),
        };
        element.ink(ink).with("fill-opacity", opacity)
    }
}

fn box_of(shade: Shade, left: f64) -> Element {
    shade.ink(Element::new("rect")).at(left, 8.0).sized(BOX, 10.0)
}

/// Neighbours merged until at most `most` are left.
fn merged<T: Clone, U>(values: &[T], most: usize, mean: impl Fn(&[T]) -> U) -> Vec<U> {
    values.chunks(values.len().div_ceil(most).max(1)).map(mean).collect()
}

fn column_means(rows: &[Vec<f64>]) -> Vec<f64> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mean = |column: usize| rows.iter().filter_map(|row| row.get(column)).sum::<f64>() / rows.len() as f64;
    (0..columns).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_that_of_the_fractions_and_what_is_above_all_of_a_node_is_told_apart() {
        let scale = |fractions: &[f64]| HeatScale::of(fractions.iter().copied());
        assert_eq!(scale(&[0.01, 0.08]), HeatScale { low: 0.0, top: 0.1, over: None });
        assert_eq!(scale(&[0.3, 1.0 + 1e-9]), HeatScale { low: 0.0, top: 1.0, over: None });
        assert_eq!(scale(&[]), HeatScale { low: 0.0, top: 0.1, over: None });
        let crowded = scale(&[0.5, 1.2, 3.0]);
        assert_eq!(crowded, HeatScale { low: 0.0, top: 1.0, over: Some(3.0) });
        let shades = [0.5, 1.0, 1.2, 3.0].map(|fraction| crowded.shade(fraction));
        assert!(matches!(shades, [Shade::Within(10), Shade::Within(20), Shade::Over(2), Shade::Over(20)]));
        let high: Vec<f64> = (0..40).map(|number| 0.85 + 0.003 * f64::from(number)).collect();
        let full = scale(&high);
        let key = |scale: &HeatScale| {
            let mut svg = Element::new("svg");
            scale.add_key(&wide_plot_around(100.0), &mut svg);
            svg.to_string()
        };
        assert!(full.low == 0.8 && key(&full).contains("≤ 80%") && full.shade(0.86) != full.shade(0.96));
        assert_eq!(full.shade(0.1), Shade::Within(0));
        assert!(key(&crowded).contains("up to 300%"));
    }
}
