//! The optimisers of both networks, and the guard against updates that are not finite.

use crate::LearnerError;
use crate::adam::{Adam, clip_gradients, zero_gradients};
use crate::networks::Networks;

/// One [`Adam`] a network.
#[derive(Debug)]
pub struct Optimisers {
    /// Of the policy.
    pub policy: Adam,
    /// Of the value network.
    pub value: Adam,
}

/// Norms of the gradients before they were clipped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norms {
    pub(crate) policy: f64,
    pub(crate) value: f64,
}

impl Norms {
    pub(crate) fn are_finite(&self) -> bool {
        self.policy.is_finite() && self.value.is_finite()
    }
}

impl Optimisers {
    /// Zero moments for `networks`.
    #[must_use]
    pub fn new(networks: &Networks) -> Self {
        Optimisers {
            policy: Adam::new(networks.policy.parameters()),
            value: Adam::new(networks.value.parameters()),
        }
    }

    /// Moves the policy, and with `learn_value` the value network, against their gradients, which are zero afterwards.
    pub(crate) fn step(
        &mut self,
        networks: &Networks,
        learning_rate: f64,
        learn_value: bool,
    ) -> Result<(), LearnerError> {
        self.policy.step(networks.policy.parameters(), learning_rate)?;
        if learn_value {
            self.value.step(networks.value.parameters(), learning_rate)?;
        }
        Ok(())
    }
}

/// Scales the gradient of each network down to a norm of at most `largest`.
pub(crate) fn clip(networks: &Networks, largest: f64) -> Result<Norms, LearnerError> {
    Ok(Norms {
        policy: clip_gradients(networks.policy.parameters(), largest)?,
        value: clip_gradients(networks.value.parameters(), largest)?,
    })
}

/// Sets the gradients of both networks to zero.
pub(crate) fn forget_gradients(networks: &Networks) {
    zero_gradients(networks.policy.parameters());
    zero_gradients(networks.value.parameters());
}
