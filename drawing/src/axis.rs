//! Axes: what values lie where, and which of them are written.

use crate::value::Value;

/// Larger values are on no axis: what is computed with them would not be finite.
const LARGEST: f64 = 1e300;
/// Where all others lie within this fraction of an axis, the few that stretch it are left beyond it.
const CROWDED: f64 = 0.15;
/// Values that are all above 0 and differ by more than this factor lie on a logarithmic axis.
const WIDE: f64 = 30.0;

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Places in proportion to the values.
    Linear,
    /// Places in proportion to the logarithm; only positive values can be drawn.
    Log,
}

/// An axis of a chart.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How values lie on it.
    pub scale: Scale,
    /// Values are fractions and written as percent.
    pub percent: bool,
    low: f64,
    high: f64,
    /// What is written beside the axis, where it is not for the axis to choose.
    written: Vec<(f64, String)>,
}

impl Axis {
    /// An axis that holds all finite `values`; on a logarithmic one those that are positive. Linear axes begin at 0.
    #[must_use]
    pub fn around(label: &str, scale: Scale, percent: bool, values: impl Iterator<Item = f64>) -> Self {
        let sound = |value: &f64| value.abs() < LARGEST && (scale == Scale::Linear || *value > 0.0);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(sound) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (1.0, 1.0);
        }
        let (low, high) = match scale {
            Scale::Linear => (0.0, if high > 0.0 { high * 1.05 } else { 1.0 }),
            Scale::Log => (low / 1.08, (high * 1.08).max(low * 1.5)),
        };
        Axis { label: label.to_owned(), scale, percent, low, high, written: Vec::new() }
    }

    /// An axis that holds these values with their intervals, but for a few that would press all others together.
    #[must_use]
    pub fn around_most(label: &str, scale: Scale, percent: bool, values: &[Value]) -> Self {
        let ends = most(values, scale);
        let within = values.iter().filter(|value| ends.contains(&value.mean));
        Axis::around(label, scale, percent, within.flat_map(|value| [value.mean, value.low, value.high]))
    }

    /// The same on the scale that suits the values: logarithmic where they differ much.
    #[must_use]
    pub fn fitting(label: &str, percent: bool, values: &[Value]) -> Self {
        let ends = most(values, Scale::Log);
        if ends.end() / ends.start() > WIDE {
            let label =
                label.strip_suffix(')').map_or(format!("{label} (log)"), |label| format!("{label}, log)"));
            return Axis::around_most(&label, Scale::Log, percent, values);
        }
        Axis::around_most(label, Scale::Linear, percent, values)
    }

    /// A linear axis from `low` to `high`.
    #[must_use]
    pub fn between(label: &str, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let (scale, written) = (Scale::Linear, Vec::new());
        Axis { label: label.to_owned(), scale, percent: false, low, high, written }
    }

    /// An axis of few values, ascending, each with its name.
    #[must_use]
    pub fn named(label: &str, values: Vec<(f64, String)>) -> Self {
        let end = |value: Option<&(f64, String)>| value.map_or(0.0, |(value, _)| *value);
        let (low, high) = (end(values.first()) - 0.5, end(values.last()) + 0.5);
        Axis { written: values, ..Axis::between(label, low, high) }
    }

    /// Where a value lies, 0 to 1; beyond the ends it lies at them.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        self.place_beyond(value).clamp(0.0, 1.0)
    }

    /// The same, but what is beyond the ends lies beyond them, a few lengths at most.
    #[must_use]
    pub fn place_beyond(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln(),
        };
        if place.is_nan() { 0.0 } else { place.clamp(-4.0, 5.0) }
    }

    /// Whether a value lies above the upper end.
    #[must_use]
    pub fn ends_below(&self, value: f64) -> bool {
        value > self.high
    }

    /// The value, or the end of the axis that is next to it.
    #[must_use]
    pub fn clamped(&self, value: f64) -> f64 {
        match self.side(value) {
            side if side < 0.0 => self.low,
            side if side > 0.0 => self.high,
            _ => value,
        }
    }

    /// On which side of the axis a value lies: -1 before it, 1 behind it, 0 on it.
    #[must_use]
    pub fn side(&self, value: f64) -> f64 {
        match self.place_beyond(value) {
            place if place < 0.0 => -1.0,
            place if place > 1.0 => 1.0,
            _ => 0.0,
        }
    }

    /// Values that are written beside the axis, with their text; ascending. A linear axis has about `count`.
    #[must_use]
    pub fn ticks(&self, count: u32) -> Vec<(f64, String)> {
        if !self.written.is_empty() {
            return self.written.clone();
        }
        let values = match self.scale {
            Scale::Linear => self.linear_ticks(count),
            Scale::Log => self.log_ticks(),
        };
        values.into_iter().map(|value| (value, self.text(value))).collect()
    }

    fn linear_ticks(&self, count: u32) -> Vec<f64> {
        let step = round_step((self.high - self.low) / f64::from(count));
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|number| number as f64 * step).collect()
    }

    fn log_ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let digits: &[f64] = match decades {
            ..0.7 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
            ..2.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let every = (decades / 7.0).ceil().max(1.0) as i32;
        let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let values: Vec<f64> = powers
            .filter(|power| power.rem_euclid(every) == 0)
            .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)))
            .filter(|value| (self.low..=self.high).contains(value))
            .collect();
        if values.is_empty() { vec![self.low, self.high] } else { values }
    }

    fn text(&self, value: f64) -> String {
        if self.percent { format!("{}%", plain(100.0 * value)) } else { plain(value) }
    }
}

