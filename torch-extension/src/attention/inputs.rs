//! What attention computes with.

use tch::Tensor;

/// What attention computes with.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[sources, width]`, of the kind of `attention`; `BFloat16` is also allowed where `attention` is `Float`.
    pub source: &'a Tensor,
    /// `[targets, width]`, of the kind of `source`.
    pub target: &'a Tensor,
    /// `[width]`: the attention vectors of all heads, one after the other.
    pub attention: &'a Tensor,
    /// `[relations, 1 + features, width]`, where edges have terms.
    pub edge: Option<&'a Tensor>,
    /// Number of heads; it divides the width.
    pub heads: i64,
}
