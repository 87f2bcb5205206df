//! The policy's forward pass for actors: many small graphs at once, on plain arrays that keep their memory between
//! decisions. The results equal those of [`PolicyNetwork`] up to rounding, which a test checks. Learning uses
//! [`PolicyNetwork`].

mod buffers;
mod encoder;
mod heads;

use state_graph::{Schema, StateGraph};

use crate::PolicyError;
use crate::choices::Choices;
use crate::heads::StageRows;
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

    /// Embeds `states`; the other methods then refer to these states.
    pub(crate) fn embed(&mut self, states: &[&StateGraph]) {
        self.encoder.embed(&self.schema, states, &mut self.states);
    }

    /// The possible decisions in the embedded states.
    pub(crate) fn choices(&self) -> &Choices {
        &self.states.choices
    }

    /// Scores of the first stage, `[candidates + graphs]`: one per candidate, then one per graph for *wait*. The score
    /// for *wait* must be ignored where waiting is not allowed.
    pub(crate) fn which(&mut self) -> &[f32] {
        self.heads.which(&self.states)
    }

    /// Scores of the second stage, `[alternatives]`.
    pub(crate) fn size(&mut self, rows: &StageRows) -> &[f32] {
        self.heads.size(&self.states, rows)
    }

    /// Scores of the third stage, `[alternatives]`.
    pub(crate) fn node(&mut self, rows: &StageRows) -> &[f32] {
        self.heads.node(&self.states, rows)
    }
}
