use common::trajectory::{Choice, Moment, Step};
use proptest::prelude::*;
use state_graph::StateGraph;

use super::*;
use crate::scale::Condition;

/// One decision: reward, discount, Q-value of the best decision and of the one that was made.
type Row = (f32, f32, f32, f32);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec((-3.0_f32..3.0, 0.5_f32..1.0, -2.0_f32..2.0, -2.0_f32..2.0), 1..12)
}

/// Two trajectories of the same decisions: one ends with its episode, one is cut and goes on with a state of value `after`.
fn batch(rows: &[Row]) -> Batch {
    let step = |row: &Row| Step {
        moment: Moment::default(),
        choice: Choice::Wait,
        log_probability: -1.0,
        weighted_reward: row.0,
        discount: row.1,
        group: None,
    };
    let count = rows.len();
    let span = |first: usize, bootstrap: Option<usize>| TrajectorySpan {
        steps: first..first + count,
        bootstrap,
        condition: Condition::new(0, 1.0, 50.0),
        source: None,
        weight: 1.0,
    };
    let mut batch = Batch::default();
    batch.steps = rows.iter().chain(rows).map(step).collect();
    batch.states = vec![StateGraph::default(); 2 * count + 1];
    batch.bootstrap_moments = vec![Moment::default()];
    batch.trajectories = vec![span(0, None), span(count, Some(2 * count))];
    batch
}

/// The targets by their definition, backwards and in double precision: `steps` rewards, then the best value.
fn oracle(rows: &[Row], first: usize, steps: usize, after: f64, unit: f64) -> f64 {
    match (rows.get(first), steps) {
        (None, _) => after * unit,
        (Some(row), 0) => f64::from(row.2) * unit,
        (Some(row), _) => {
            f64::from(row.0) + f64::from(row.1) * oracle(rows, first + 1, steps - 1, after, unit)
        }
    }
}

proptest! {
    #[test]
    fn targets_are_those_of_the_definition(rows in rows(), after in -2.0_f32..2.0) {
        let batch = batch(&rows);
        let best = rows.iter().chain(&rows).map(|row| row.2).chain([after]).collect();
        let outputs = TargetOutputs { values: best, of_decisions: rows.iter().chain(&rows).map(|row| row.3).collect() };
        let reward = RewardConfig::default();
        let mut scales = Scales::default();
        // The unit that values are in before the batch: the magnitude of its returns.
        let conditions = scaled_conditions(&batch, &reward);
        let ends = [0, rows.len()].map(|first| first..first + rows.len());
        let returns = ends.iter().flat_map(|span| {
            span.clone().map(|place| oracle(&rows, place - span.start, usize::MAX, 0.0, 0.0) as f32)
        });
        scales.returns.begin(&with_conditions(&conditions, returns));
        let unit = f64::from(scales.returns.value(conditions[0]));
        let mut scales = Scales::default();
        let targets = q_targets(&batch, outputs, &mut scales, &reward);
        let unit_after = f64::from(scales.returns.value(conditions[0]));
        let expected = [0.0, f64::from(after)].map(|after| {
            (0..rows.len()).map(|first| oracle(&rows, first, 3, after, unit)).collect::<Vec<f64>>()
        });
        for (found, expected) in targets.values.iter().zip(expected.concat()) {
            let found = f64::from(*found) * unit_after;
            prop_assert!((found - expected).abs() <= 1e-3 * (1.0 + expected.abs()), "{found} and {expected}");
        }
        for (priority, expected) in targets.priorities.iter().zip(&expected) {
            let errors = expected.iter().zip(&rows).map(|(target, row)| (target / unit - f64::from(row.3)).abs());
            let mean = errors.sum::<f64>() / rows.len() as f64;
            prop_assert!((f64::from(*priority) - mean).abs() <= 1e-3 * (1.0 + mean), "{priority} and {mean}");
        }
    }
}
