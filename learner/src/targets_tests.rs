use common::trajectory::{Choice, GroupReturn, Moment, Step};
use configuration::GroupConfig;
use proptest::prelude::*;
use state_graph::StateGraph;

use super::*;
use crate::batch::TrajectorySpan;

/// One decision: reward of its own rollout and of the others until the next one, discount, log π − log μ, value.
type Row = (f32, f32, f32, f32, f32);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(
        (-3.0_f32..3.0, -3.0_f32..3.0, 0.5_f32..1.0, -1.5_f32..1.5, -2.0_f32..2.0),
        1..16,
    )
}

fn config(advantage: Advantage) -> LearnerConfig {
    let group = Some(GroupConfig { rollouts: 2, scale: GroupScale::Condition });
    LearnerConfig {
        advantage,
        group,
        rho_bar: 1.0,
        c_bar: 1.0,
        advantage_clip: 1e9,
        ..LearnerConfig::default()
    }
}

/// A whole episode as one trajectory.
fn batch(rows: &[Row]) -> Batch {
    let mut steps = Vec::new();
    let (mut own, mut others) = (0.0, 0.0);
    for &(reward, reward_of_others, discount, ..) in rows.iter().rev() {
        own = reward + discount * own;
        others = reward_of_others + discount * others;
        steps.push(Step {
            moment: Moment::default(),
            choice: Choice::Wait,
            log_probability: -1.0,
            weighted_reward: reward,
            discount,
            group: Some(GroupReturn { own, others, spread: 1.0 }),
        });
    }
    steps.reverse();
    let span = TrajectorySpan {
        steps: 0..steps.len(),
        bootstrap: None,
        condition: Condition::new(0, 1.0, 50.0),
        source: None,
        weight: 1.0,
    };
    let mut batch = Batch::default();
    batch.states = vec![StateGraph::default(); steps.len()];
    (batch.steps, batch.trajectories) = (steps, vec![span]);
    batch
}

fn outputs(rows: &[Row]) -> TargetOutputs {
    TargetOutputs {
        values: rows.iter().map(|row| row.4).collect(),
        of_decisions: rows.iter().map(|row| row.3 - 1.0).collect(),
    }
}

/// Advantages by the definition, in double precision: `reward` of a row is what counts.
fn oracle(rows: &[Row], reward: impl Fn(&Row) -> f64, unit: f64) -> Vec<f64> {
    let value = |t: usize| rows.get(t).map_or(0.0, |row| f64::from(row.4));
    let truncated = |t: usize| f64::from(rows[t].3).exp().min(1.0);
    let discount = |t: usize| if t + 1 < rows.len() { f64::from(rows[t].2) } else { 0.0 };
    let difference = |t: usize| reward(&rows[t]) / unit + discount(t) * value(t + 1) - value(t);
    let target = |s: usize| {
        let product = |t: usize| (s..t).map(|i| discount(i) * truncated(i)).product::<f64>();
        value(s) + (s..rows.len()).map(|t| product(t) * truncated(t) * difference(t)).sum::<f64>()
    };
    let next = |s: usize| if s + 1 < rows.len() { discount(s) * target(s + 1) } else { 0.0 };
    (0..rows.len()).map(|s| truncated(s) * (reward(&rows[s]) / unit + next(s) - value(s))).collect()
}

/// Advantages that were computed, in units of the returns again; that unit; and how much of the values counted.
fn computed(rows: &[Row], advantage: Advantage) -> (Vec<f64>, f64, f32) {
    let batch = batch(rows);
    let mut scales = Scales::default();
    let spans: Vec<Rewards> = match advantage {
        Advantage::Group => Rewards::beyond_groups(&batch).unwrap(),
        Advantage::Vtrace => Rewards::as_played(&batch),
    };
    let mut first = Scales::default();
    let group = advantage == Advantage::Group;
    let conditions = batch.conditions((!group).then_some(3));
    first.returns.begin(&with_conditions(&conditions, returns(&spans)));
    let condition = conditions[0];
    let unit = f64::from(first.returns.value(condition));
    let control = match advantage {
        Advantage::Group => {
            let units = vec![unit as f32; rows.len()];
            control_coefficient(&returns(&spans), &units, &outputs(rows).values)
        }
        Advantage::Vtrace => 1.0,
    };
    let targets =
        Targets::new(&batch, outputs(rows), &mut scales, (&config(advantage), &RewardConfig::default()))
            .unwrap();
    let scale = f64::from(scales.advantages.value(condition));
    (targets.advantages.iter().map(|&advantage| f64::from(advantage) * scale).collect(), unit, control)
}

proptest! {
    #[test]
    fn group_advantages_are_vtrace_on_what_differs_from_the_others(rows in rows()) {
        let (found, unit, control) = computed(&rows, Advantage::Group);
        let rows: Vec<Row> = rows.iter().map(|row| (row.0, row.1, row.2, row.3, control * row.4)).collect();
        let expected = oracle(&rows, |row| f64::from(row.0) - f64::from(row.1), unit);
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!((found - expected).abs() <= 1e-3 * (1.0 + expected.abs()), "{found} and {expected}");
        }
    }

    #[test]
    fn vtrace_advantages_are_those_of_the_definition(rows in rows()) {
        let (found, unit, _) = computed(&rows, Advantage::Vtrace);
        let expected = oracle(&rows, |row| f64::from(row.0), unit);
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!((found - expected).abs() <= 1e-3 * (1.0 + expected.abs()), "{found} and {expected}");
        }
    }
}

#[test]
fn on_policy_and_without_values_they_are_the_differences_of_the_returns() {
    let rows = [(-1.0, -2.0, 0.9, 0.0, 0.0), (-3.0, -1.0, 0.8, 0.0, 0.0), (-2.0, -2.5, 1.0, 0.0, 0.0)];
    let (found, unit, _) = computed(&rows, Advantage::Group);
    for (found, step) in found.iter().zip(&batch(&rows).steps) {
        let group = step.group.unwrap();
        assert!((found * unit - f64::from(group.own - group.others)).abs() < 1e-4);
    }
}

#[test]
fn large_advantages_are_bounded() {
    let mut rows = vec![(0.01, 0.0, 0.0, 0.0, 0.0); 99];
    rows.push((-50.0, 0.0, 0.0, 0.0, 0.0));
    let bounded = LearnerConfig { advantage_clip: 2.0, ..config(Advantage::Vtrace) };
    let targets = Targets::new(
        &batch(&rows),
        outputs(&rows),
        &mut Scales::default(),
        (&bounded, &RewardConfig::default()),
    )
    .unwrap();
    assert_eq!(targets.advantages[99], -2.0);
    assert!(targets.advantages[0] > 0.0);
}

#[test]
fn values_count_as_far_as_they_predict() {
    let control = |values: fn(f32) -> f32| {
        let rows: Vec<Row> = (0..50).map(|place| ((place % 7) as f32 - 3.0, 0.0, 0.9, 0.0, 0.0)).collect();
        let batch = batch(&rows);
        let sums = returns(&Rewards::beyond_groups(&batch).unwrap());
        let values: Vec<f32> = sums.iter().map(|sum| values(sum / 2.0)).collect();
        control_coefficient(&sums, &[2.0; 50], &values)
    };
    assert_eq!(control(|right| right), 1.0);
    assert!((control(|right| 2.0 * right) - 0.5).abs() < 1e-6);
    assert_eq!(control(|right| -right), 0.0);
    assert_eq!(control(|_| 0.0), 0.0);
}
