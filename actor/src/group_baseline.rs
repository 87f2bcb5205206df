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
    let mut returns: Vec<f32> = Vec::with_capacity(curves.len());
    for (rollout, trajectories) in trajectories.iter_mut().enumerate() {
        for step in trajectories.iter_mut().flat_map(|trajectory| &mut trajectory.steps) {
            returns.clear();
            returns.extend(curves.iter().map(|curve| curve.at(step.moment.time)));
            let (own, total) = (returns[rollout], returns.iter().sum::<f32>());
            let squares: f32 = returns.iter().map(|one| (one - (total - one) / others).powi(2)).sum();
            let spread = (squares / returns.len() as f32).sqrt();
            step.group = Some(GroupReturn { own, others: (total - own) / others, spread });
        }
    }
}

#[cfg(test)]
mod tests {
    use common::Arrived;
    use common::ids::PolicyVersion;
    use common::trajectory::{Choice, Moment, Step};

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

    #[test]
    fn the_spread_is_that_of_the_returns_from_a_time_on() {
        // From 0 s on the rollouts get −6, −3 and −3, from 2 s on −4, −3 and −1: against the others −3, 1.5, 1.5, and −2, −0.5, 2.5.
        let second = |seconds| SimTime(seconds * 1_000_000);
        let stretches = [[-2.0, -4.0, 0.0], [0.0, -3.0, 0.0], [-2.0, -1.0, 0.0]].map(|rewards| {
            [0, 2, 5].into_iter().zip(rewards).map(|(start, reward)| Stretch {
                start: second(start),
                reward,
                arrived: Arrived::default(),
            })
        });
        let stretches: Vec<Vec<Stretch>> = stretches.into_iter().map(Iterator::collect).collect();
        let step = |seconds| Step {
            moment: Moment { time: second(seconds), ..Moment::default() },
            choice: Choice::Wait,
            log_probability: 0.0,
            weighted_reward: 0.0,
            discount: 1.0,
            group: None,
        };
        let trajectory = |seconds: &[u64]| RecordedTrajectory {
            steps: seconds.iter().copied().map(step).collect(),
            states: Vec::new(),
            after: None,
            first_version: PolicyVersion::default(),
            last_version: PolicyVersion::default(),
        };
        let mut trajectories = vec![vec![trajectory(&[0, 2])], vec![trajectory(&[2])], vec![trajectory(&[])]];
        let curves: Vec<&[Stretch]> = stretches.iter().map(Vec::as_slice).collect();
        fill_group_returns(&curves, &mut trajectories, &RewardConfig::default());
        let group = |rollout: usize, step: usize| trajectories[rollout][0].steps[step].group.unwrap();
        let at_0 = (13.5_f32 / 3.0).sqrt();
        let at_2 = (10.5_f32 / 3.0).sqrt();
        let close = |found: GroupReturn, own: f32, others: f32, spread: f32| {
            (found.own - own).abs() + (found.others - others).abs() + (found.spread - spread).abs() < 1e-5
        };
        assert!(close(group(0, 0), -6.0, -3.0, at_0));
        assert!(close(group(0, 1), -4.0, -2.0, at_2));
        assert!(close(group(1, 0), -3.0, -2.5, at_2));
    }
}
