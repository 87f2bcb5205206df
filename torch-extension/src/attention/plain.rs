//! The attention in tensor operations: any device, any kind, any width.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::inputs::Inputs;
use crate::{EdgeLayout, TorchExtensionError};

/// [`attend`](super::attend) as the formula reads; it keeps several tensors of edges × width. Projections that are
/// stored as `BFloat16` are widened first.
///
/// # Errors
/// [`TorchExtensionError::Tensor`] where libtorch refuses.
pub fn attend_plain(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<Tensor, TorchExtensionError> {
    let width = inputs.target.size()[1];
    let split = [edges.edges(), inputs.heads, width / inputs.heads];
    let (messages, weights) = messages_and_weights(inputs, edges)?;
    let weighted =
        messages.f_view(split)?.f_mul(&weights.f_unsqueeze(-1)?)?.f_view([edges.edges(), width])?;
    sum(&weighted, edges)
}

/// `[edges, heads]`, in the order of `edges`: the weights with which each target sums what it hears; those of one target and head
/// add up to 1.
///
/// # Errors
/// As [`attend_plain`].
pub fn attention_weights(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<Tensor, TorchExtensionError> {
    Ok(messages_and_weights(inputs, edges)?.1)
}

/// Messages `[edges, width]` and their weights `[edges, heads]`.
fn messages_and_weights(
    inputs: &Inputs<'_>,
    edges: &EdgeLayout,
) -> Result<(Tensor, Tensor), TorchExtensionError> {
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
    let weights = softmax(&logits, edges)?;
    Ok((messages, weights))
}

/// [`attend_plain`] without gradients. It takes the targets in chunks, so that at most `max_edges` edges (a hub's, where it has more)
/// have tensors at once.
///
/// # Errors
/// As [`attend_plain`].
pub fn attend_in_chunks(
    inputs: &Inputs<'_>,
    edges: &EdgeLayout,
    max_edges: i64,
) -> Result<Tensor, TorchExtensionError> {
    let chunk = |targets: &Range<i64>| {
        let target = inputs.target.f_narrow(0, targets.start, targets.end - targets.start)?;
        attend_plain(&Inputs { target: &target, ..*inputs }, &edges.of_targets(targets)?)
    };
    tch::no_grad(|| {
        let parts: Vec<Tensor> = edges.chunks(max_edges)?.iter().map(chunk).collect::<Result<_, _>>()?;
        // Without targets there is nothing to put together.
        if parts.is_empty() { attend_plain(inputs, edges) } else { Ok(Tensor::f_cat(&parts, 0)?) }
    })
}

/// `[edges, width]`, in one product: an edge's row holds 1 and its features in the columns of its relation, zeros
/// elsewhere.
fn edge_terms(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<Option<Tensor>, TorchExtensionError> {
    let (Some(relations), Some(weights)) = (&edges.relations, inputs.edge) else { return Ok(None) };
    let &[known, columns, width] = weights.size().as_slice() else { unreachable!("`check` saw three sides") };
    let options = (weights.kind(), weights.device());
    let one = Tensor::f_ones([edges.edges(), 1], options)?;
    let own = match &edges.features {
        Some(features) => Tensor::f_cat(&[&one, features], 1)?,
        None => one,
    };
    let first = Tensor::f_arange(edges.edges(), (Kind::Int64, weights.device()))? * known;
    let rows = Tensor::f_zeros([edges.edges() * known, columns], options)?.f_index_copy_(
        0,
        &(first + relations),
        &own,
    )?;
    let all = rows.f_view([edges.edges(), known * columns])?;
    Ok(Some(all.f_matmul(&weights.f_reshape([known * columns, width])?)?))
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
