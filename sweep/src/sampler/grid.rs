//! Every combination, in the order of an odometer whose last parameter turns fastest.

use crate::space::{Setting, Space};
use crate::suggestion::Suggestion;

/// The first combination that `is_new`. A range without steps, or with more values than `points`, has `points` places, its ends
/// included.
pub(super) fn next(space: &Space, points: u32, is_new: impl Fn(&Setting) -> bool) -> Suggestion {
    let counts: Vec<u64> = space
        .parameters
        .iter()
        .map(|parameter| match parameter.range.count() {
            Some(count) if count <= u64::from(points) || is_choice(&parameter.range) => count,
            _ => u64::from(points),
        })
        .collect();
    let mut turns = vec![0_u64; counts.len()];
    loop {
        let place = |(turn, (count, parameter)): (&u64, (&u64, &crate::space::Parameter))| {
            if parameter.range.count() == Some(*count) {
                (*turn as f64 + 0.5) / *count as f64
            } else {
                *turn as f64 / (*count - 1) as f64
            }
        };
        let point: Vec<f64> = turns.iter().zip(counts.iter().zip(&space.parameters)).map(place).collect();
        let setting = space.at(&point);
        // Parameters that don't count make several combinations the same setting.
        if is_new(&setting) {
            return Suggestion::Setting(setting);
        }
        if !turn(&mut turns, &counts) {
            return Suggestion::Exhausted;
        }
    }
}

fn is_choice(range: &crate::space::Range) -> bool {
    matches!(range, crate::space::Range::Choice(_))
}

/// Goes on to the next combination; false after the last one.
fn turn(turns: &mut [u64], counts: &[u64]) -> bool {
    for (turn, count) in turns.iter_mut().zip(counts).rev() {
        *turn += 1;
        if *turn < *count {
            return true;
        }
        *turn = 0;
    }
    false
}