/// Least and greatest of the means but for a few, a quarter at most on each side, that would press all others together.
fn most(values: &[Value], scale: Scale) -> std::ops::RangeInclusive<f64> {
    let sound = |mean: &f64| mean.abs() < LARGEST && (scale == Scale::Linear || *mean > 0.0);
    let mut means: Vec<f64> = values.iter().map(|value| value.mean).filter(sound).collect();
    means.sort_by(f64::total_cmp);
    let (Some(mut first), Some(mut last)) = (means.first().map(|_| 0), means.len().checked_sub(1)) else {
        return 1.0..=1.0;
    };
    let place = |number: usize| if scale == Scale::Log { means[number].ln() } else { means[number] };
    let spared = if means.len() < 3 { 0 } else { (means.len() / 4).max(1) };
    let all = place(last) - place(first);
    let crowded = |first: usize, last: usize, all: f64| place(last) - place(first) < CROWDED * all;
    last = (1..=spared).map(|count| last - count).find(|&last| crowded(0, last, all)).unwrap_or(last);
    let left = place(last) - place(first);
    if last - first > spared {
        first = (1..=spared).find(|&first| crowded(first, last, left)).unwrap_or(first);
    }
    means[first]..=means[last]
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 5.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|round| *round >= step * 0.999)
        .unwrap_or(10.0 * power)
}

/// A round number without needless digits.
#[must_use]
pub fn plain(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return value.to_string();
    }
    if magnitude >= 1e6 {
        return format!("{}M", plain(value / 1e6));
    }
    if magnitude >= 1e4 {
        return format!("{}k", plain(value / 1e3));
    }
    if magnitude > 0.0 && magnitude < 1e-3 {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks(5).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn names_stand_where_their_values_lie() {
        let axis = Axis::named("", vec![(1.0, "one".to_owned()), (2.0, "two".to_owned())]);
        assert_eq!(axis.ticks(5), [(1.0, "one".to_owned()), (2.0, "two".to_owned())]);
        assert_eq!((axis.place(1.0), axis.place(2.0)), (0.25, 0.75));
    }

    #[test]
    fn ticks_are_few_and_round() {
        let shares = Axis::around("", Scale::Linear, true, [0.1, 0.79].into_iter());
        assert_eq!(texts(&shares), ["0%", "20%", "40%", "60%", "80%"]);
        let slowdowns = Axis::around("", Scale::Log, false, [1.0, 900.0].into_iter());
        assert_eq!(texts(&slowdowns), ["1", "10", "100"]);
        let narrow = Axis::around("", Scale::Log, false, [1.02, 1.7].into_iter());
        assert_eq!(texts(&narrow), ["1", "1.5"]);
        let nothing = Axis::around("", Scale::Linear, false, [f64::NAN].into_iter());
        assert!(nothing.ticks(5).len() >= 2);
    }

    fn exact(means: &[f64]) -> Vec<Value> {
        means.iter().map(|&mean| Value::exact(mean)).collect()
    }

    #[test]
    fn a_few_that_lie_far_off_do_not_press_the_others_together() {
        let near = exact(&[1.0, 1.1, 1.2, 1.4, 5e6]);
        for scale in [Scale::Linear, Scale::Log] {
            let axis = Axis::around_most("", scale, false, &near);
            assert_eq!(axis.side(5e6), 1.0);
            assert!(axis.place(1.4) - axis.place(1.1) > 0.1, "{axis:?}");
        }
        let axis = Axis::fitting("idle (GB·s)", false, &exact(&[1.0, 10.0, 100.0, 1000.0]));
        assert_eq!((axis.scale, axis.label.as_str()), (Scale::Log, "idle (GB·s, log)"));
        assert_eq!([0.0, 1.0, 1000.0].map(|value| axis.side(value)), [-1.0, 0.0, 0.0]);
        let axis = Axis::fitting("idle", false, &exact(&[0.0, 3.0, 4.0]));
        assert_eq!((axis.scale, axis.side(0.0)), (Scale::Linear, 0.0));
    }

    #[test]
    fn values_that_are_none_give_an_axis_all_the_same() {
        for means in [&[][..], &[f64::NAN], &[f64::INFINITY, f64::NEG_INFINITY], &[0.0], &[f64::MAX, 1e-320]]
        {
            for axis in [
                Axis::fitting("", false, &exact(means)),
                Axis::around_most("", Scale::Log, false, &exact(means)),
                Axis::around_most("", Scale::Linear, true, &exact(means)),
            ] {
                let ticks = axis.ticks(5);
                assert!((1..50).contains(&ticks.len()), "{means:?}: {ticks:?}");
                for value in means.iter().chain([&0.0, &1.0, &f64::NAN]) {
                    assert!((0.0..=1.0).contains(&axis.place(*value)), "{means:?}: {value}");
                }
            }
        }
    }

    #[test]
    fn values_lie_between_the_ends() {
        let axis = Axis::around("", Scale::Log, false, [1.0, 100.0, f64::NAN, 0.0].into_iter());
        assert!(axis.place(1.0) < 0.05 && axis.place(100.0) > 0.95);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!(axis.place(0.0), 0.0);
    }
}
