//! How full the nodes were, node × time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ink::{FRAME, HEAT, OVER, TICK, TICK_END};
use super::timeline::{BOTTOM, LEFT, RIGHT, TOP, WIDTH, frame, time_axis};
use crate::recording::Recording;

/// Columns and rows of a heat map at most.
const COLUMNS: usize = 160;
const ROWS: usize = 32;
/// Shades of a colour.
const SHADES: usize = 20;
/// Shares that the darkest shade may stand for; the least that holds all values is taken.
const TOPS: [f64; 4] = [0.1, 0.2, 0.5, 1.0];
/// Where all but a twentieth of the shares are above this part of the top, the scale begins with them.
const CROWDED: f64 = 0.6;
/// Sums of shares may miss 100% by so much.
const ROUNDING: f64 = 0.005;
/// Opacity of the least value above 100%.
const LEAST_OVER: f64 = 0.3;

/// Share of each node's memory that starting and running containers hold, and of its CPU that is in use.
pub(super) fn heat_maps(recording: &Recording) -> impl Iterator<Item = String> + '_ {
    let maps = [
        ("Memory of starting and running containers, share of each node", &recording.busy),
        ("CPU in use, share of each node", &recording.cpu),
    ];
    maps.into_iter()
        .filter(|(_, shares)| shares.iter().any(|row| !row.is_empty()))
        .map(|(title, shares)| heat_map(recording, title, shares))
}

fn heat_map(recording: &Recording, title: &str, shares: &[Vec<f64>]) -> String {
    let rows: Vec<Vec<f64>> = merged(shares, ROWS, column_means)
        .iter()
        .map(|row| merged(row, COLUMNS, |group| group.iter().sum::<f64>() / group.len() as f64))
        .collect();
    let scale = HeatScale::of(rows.iter().flatten().copied());
    let row_height = (220.0 / rows.len().max(1) as f64).clamp(7.0, 26.0);
    let height = TOP + BOTTOM + rows.len() as f64 * row_height;
    let mut svg = frame(title, &time_axis(recording), height);
    let mut paths: BTreeMap<Shade, String> = BTreeMap::new();
    for (row, values) in rows.iter().enumerate() {
        let width = (WIDTH - LEFT - RIGHT) / values.len().max(1) as f64;
        let mut column = 0;
        // What looks the same is one rectangle, without seams.
        for run in values.chunk_by(|a, b| scale.shade(*a) == scale.shade(*b)) {
            let (x, y) = (LEFT + column as f64 * width, TOP + row as f64 * row_height);
            column += run.len();
            let path = paths.entry(scale.shade(run[0])).or_default();
            let wide = width * run.len() as f64;
            let _ = write!(path, "M{x:.1} {y:.1}h{wide:.2}v{:.1}h{:.2}z", row_height - 1.0, -wide);
        }
    }
    for (shade, path) in &paths {
        let _ = write!(svg, r#"<path {} d="{path}"/>"#, shade.ink());
    }
    let together = shares.len().div_ceil(rows.len().max(1));
    for row in (0..rows.len()).step_by(rows.len().div_ceil(12).max(1)) {
        let y = TOP + (row as f64 + 0.5) * row_height + 3.0;
        let _ = write!(
            svg,
            r#"<text {TICK_END} x="{:.1}" y="{y:.1}">node {}</text>"#,
            LEFT - 6.0,
            row * together
        );
    }
    svg.push_str(&scale.key());
    svg.push_str("</svg>");
    svg
}

/// Which colours shares have.
#[derive(Clone, Copy, Debug, PartialEq)]
struct HeatScale {
    /// Share of the lightest shade; what is below has it too.
    low: f64,
    /// Share of the darkest shade, 100% at most.
    top: f64,
    /// The greatest share above 100%, if any: those have a colour of their own.
    over: Option<f64>,
}

/// A colour of a heat map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shade {
    /// Up to 100%.
    Within(usize),
    /// Above.
    Over(usize),
}

