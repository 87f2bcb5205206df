//! The policy's forward pass for actors: many small graphs at once, on plain arrays that keep their memory between
//! decisions. The results equal those of [`PolicyNetwork`] up to rounding, which a test checks. Learning uses
//! [`PolicyNetwork`].

mod buffers;
mod encoder;
mod heads;

use state_graph::{Schema, StateGraph};

use crate::PolicyError;
use crate::choices::Choices;
use crate::network::PolicyNetwork;
use encoder::{PlainEncoder, States};
use heads::PlainHeads;

/// A copy of a network's weights, and the memory of its forward pass.
#[derive(Debug)]
pub(crate) struct Inference {
    schema: Schema,
    encoder: PlainEncoder,
    heads: PlainHeads,
    states: States,
}

impl Inference {
    /// Copies the weights of `network`.
    pub(crate) fn new(network: &PolicyNetwork) -> Result<Self, PolicyError> {
        let (encoder, heads) = tch::no_grad(|| {
            Ok::<_, PolicyError>((
                PlainEncoder::new(network.encoder(), network.schema())?,
                PlainHeads::new(network.heads())?,
            ))
        })?;
        Ok(Inference { schema: network.schema().clone(), encoder, heads, states: States::default() })
    }

    /// Embeds `states`; [`Inference::scores`] then refers to these states.
    pub(crate) fn embed(&mut self, states: &[&StateGraph]) {
        self.encoder.embed(&self.schema, states, &mut self.states);
    }

    /// Scores, `[options + graphs]`, with the table of options: one for each option, then one for *wait* in each graph. The score
    /// for *wait* must be ignored where waiting is not allowed.
    pub(crate) fn scores(&mut self) -> (&[f32], &Choices) {
        (self.heads.scores(&self.states), &self.states.choices)
    }
}
