//! The policy's forward pass as an actor needs it: many small graphs at once, on plain arrays that keep their memory from
//! decision to decision. The same numbers as [`PolicyNetwork`]'s up to rounding, which a test holds; learning is there.

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

    /// Embeds `states`; what follows speaks of them.
    pub(crate) fn embed(&mut self, states: &[&StateGraph]) {
        self.encoder.embed(&self.schema, states, &mut self.states);
    }

    /// What may be decided.
    pub(crate) fn choices(&self) -> &Choices {
        &self.states.choices
    }

    /// Scores of the first stage: one a candidate, then one a graph for *wait*, which says nothing where waiting is not
    /// allowed.
    pub(crate) fn which(&mut self) -> &[f32] {
        self.heads.which(&self.states)
    }

    /// Scores of the second stage.
    pub(crate) fn size(&mut self, rows: &StageRows) -> &[f32] {
        self.heads.size(&self.states, rows)
    }

    /// Scores of the third stage.
    pub(crate) fn node(&mut self, rows: &StageRows) -> &[f32] {
        self.heads.node(&self.states, rows)
    }
}

/// `values` as `length` numbers of unknown content.
fn sized(values: &mut Vec<f32>, length: usize) -> &mut [f32] {
    values.resize(length, 0.0);
    values
}

/// Appends the rows of `table` that `places` name.
fn gather(table: &[f32], width: usize, places: &[i64], to: &mut Vec<f32>) {
    to.clear();
    for &place in places {
        let place = place as usize;
        to.extend_from_slice(&table[place * width..(place + 1) * width]);
    }
}
