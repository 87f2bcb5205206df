//! What a round of learning did, for the logs.

use crate::gradient::Sums;

/// Means over the updates of one round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// Policy loss without the entropy bonus.
    pub policy_loss: f64,
    /// Value loss, in units of the return scale.
    pub value_loss: f64,
    /// Normalised entropy, 0 to 1.
    pub entropy: f64,
    /// Norm of the policy's gradient before clipping.
    pub gradient_norm: f64,
    /// log μ − log π of the decisions: how far the policy moved from the one that acted.
    pub divergence: f64,
    /// Fraction of decisions whose ratio was clipped.
    pub clipped: f64,
    /// Updates done; a count, not a mean.
    pub updates: u64,
    /// Updates skipped because something was not finite; a count.
    pub skipped: u64,
}

impl Statistics {
    /// Adds one update: its sums over `steps` steps.
    pub(crate) fn add(&mut self, sums: &Sums, steps: usize, gradient_norm: f64) {
        let count = steps as f64;
        self.policy_loss -= sums.objective / count;
        self.value_loss += sums.value / count;
        self.entropy += sums.entropy / count;
        self.gradient_norm += gradient_norm;
        self.clipped += sums.clipped / count;
        self.divergence += sums.moved / count;
        self.updates += 1;
    }

    /// The sums that [`Statistics::add`] made, as means.
    pub(crate) fn averaged(self) -> Self {
        let updates = self.updates.max(1) as f64;
        Statistics {
            policy_loss: self.policy_loss / updates,
            value_loss: self.value_loss / updates,
            entropy: self.entropy / updates,
            gradient_norm: self.gradient_norm / updates,
            divergence: self.divergence / updates,
            clipped: self.clipped / updates,
            ..self
        }
    }
}