impl HeatScale {
    fn of(shares: impl Iterator<Item = f64>) -> Self {
        let mut shares: Vec<f64> = shares.filter(|share| share.is_finite()).collect();
        shares.sort_by(f64::total_cmp);
        let greatest = shares.last().copied().unwrap_or(0.0);
        let top = TOPS.into_iter().find(|top| greatest <= top + ROUNDING).unwrap_or(1.0);
        // Where nearly all shares are high one shade would fill the picture.
        let usual = shares.get(shares.len() / 20).copied().unwrap_or(0.0);
        let low = if usual >= CROWDED * top { (usual * 10.0).floor() / 10.0 } else { 0.0 };
        HeatScale {
            low: low.min(0.9 * top),
            top,
            over: Some(greatest).filter(|greatest| *greatest > 1.0 + ROUNDING),
        }
    }

    fn shade(&self, share: f64) -> Shade {
        let of = |part: f64| ((part * SHADES as f64).round() as usize).min(SHADES);
        match self.over {
            Some(greatest) if share > 1.0 + ROUNDING => {
                Shade::Over(of((share - 1.0) / (greatest - 1.0).max(f64::MIN_POSITIVE)))
            }
            _ => Shade::Within(of((share - self.low) / (self.top - self.low))),
        }
    }

    /// The meaning of the shades, at the top right.
    fn key(&self) -> String {
        let width = 18.0;
        let room = if self.over.is_some() { 320.0 } else { 150.0 };
        let x = WIDTH - RIGHT - room;
        let below = if self.low > 0.0 { "≤ " } else { "" };
        let mut key =
            format!(r#"<text {TICK_END} x="{:.1}" y="17">{below}{:.0}%</text>"#, x - 5.0, 100.0 * self.low);
        for step in 0..6_usize {
            let left = x + step as f64 * width;
            key.push_str(&box_of(Shade::Within(step * SHADES / 5), left, width));
        }
        let right = x + 6.0 * width;
        let _ = write!(
            key,
            r#"<rect {FRAME} x="{x:.1}" y="8" width="{:.1}" height="10"/><text {TICK} x="{:.1}" y="17">{:.0}%</text>"#,
            6.0 * width,
            right + 5.0,
            100.0 * self.top
        );
        if let Some(greatest) = self.over {
            key.push_str(&box_of(Shade::Over(SHADES / 2), right + 50.0, width));
            let _ = write!(
                key,
                r#"<text {TICK} x="{:.1}" y="17">above 100%, up to {:.0}%</text>"#,
                right + 55.0 + width,
                100.0 * greatest
            );
        }
        key
    }
}

impl Shade {
    fn ink(self) -> String {
        let part = |shade: usize| shade as f64 / SHADES as f64;
        match self {
            Shade::Within(shade) => format!(r#"{HEAT} fill-opacity="{:.2}""#, part(shade)),
            Shade::Over(shade) => {
                format!(r#"{OVER} fill-opacity="{:.2}""#, LEAST_OVER + (1.0 - LEAST_OVER) * part(shade))
            }
        }
    }
}

fn box_of(shade: Shade, left: f64, width: f64) -> String {
    format!(r#"<rect {} x="{left:.1}" y="8" width="{width:.1}" height="10"/>"#, shade.ink())
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
    fn the_scale_is_that_of_the_shares_and_what_is_above_all_of_a_node_is_told_apart() {
        let scale = |shares: &[f64]| HeatScale::of(shares.iter().copied());
        assert_eq!(scale(&[0.01, 0.08]), HeatScale { low: 0.0, top: 0.1, over: None });
        assert_eq!(scale(&[0.3, 1.0 + 1e-9]), HeatScale { low: 0.0, top: 1.0, over: None });
        assert_eq!(scale(&[]), HeatScale { low: 0.0, top: 0.1, over: None });
        let crowded = scale(&[0.5, 1.2, 3.0]);
        assert_eq!(crowded, HeatScale { low: 0.0, top: 1.0, over: Some(3.0) });
        let shades = [0.5, 1.0, 1.2, 3.0].map(|share| crowded.shade(share));
        assert!(matches!(shades, [Shade::Within(10), Shade::Within(20), Shade::Over(2), Shade::Over(20)]));
        let high: Vec<f64> = (0..40).map(|number| 0.85 + 0.003 * f64::from(number)).collect();
        let full = scale(&high);
        assert!(full.low == 0.8 && full.key().contains("≤ 80%") && full.shade(0.86) != full.shade(0.96));
        assert_eq!(full.shade(0.1), Shade::Within(0));
        assert!(crowded.key().contains("up to 300%"));
    }
}
