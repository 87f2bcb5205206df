//! The attention in tensor operations: any device, any kind, any width.

use tch::{Kind, Tensor};

use super::Inputs;
use crate::{EdgeLayout, TorchExtensionError};

/// [`attend`](super::attend) as the formula reads; it keeps several tensors of edges × width. Projections that are stored as
/// `BFloat16` are widened first.
///
/// # Errors
/// [`TorchExtensionError::Tensor`] where libtorch refuses.
pub fn attend_plain(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<Tensor, TorchExtensionError> {
    let width = inputs.target.size()[1];
    let split = [edges.edges(), inputs.heads, width / inputs.heads];
    let computed = inputs.attention.kind();
    let (source, target) = (inputs.source.f_to_kind(computed)?, inputs.target.f_to_kind(computed)?);
    let mut messages = source.f_index_select(0, &edges.sources)?;
    if let Some(terms) = edge_terms(inputs, edges)? {
        messages += terms;
    }
    let heard = &messages + target.f_index_select(0, &edges.targets)?;
    let attention = inputs.attention.f_reshape([1, inputs.heads, width / inputs.heads])?;
    let logits = heard.f_leaky_relu()?.f_view(split)?.f_mul(&attention)?;
    let logits = logits.f_sum_dim_intlist([-1_i64].as_slice(), false, None)?;
    let weights = softmax(&logits, edges)?.f_unsqueeze(-1)?;
    let weighted = messages.f_view(split)?.f_mul(&weights)?.f_view([edges.edges(), width])?;
    sum(&weighted, edges)
}

/// `[edges, width]`: relation by relation, so that no tensor of edges × features × width is made.
fn edge_terms(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<Option<Tensor>, TorchExtensionError> {
    let (Some(relations), Some(weights)) = (&edges.relations, inputs.edge) else { return Ok(None) };
    let mut terms = weights.f_select(1, 0)?.f_index_select(0, relations)?;
    if let Some(features) = &edges.features {
        for relation in 0..weights.size()[0] {
            let places = relations.f_eq(relation)?.f_nonzero()?.f_squeeze_dim(1)?;
            let of_relation = weights.f_get(relation)?.f_narrow(0, 1, features.size()[1])?;
            let part = features.f_index_select(0, &places)?.f_matmul(&of_relation)?;
            terms = terms.f_index_add(0, &places, &part)?;
        }
    }
    Ok(Some(terms))
}

/// Softmax of each head over the edges of each target.
fn softmax(logits: &Tensor, edges: &EdgeLayout) -> Result<Tensor, TorchExtensionError> {
    let index = edges.targets.f_to_kind(Kind::Int64)?.f_unsqueeze(-1)?.f_expand_as(logits)?;
    let shape = [edges.target_nodes, logits.size()[1]];
    let largest =
        tch::no_grad(|| {
            Tensor::f_full(shape, f64::NEG_INFINITY, (logits.kind(), logits.device()))?
                .f_internal_scatter_reduce(0, &index, &logits.detach(), "amax", true)
        })?;
    let weights = (logits - largest.f_index_select(0, &edges.targets)?).f_exp()?;
    let totals = sum(&weights, edges)?;
    Ok(weights / totals.f_index_select(0, &edges.targets)?)
}

fn sum(rows: &Tensor, edges: &EdgeLayout) -> Result<Tensor, TorchExtensionError> {
    let shape = [edges.target_nodes, rows.size()[1]];
    Ok(Tensor::f_zeros(shape, (rows.kind(), rows.device()))?.f_index_add(0, &edges.targets, rows)?)
}
