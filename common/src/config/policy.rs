use garde::Validate;
use serde::{Deserialize, Serialize};

/// Shape of the graph networks. The value network has the policy's shape and weights of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Width of every embedding; divisible by `heads`.
    #[garde(range(min = 8, max = 1024), custom(divisible_by(self.heads)))]
    pub width: usize,
    /// Attention heads.
    #[garde(range(min = 1, max = 64))]
    pub heads: usize,
    /// Message-passing layers; 0: every node is seen alone and in the pools only, which is what edges are compared with.
    #[garde(range(max = 16))]
    pub layers: usize,
    /// Message-passing layers of the value network.
    #[garde(range(max = 16))]
    pub value_layers: usize,
    /// A node hears at most so many edges of each type, drawn anew for every decision (an edge stays where either of its ends draws
    /// it); 0: all. For large clusters: cost then follows nodes, not pairs of what waits and where it may go.
    #[garde(skip)]
    pub neighbours: usize,
    /// Dropout on the attention output while learning; never on where importance ratios are computed.
    #[garde(range(min = 0.0, max = 0.9))]
    pub dropout: f64,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        PolicyConfig { width: 64, heads: 4, layers: 2, value_layers: 1, neighbours: 0, dropout: 0.0 }
    }
}

fn divisible_by(heads: usize) -> impl FnOnce(&usize, &()) -> garde::Result {
    move |width, _context| {
        if heads > 0 && width % heads == 0 {
            return Ok(());
        }
        Err(garde::Error::new(format!("is {width}, which {heads} heads do not divide")))
    }
}
