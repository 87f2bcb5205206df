//! Arrivals to come: an episode that is over knows what arrived after each of its decisions.

use common::trajectory::{FORESIGHT, Moment, ToCome};
use common::{Arrived, SimTime};

use crate::rollout::{RecordedTrajectory, Stretch};

/// Writes into every moment of a finished episode what was to come.
pub fn fill_arrivals(curve: &[Stretch], trajectories: &mut [RecordedTrajectory]) {
    for trajectory in trajectories {
        let steps = trajectory.steps.iter_mut().map(|step| &mut step.moment);
        for moment in steps.chain(&mut trajectory.after) {
            moment.to_come = to_come(curve, moment);
        }
    }
}

fn to_come(curve: &[Stretch], moment: &Moment) -> ToCome {
    let now = arrived_by(curve, moment.time);
    FORESIGHT.map(|seconds| {
        let end = match seconds {
            f64::INFINITY => SimTime::NEVER,
            seconds => moment.time + SimTime::from_seconds(seconds),
        };
        let Arrived { count, urgency, work } = arrived_by(curve, end) - now;
        [count, urgency, work].map(|total| total as f32)
    })
}

/// What has arrived when `time` is over.
fn arrived_by(curve: &[Stretch], time: SimTime) -> Arrived {
    let begun = curve.partition_point(|stretch| stretch.start <= time);
    begun.checked_sub(1).map_or_else(Arrived::default, |last| curve[last].arrived)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_counted_from_the_moment_on() {
        let stretch = |start: f64, count: f64| Stretch {
            start: SimTime::from_seconds(start),
            reward: 0.0,
            arrived: Arrived { count, urgency: 2.0 * count, work: 0.0 },
        };
        let curve = [stretch(1.0, 3.0), stretch(2.0, 4.0), stretch(9.0, 6.0), stretch(50.0, 10.0)];
        let moment = Moment { time: SimTime::from_seconds(1.0), ..Moment::default() };
        let counts = to_come(&curve, &moment).map(|[count, ..]| count);
        assert_eq!(counts, [1.0, 3.0, 3.0, 7.0]);
        let last = Moment { time: SimTime::from_seconds(50.0), ..Moment::default() };
        assert_eq!(to_come(&curve, &last), [[0.0; 3]; 4]);
    }
}
