//! V-trace (Espeholt et al., 2018), with a discount of its own for every step: decisions are not equally spaced in
//! time (an SMDP), so each step's discount is that of the time until the next.

/// Truncations and trace decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VtraceParameters {
    /// ρ̄: truncates the importance weight of the temporal difference.
    pub rho_bar: f32,
    /// c̄: truncates the importance weight of the trace.
    pub c_bar: f32,
    /// λ: trace decay.
    pub lambda: f32,
}

/// One trajectory, step by step.
#[derive(Clone, Copy, Debug)]
pub struct VtraceInput<'a> {
    /// log(π/μ) of the action that was taken, π the target policy and μ the one that acted.
    pub log_ratios: &'a [f32],
    /// Reward between each decision and the next.
    pub rewards: &'a [f32],
    /// Discount over the time between each decision and the next; of the last step of a finished episode it is not used.
    pub discounts: &'a [f32],
    /// Value of each state.
    pub values: &'a [f32],
    /// Value of the state after the last step; 0 where the episode ended.
    pub bootstrap: f32,
}

/// Targets of the value network, and factors of the policy gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Vtrace {
    /// `vs` of each state.
    pub targets: Vec<f32>,
    /// `r + γ·vs' − V` of each step; the importance weight is left to the policy loss.
    pub advantages: Vec<f32>,
}

/// Computes both in one backward pass, linear in the number of steps.
///
/// # Panics
/// When the slices differ in length.
#[must_use]
pub fn vtrace(input: VtraceInput<'_>, parameters: VtraceParameters) -> Vtrace {
    let steps = input.values.len();
    assert!(
        [input.log_ratios.len(), input.rewards.len(), input.discounts.len()] == [steps; 3],
        "every step has a ratio, a reward, a discount and a value"
    );
    let mut result = Vtrace { targets: vec![0.0; steps], advantages: vec![0.0; steps] };
    let (mut next_value, mut next_target) = (input.bootstrap, input.bootstrap);
    for step in (0..steps).rev() {
        let ratio = input.log_ratios[step].exp();
        let (rho, c) = (ratio.min(parameters.rho_bar), parameters.lambda * ratio.min(parameters.c_bar));
        let (reward, discount, value) = (input.rewards[step], input.discounts[step], input.values[step]);
        let difference = rho * (reward + discount * next_value - value);
        result.advantages[step] = reward + discount * next_target - value;
        next_target = value + difference + discount * c * (next_target - next_value);
        next_value = value;
        result.targets[step] = next_target;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition as the paper writes it: for every s, V(s) plus a sum over t of products over i. Quadratic.
    fn oracle(input: VtraceInput<'_>, parameters: VtraceParameters) -> Vtrace {
        let steps = input.values.len();
        let value =
            |t: usize| if t < steps { f64::from(input.values[t]) } else { f64::from(input.bootstrap) };
        let ratio = |t: usize| f64::from(input.log_ratios[t]).exp();
        let discount = |t: usize| f64::from(input.discounts[t]);
        let target = |s: usize| {
            let mut sum = value(s);
            for t in s..steps {
                let mut product = 1.0;
                for i in s..t {
                    product *= discount(i)
                        * f64::from(parameters.lambda)
                        * ratio(i).min(f64::from(parameters.c_bar));
                }
                let rho = ratio(t).min(f64::from(parameters.rho_bar));
                sum += product * rho * (f64::from(input.rewards[t]) + discount(t) * value(t + 1) - value(t));
            }
            sum
        };
        let advantage = |s: usize| f64::from(input.rewards[s]) + discount(s) * target(s + 1) - value(s);
        Vtrace {
            targets: (0..steps).map(|s| target(s) as f32).collect(),
            advantages: (0..steps).map(|s| advantage(s) as f32).collect(),
        }
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            rows in proptest::collection::vec((-1.5_f32..1.5, -3.0_f32..3.0, 0.5_f32..1.0, -5.0_f32..5.0), 0..24),
            bootstrap in -5.0_f32..5.0,
            rho_bar in 0.5_f32..2.0, c_bar in 0.5_f32..2.0, lambda in 0.0_f32..1.0,
        ) {
            let column = |pick: fn(&(f32, f32, f32, f32)) -> f32| rows.iter().map(pick).collect::<Vec<f32>>();
            let (log_ratios, rewards) = (column(|r| r.0), column(|r| r.1));
            let (discounts, values) = (column(|r| r.2), column(|r| r.3));
            let input = VtraceInput {
                log_ratios: &log_ratios, rewards: &rewards, discounts: &discounts, values: &values, bootstrap,
            };
            let parameters = VtraceParameters { rho_bar, c_bar, lambda };
            let (fast, slow) = (vtrace(input, parameters), oracle(input, parameters));
            for (a, b) in fast.targets.iter().chain(&fast.advantages).zip(slow.targets.iter().chain(&slow.advantages)) {
                prop_assert!((a - b).abs() <= 1e-3 * (1.0 + b.abs()), "{a} and {b}");
            }
        }
    }

    #[test]
    fn on_policy_targets_are_the_discounted_returns() {
        let input = VtraceInput {
            log_ratios: &[0.0; 3],
            rewards: &[1.0, 2.0, 3.0],
            discounts: &[0.5, 0.5, 0.5],
            values: &[10.0, -4.0, 7.0],
            bootstrap: 8.0,
        };
        let result = vtrace(input, VtraceParameters { rho_bar: 1.0, c_bar: 1.0, lambda: 1.0 });
        assert_eq!(result.targets, vec![1.0 + 0.5 * (2.0 + 0.5 * 7.0), 2.0 + 0.5 * 7.0, 3.0 + 0.5 * 8.0]);
    }
}
