//! What may be learnt from: every number of a trajectory is finite and within bounds that no honest actor reaches. One that is not
//! would be in the scales and the weights for good.

use common::trajectory::{GroupReturn, Moment, Step, TrajectoryBody};
use state_graph::StateGraph;

/// Largest magnitude of a feature: they are fractions and logarithms.
const LARGEST_FEATURE: f32 = 1e4;
/// Largest magnitude of a sum of rewards, of urgency, and of what arrives.
const LARGEST_SUM: f32 = 1e9;
/// Largest load; 1 is 100%.
const LARGEST_LOAD: f32 = 1e3;
/// Longest episode, in seconds.
const LONGEST: f64 = 1e9;
/// Least log-probability: an option that is less likely is never drawn.
const LEAST_LOG_PROBABILITY: f32 = -1e3;
/// Rounding can make the logarithm of a probability a little more than 0.
const MOST_LOG_PROBABILITY: f32 = 1e-3;

/// Refuses a trajectory with a number that no honest actor sends.
///
/// # Errors
/// Which number, and what it is.
pub(crate) fn check_numbers(body: &TrajectoryBody, states: &[StateGraph]) -> Result<(), String> {
    within("the load", body.load, 0.0, LARGEST_LOAD)?;
    let seconds = body.horizon.seconds();
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err(format!("the length of its episode is {seconds} s"));
    }
    body.steps.iter().try_for_each(check_step)?;
    body.after.iter().try_for_each(check_moment)?;
    for (place, state) in states.iter().enumerate() {
        let wrong =
            state.features.iter().find(|feature| !is_within(**feature, -LARGEST_FEATURE, LARGEST_FEATURE));
        if let Some(feature) = wrong {
            return Err(format!("a feature of state {place} is {feature}"));
        }
    }
    Ok(())
}

fn check_step(step: &Step) -> Result<(), String> {
    check_moment(&step.moment)?;
    within("a log-probability", step.log_probability, LEAST_LOG_PROBABILITY, MOST_LOG_PROBABILITY)?;
    within("a reward", step.weighted_reward, -LARGEST_SUM, LARGEST_SUM)?;
    within("a discount", step.discount, 0.0, 1.0)?;
    step.group.iter().try_for_each(|GroupReturn { own, others, spread }| {
        within("a return", *own, -LARGEST_SUM, LARGEST_SUM)?;
        within("a return of a group", *others, -LARGEST_SUM, LARGEST_SUM)?;
        within("a spread of returns", *spread, 0.0, LARGEST_SUM)
    })
}

fn check_moment(moment: &Moment) -> Result<(), String> {
    within("the urgency", moment.urgency, 0.0, LARGEST_SUM)?;
    moment.to_come.as_flattened().iter().try_for_each(|total| within("a demand", *total, 0.0, LARGEST_SUM))
}

fn within(what: &str, value: f32, low: f32, high: f32) -> Result<(), String> {
    if is_within(value, low, high) {
        return Ok(());
    }
    Err(format!("{what} is {value}; it must be from {low} to {high}"))
}

/// False for what is not a number.
fn is_within(value: f32, low: f32, high: f32) -> bool {
    (low..=high).contains(&value)
}

#[cfg(test)]
mod tests {
    use common::SimTime;
    use common::trajectory::Choice;

    use super::*;

    /// What it is, and how it is set.
    type Change = (&'static str, fn(&mut TrajectoryBody, f32));

    fn sound() -> (TrajectoryBody, Vec<StateGraph>) {
        let group = GroupReturn { own: -3.0, others: -2.0, spread: 1.0 };
        let step = Step {
            moment: Moment::default(),
            choice: Choice::Wait,
            log_probability: -0.5,
            weighted_reward: -1.0,
            discount: 0.9,
            group: Some(group),
        };
        let state = StateGraph { features: vec![0.25, -3.0], ..StateGraph::default() };
        let after = Some(Moment::default());
        let horizon = SimTime::default();
        (TrajectoryBody { steps: vec![step], part: 0, load: 1.1, horizon, after }, vec![state.clone(), state])
    }

    #[test]
    fn every_number_of_a_trajectory_is_checked() {
        let (body, states) = sound();
        assert_eq!(check_numbers(&body, &states), Ok(()));
        let changes: [Change; 10] = [
            ("load", |body, value| body.load = value),
            ("log-probability", |body, value| body.steps[0].log_probability = value),
            ("reward", |body, value| body.steps[0].weighted_reward = value),
            ("discount", |body, value| body.steps[0].discount = value),
            ("a return", |body, value| body.steps[0].group.as_mut().unwrap().own = value),
            ("return of a group", |body, value| body.steps[0].group.as_mut().unwrap().others = value),
            ("spread", |body, value| body.steps[0].group.as_mut().unwrap().spread = value),
            ("urgency", |body, value| body.steps[0].moment.urgency = value),
            ("demand", |body, value| body.steps[0].moment.to_come[3][1] = value),
            ("demand", |body, value| body.after.as_mut().unwrap().to_come[0][0] = value),
        ];
        for (what, change) in changes {
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
                let (mut body, states) = sound();
                change(&mut body, value);
                let error = check_numbers(&body, &states).unwrap_err();
                assert!(error.contains(what), "{what} {value}: {error}");
            }
        }
        for value in [f32::NAN, f32::INFINITY, 1e5] {
            let (body, mut states) = sound();
            states[1].features[0] = value;
            let error = check_numbers(&body, &states).unwrap_err();
            assert!(error.contains("a feature of state 1"), "{error}");
        }
    }
}
