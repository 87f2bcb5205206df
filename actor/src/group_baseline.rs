//! The group baseline: the return of a rollout from a time on, against the mean return of the other rollouts of the same arrival
//! sequence from the same simulated time on.

use common::SimTime;
use common::trajectory::GroupReturn;
use configuration::RewardConfig;

use crate::rollout::{RecordedTrajectory, Stretch};

/// Return of one rollout as a function of simulated time.
struct ReturnCurve {
    /// Start of each stretch, ascending; the last is the end of the episode.
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

    /// The return from `time` on: linear between the starts of stretches, zero after the end.
    fn at(&self, time: SimTime) -> f32 {
        let after = self.starts.partition_point(|&start| start < time);
        if after == self.starts.len() {
            return 0.0;
        }
        if after == 0 || self.starts[after] == time {
            return self.returns[after];
        }
        let (left, right) = (self.starts[after - 1], self.starts[after]);
        let fraction = time.since(left).seconds() / right.since(left).seconds();
        let (before, then) = (self.returns[after - 1], self.returns[after]);
        before + fraction as f32 * (then - before)
    }
}

/// Writes into every step of a finished group its return and the mean return of the others from the same time.
///
/// `curves` and `trajectories` have one entry for each rollout.
pub fn fill_group_returns(
    curves: &[&[Stretch]],
    trajectories: &mut [Vec<RecordedTrajectory>],
    config: &RewardConfig,
) {
    let curves: Vec<ReturnCurve> =
        curves.iter().map(|stretches| ReturnCurve::new(stretches, config)).collect();
    let others = (curves.len() - 1).max(1) as f32;
    for (rollout, trajectories) in trajectories.iter_mut().enumerate() {
        for step in trajectories.iter_mut().flat_map(|trajectory| &mut trajectory.steps) {
            let own = curves[rollout].at(step.moment.time);
            let total: f32 = curves.iter().map(|curve| curve.at(step.moment.time)).sum();
            step.group = Some(GroupReturn { own, others: (total - own) / others, spread: 0.0 });
        }
    }
    write_spread(trajectories);
}

fn write_spread(trajectories: &mut [Vec<RecordedTrajectory>]) {
    let mut returns: Vec<&mut GroupReturn> = trajectories
        .iter_mut()
        .flatten()
        .flat_map(|trajectory| &mut trajectory.steps)
        .filter_map(|step| step.group.as_mut())
        .collect();
    let squares: f64 = returns.iter().map(|group| f64::from(group.own - group.others).powi(2)).sum();
    let spread = (squares / returns.len().max(1) as f64).sqrt() as f32;
    returns.iter_mut().for_each(|group| group.spread = spread);
}

#[cfg(test)]
mod tests {
    use common::Arrived;

    use super::*;

    fn curve(points: &[(u64, f32)]) -> Vec<Stretch> {
        let second = |seconds| SimTime(seconds * 1_000_000);
        points
            .iter()
            .map(|&(start, reward)| Stretch { start: second(start), reward, arrived: Arrived::default() })
            .collect()
    }

    #[test]
    fn returns_run_from_a_time_to_the_end() {
        let config = RewardConfig::default();
        // Two decisions at the same time: the first has no reward.
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
