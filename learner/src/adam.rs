//! Adam (Kingma & Ba, 2015) over named tensors, with a state that can be saved: the optimiser of tch cannot.

use policy::Parameters;
use tch::Tensor;

use crate::LearnerError;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// First and second moments of every parameter's gradient, and how many updates they have seen. Like values and gradients
/// they lie in one flat tensor each.
#[derive(Debug)]
pub struct Adam {
    first: Tensor,
    second: Tensor,
    updates: u64,
}

impl Adam {
    /// Zero moments for `parameters`.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        let zeros = || parameters.values().zeros_like();
        Adam { first: zeros(), second: zeros(), updates: 0 }
    }

    /// Moves `parameters` against their gradients and leaves the gradients at zero. A parameter that took no part in
    /// the loss counts as one with a gradient of zero.
    ///
    /// # Errors
    /// [`LearnerError::Tensor`].
    pub fn step(&mut self, parameters: &Parameters, learning_rate: f64) -> Result<(), LearnerError> {
        self.updates += 1;
        let correction_1 = 1.0 - BETA_1.powi(self.updates as i32);
        let correction_2 = 1.0 - BETA_2.powi(self.updates as i32);
        let mut gradient = parameters.gradients().shallow_clone();
        tch::no_grad(|| {
            let _ = self.first.f_lerp_(&gradient, 1.0 - BETA_1)?;
            let _ = self.second.f_lerp_(&gradient.f_square()?, 1.0 - BETA_2)?;
            let denominator = self.second.f_div_scalar(correction_2)?.f_sqrt_()?.f_add_scalar_(EPSILON)?;
            let change = self.first.f_div(&denominator)?.f_mul_scalar_(-learning_rate / correction_1)?;
            let _ = parameters.values().shallow_clone().f_add_(&change)?;
            let _ = gradient.f_zero_()?;
            Ok(())
        })
    }

    /// The state as named tensors: `first.NAME`, `second.NAME` for the names of `parameters`, and `updates` (two halves of 16
    /// bits, exact in `f32`).
    #[must_use]
    pub fn state(&self, parameters: &Parameters) -> Vec<(String, Tensor)> {
        let mut state = self.moments(parameters);
        let halves = [(self.updates & 0xffff) as f32, (self.updates >> 16) as f32];
        state.push(("updates".to_owned(), Tensor::from_slice(&halves)));
        state
    }

    /// Takes over a state written by [`Adam::state`].
    ///
    /// # Errors
    /// [`LearnerError::OptimizerState`] where a tensor is missing or has another shape; the state is then undefined.
    pub fn restore(
        &mut self,
        parameters: &Parameters,
        state: &[(String, Tensor)],
    ) -> Result<(), LearnerError> {
        let find = |name: &str| {
            let found = state.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor);
            found.ok_or_else(|| LearnerError::OptimizerState(format!("`{name}` is missing")))
        };
        for (name, mut moment) in self.moments(parameters) {
            let read = find(&name)?;
            if read.size() != moment.size() {
                let message = format!("`{name}` has shape {:?}, not {:?}", read.size(), moment.size());
                return Err(LearnerError::OptimizerState(message));
            }
            moment.f_copy_(read)?;
        }
        let halves: Vec<f32> = Vec::try_from(find("updates")?)?;
        let [low, high] = halves[..] else {
            return Err(LearnerError::OptimizerState("`updates` has not two values".to_owned()));
        };
        self.updates = low as u64 | ((high as u64) << 16);
        Ok(())
    }

    /// Views of both moments of each parameter.
    fn moments(&self, parameters: &Parameters) -> Vec<(String, Tensor)> {
        let named = |prefix: &str, flat: &Tensor| {
            let views = parameters.split(flat).into_iter();
            views.map(|(name, view)| (format!("{prefix}.{name}"), view)).collect::<Vec<_>>()
        };
        let mut moments = named("first", &self.first);
        moments.extend(named("second", &self.second));
        moments
    }
}

/// Scales the gradients of `parameters` down to a joint norm of `largest` and returns the norm that they had.
///
/// # Errors
/// [`LearnerError::Tensor`].
pub fn clip_gradients(parameters: &Parameters, largest: f64) -> Result<f64, LearnerError> {
    let mut gradients = parameters.gradients().shallow_clone();
    let norm = gradients.f_square()?.f_sum(tch::Kind::Double)?.f_double_value(&[])?.sqrt();
    if norm > largest {
        let _ = gradients.f_mul_scalar_(largest / norm)?;
    }
    Ok(norm)
}

/// Sets the gradients of `parameters` to zero.
pub fn zero_gradients(parameters: &Parameters) {
    let _ = parameters.gradients().shallow_clone().zero_();
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::RunSeed;
    use configuration::PolicyConfig;
    use policy::ValueNetwork;

    /// Adam on plain numbers, as the paper's algorithm 1 reads.
    fn oracle(mut value: f64, gradients: &[f64], learning_rate: f64) -> f64 {
        let (mut first, mut second) = (0.0, 0.0);
        for (t, gradient) in gradients.iter().enumerate() {
            first = 0.9 * first + 0.1 * gradient;
            second = 0.999 * second + 0.001 * gradient * gradient;
            let t = t as i32 + 1;
            let corrected = (first / (1.0 - 0.9_f64.powi(t)), second / (1.0 - 0.999_f64.powi(t)));
            value -= learning_rate * corrected.0 / (corrected.1.sqrt() + 1e-8);
        }
        value
    }

    fn network(seed: u64) -> ValueNetwork {
        let config = PolicyConfig { width: 8, heads: 2, layers: 1, ..PolicyConfig::default() };
        ValueNetwork::new(&state_graph::slots::schema(), &config, RunSeed(seed))
    }

    fn set_gradients(parameters: &Parameters, gradient: f64) {
        let total: Tensor = parameters.named().iter().map(|(_, value)| value.sum(tch::Kind::Float)).sum();
        (total * gradient).backward();
    }

    #[test]
    fn steps_equal_the_algorithm_also_across_a_restore() {
        let network = network(1);
        let parameters = network.parameters();
        let gradients = [0.5, -2.0, 0.1, 3.0, -0.7];
        let before: Vec<f64> =
            parameters.named().iter().map(|(_, value)| value.view([-1]).double_value(&[0])).collect();
        let mut adam = Adam::new(parameters);
        for (index, &gradient) in gradients.iter().enumerate() {
            if index == 3 {
                let state = adam.state(parameters);
                adam = Adam::new(parameters);
                adam.restore(parameters, &state).unwrap();
            }
            set_gradients(parameters, gradient);
            adam.step(parameters, 0.01).unwrap();
        }
        for ((_, value), before) in parameters.named().iter().zip(before) {
            let expected = oracle(before, &gradients, 0.01);
            assert!((value.view([-1]).double_value(&[0]) - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn gradients_are_clipped_to_a_joint_norm() {
        let network = network(2);
        let parameters = network.parameters();
        set_gradients(parameters, 3.0);
        let count: i64 = parameters.named().iter().map(|(_, value)| value.numel() as i64).sum();
        let norm = clip_gradients(parameters, 0.5).unwrap();
        assert!((norm - 3.0 * (count as f64).sqrt()).abs() < 1e-3 * norm);
        assert!((clip_gradients(parameters, 1e9).unwrap() - 0.5).abs() < 1e-5);
    }

    #[test]
    fn a_state_of_another_network_is_refused() {
        let network = network(1);
        let mut adam = Adam::new(network.parameters());
        assert!(adam.restore(network.parameters(), &[]).is_err());
    }
}
