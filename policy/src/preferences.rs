//! How much each part of the reward counts, as a policy is told it.

use common::reward::{Preference, RewardPart};
use safetensors::SafeTensors;
use state_graph::Schema;

use crate::PolicyError;

/// The key of a preference in the header of safetensors bytes.
const KEY: &str = "preference";

/// What a policy is told in each environment.
#[derive(Debug, Default)]
pub(crate) struct Preferences {
    /// The parts that the policy is told of, in the order of its features.
    parts: Vec<RewardPart>,
    /// Where an environment has none of its own.
    pub(crate) default: Preference,
    own: Vec<Option<Preference>>,
}

impl Preferences {
    pub(crate) fn new(schema: &Schema) -> Self {
        let parts = schema.preference_parts();
        let default = Preference::of(parts.iter().map(|part| (*part, 1.0))).unwrap_or_default();
        Preferences { parts, default, own: Vec::new() }
    }

    /// Sets that of `environment`; `None`: the default.
    pub(crate) fn set(&mut self, environment: usize, preference: Option<Preference>) {
        self.own.resize(self.own.len().max(environment + 1), None);
        self.own[environment] = preference;
    }

    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        self.set(to, self.own.get(from).copied().flatten());
    }

    /// That of `environment`.
    pub(crate) fn of(&self, environment: usize) -> Preference {
        self.own.get(environment).copied().flatten().unwrap_or(self.default)
    }

    /// What the policy is told in `environment`: one factor a part; nothing where weights are fixed.
    pub(crate) fn factors(&self, environment: usize) -> Vec<f32> {
        let preference = self.of(environment);
        self.parts.iter().map(|part| preference.factor(*part)).collect()
    }
}

/// A preference for the header of safetensors bytes; [`preference_in`] reads it.
#[must_use]
pub fn preference_header(preference: &Preference) -> (&'static str, String) {
    (KEY, preference.factors().map(|factor| factor.to_string()).join(","))
}

/// The preference in the header of the weights `bytes`; `None` where it holds none.
///
/// # Errors
/// [`PolicyError::Weights`] where the bytes are damaged, or it is no preference.
pub fn preference_in(bytes: &[u8]) -> Result<Option<Preference>, PolicyError> {
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| PolicyError::Weights(error.to_string()))?;
    let Some(text) = header.metadata().as_ref().and_then(|entries| entries.get(KEY)) else { return Ok(None) };
    let factors: Option<Vec<f32>> = text.split(',').map(|factor| factor.parse().ok()).collect();
    let factors = factors.and_then(|factors| factors.try_into().ok()).and_then(Preference::from_factors);
    let wrong = || PolicyError::Weights(format!("`{text}` in their header is no preference"));
    factors.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;
    use crate::encode_tensors;

    #[test]
    fn a_preference_comes_back_from_the_header_and_another_text_is_refused() {
        let weights = |header: &[(&str, String)]| {
            encode_tensors(&[("w".to_owned(), Tensor::from_slice(&[1.0_f32]))], header).unwrap()
        };
        let preference = Preference::of([(RewardPart::Latency, 2.0), (RewardPart::Cost, 1.0)]).unwrap();
        let bytes = weights(&[preference_header(&preference)]);
        assert_eq!(preference_in(&bytes).unwrap(), Some(preference));
        assert_eq!(preference_in(&weights(&[])).unwrap(), None);
        for text in ["1,2", "a,b,c,d,e,f,g", "1,1,1,1,1,1,-1", "1,1,1,1,1,1,inf"] {
            let error = preference_in(&weights(&[(KEY, text.to_owned())])).unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
