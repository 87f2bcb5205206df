//! The same-seed group baseline: what a rollout brings from a time on, against the mean of what the other rollouts of
//! the same arrival sequence bring from the same simulated time on.

use common::SimTime;
use common::trajectory::GroupReturn;
use configuration::RewardConfig;

use crate::rollout::{Piece, Stretch};

/// Return of one rollout as a function of simulated time.
struct ReturnCurve {
    /// When each stretch begins, rising; the last is the end.
    starts: Vec<SimTime>,
    /// Discounted return from each of those times on.
    returns: Vec<f32>,
}

impl ReturnCurve {
    fn new(stretches: &[Stretch], config: &RewardConfig) -> Self {
        let mut returns = vec![0.0; stretches.len()];
        for place in (0..stretches.len().saturating_sub(1)).rev() {
            let elapsed = stretches[place + 1].start.since(stretches[place].start);
            returns[place] = stretches[place].reward + config.discount(elapsed) * returns[place + 1];
        }
        ReturnCurve { starts: stretches.iter().map(|stretch| stretch.start).collect(), returns }
    }

    /// Linear between instants; zero after the end.
    fn at(&self, time: SimTime) -> f32 {
        let after = self.starts.partition_point(|&start| start < time);
        if after == self.starts.len() {
            return 0.0;
        }
        if after == 0 || self.starts[after] == time {
            return self.returns[after];
        }
        let (left, right) = (self.starts[after - 1], self.starts[after]);
        let share = time.since(left).seconds() / right.since(left).seconds();
        let (before, then) = (self.returns[after - 1], self.returns[after]);
        before + share as f32 * (then - before)
    }
}

/// Writes into every step of a finished group its return and the mean return of the others from the same time.
///
/// `curves` and `pieces` hold one entry a rollout.
pub fn fill_group_returns(curves: &[&[Stretch]], pieces: &mut [Vec<Piece>], config: &RewardConfig) {
    let curves: Vec<ReturnCurve> =
        curves.iter().map(|stretches| ReturnCurve::new(stretches, config)).collect();
    let others = (curves.len() - 1).max(1) as f32;
    for (rollout, pieces) in pieces.iter_mut().enumerate() {
        for step in pieces.iter_mut().flat_map(|piece| &mut piece.steps) {
            let own = curves[rollout].at(step.time);
            let total: f32 = curves.iter().map(|curve| curve.at(step.time)).sum();
            step.group = Some(GroupReturn { own, others: (total - own) / others, spread: 0.0 });
        }
    }
    write_spread(pieces);
}

fn write_spread(pieces: &mut [Vec<Piece>]) {
    let mut returns: Vec<&mut GroupReturn> = pieces
        .iter_mut()
        .flatten()
        .flat_map(|piece| &mut piece.steps)
        .filter_map(|step| step.group.as_mut())
        .collect();
    let squares: f64 = returns.iter().map(|group| f64::from(group.own - group.others).powi(2)).sum();
    let spread = (squares / returns.len().max(1) as f64).sqrt() as f32;
    returns.iter_mut().for_each(|group| group.spread = spread);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u64, f32)]) -> Vec<Stretch> {
        let second = |seconds| SimTime(seconds * 1_000_000);
        points.iter().map(|&(start, reward)| Stretch { start: second(start), reward }).collect()
    }

    #[test]
    fn returns_run_from_a_time_to_the_end() {
        let config = RewardConfig::default();
        // Two decisions at one instant share a time; the first brings nothing.
        let curve = ReturnCurve::new(&curve(&[(1, 0.0), (1, -2.0), (3, -4.0), (7, 0.0)]), &config);
        let at = |seconds: f64| curve.at(SimTime::from_seconds(seconds));
        assert_eq!(
            [at(0.0), at(1.0), at(2.0), at(3.0), at(5.0), at(7.0), at(9.0)],
            [-6.0, -6.0, -5.0, -4.0, -2.0, 0.0, 0.0]
        );
    }

    #[test]
    fn discounts_follow_elapsed_time() {
        let config = RewardConfig { discount_seconds: 2.0, ..RewardConfig::default() };
        let curve = ReturnCurve::new(&curve(&[(0, -1.0), (2, -1.0), (4, 0.0)]), &config);
        assert!((curve.at(SimTime::ZERO) - (-1.0 - (-1.0_f32).exp())).abs() < 1e-6);
    }
}
