//! How times, counts, rates and ratios are scaled to order one.

use common::cluster::Priority;

pub(super) fn flag(is: bool) -> f32 {
    f32::from(u8::from(is))
}

/// ln(1 + x) / 3 of a count.
pub(super) fn count(value: u32) -> f32 {
    (1.0 + value as f32).ln() / 3.0
}

/// log10 of a time relative to 100 ms, divided by 2: −1 for 1 ms or less, 0 for 100 ms, 1.5 for 100 s.
pub(super) fn time(seconds: f64) -> f32 {
    (seconds.max(1e-3) as f32 / 0.1).ln() * (0.5 * std::f32::consts::LOG10_E)
}

/// ln(1 + x) / 2 of a rate or ratio.
pub(super) fn ratio(value: f64) -> f32 {
    (1.0 + value.max(0.0) as f32).ln() / 2.0
}

/// ln(one / other) / 4, at most 2 in size.
pub(super) fn log_quotient(one: f64, other: f64) -> f32 {
    ((one.max(1e-3) / other.max(1e-3)).ln() / 4.0).clamp(-2.0, 2.0) as f32
}

pub(super) fn priority(priority: Priority) -> f32 {
    match priority {
        Priority::Low => -1.0,
        Priority::Normal => 0.0,
        Priority::High => 1.0,
    }
}
