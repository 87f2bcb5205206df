//! Graph attention with typed edge terms (GATv2, Brody et al. 2022): for an edge e from j to i of relation r with
//! features x
//!
//! - message `m = source[j] + edge[r, 0] + Σ_f x_f · edge[r, 1 + f]`,
//! - logit of head h `a_h · LeakyReLU(m_h + target[i]_h)` with slope 0.01,
//! - `out[i] = Σ_e softmax(logit)_e · m_e` over the edges that enter i; zero where none does.
//!
//! [`attend`] takes the fused kernels wherever they apply: `f32` on the CPU, for the widths that they have code for.
//! They keep no tensor of edges × width: the backward makes the messages again. Elsewhere it takes [`attend_plain`],
//! the same in tensor operations, which is also what the kernels are tested against; without gradients, on graphs of
//! many edges, in chunks ([`attend_in_chunks`]).
//!
//! `source` and `target` may be stored as `BFloat16`, half the memory; everything else stays `Float` and all arithmetic
//! is in `f32`. The gradients of these two are rounded (to nearest even) into their kind, and so are the rows of the
//! result's gradient that the one of `source` is summed from.

mod inputs;
mod plain;

use tch::{Device, Kind, Tensor};

use crate::{EdgeLayout, TorchExtensionError, ffi};
pub use inputs::Inputs;
pub use plain::{attend_in_chunks, attend_plain, attention_weights};

/// Most edges that are computed at once without gradients: 1 GB per `f32` tensor at width 64.
const CHUNK_EDGES: i64 = 1 << 22;

/// `[targets, width]` of the kind of `attention`, with gradients towards all four inputs.
///
/// # Errors
/// [`TorchExtensionError::Argument`] where shapes, kinds or devices do not fit each other.
pub fn attend(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<Tensor, TorchExtensionError> {
    check(inputs, edges)?;
    if is_fused(inputs) {
        fused(inputs, edges)
    } else if edges.edges() <= CHUNK_EDGES || learns(inputs)? {
        attend_plain(inputs, edges)
    } else {
        attend_in_chunks(inputs, edges, CHUNK_EDGES)
    }
}

/// Whether the fused kernels take these inputs.
#[must_use]
pub fn is_fused(inputs: &Inputs<'_>) -> bool {
    let head = inputs.target.size()[1] / inputs.heads;
    // SAFETY: a function of two numbers.
    let has_kernels = || unsafe { ffi::longshore_has_attention(inputs.heads, head) };
    let is_stored = matches!(inputs.source.kind(), Kind::Float | Kind::BFloat16);
    is_stored && inputs.source.device() == Device::Cpu && has_kernels()
}

/// Whether gradients are needed. It applies an operation to zero rows of each input and asks whether the result
/// requires gradients: this also respects `no_grad`, which a view of the input would not.
fn learns(inputs: &Inputs<'_>) -> Result<bool, TorchExtensionError> {
    let all = [inputs.source, inputs.target, inputs.attention].into_iter().chain(inputs.edge);
    let made: Vec<Tensor> = all.map(|tensor| tensor.f_narrow(0, 0, 0)?.f_neg()).collect::<Result<_, _>>()?;
    Ok(made.iter().any(Tensor::requires_grad))
}

fn fused(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<Tensor, TorchExtensionError> {
    let rows = |tensor: &Tensor| tensor.f_contiguous();
    let (source, target, attention) = (rows(inputs.source)?, rows(inputs.target)?, rows(inputs.attention)?);
    let edge = inputs.edge.map(rows).transpose()?;
    let handle = |tensor: &Option<Tensor>| tensor.as_ref().map_or(std::ptr::null(), ffi::handle);
    let tensors = [
        ffi::handle(&source),
        ffi::handle(&target),
        ffi::handle(&attention),
        handle(&edge),
        ffi::handle(&edges.offsets),
        ffi::handle(&edges.sources),
        handle(&edges.relations),
        handle(&edges.features),
        ffi::handle(&edges.out_offsets),
        ffi::handle(&edges.out_places),
        ffi::handle(&edges.out_targets),
    ];
    let mut out = std::ptr::null_mut();
    // SAFETY: eleven tensors in the order of `Place`, each alive during the call, contiguous, on the CPU and of the
    // kinds that the kernels read (`check_kinds`, `EdgeLayout`); the sorted ends lie within the rows of `source` and
    // `target`.
    ffi::check(unsafe { ffi::longshore_attend(tensors.as_ptr(), inputs.heads, &mut out) })?;
    Ok(ffi::own(out))
}

fn check(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<(), TorchExtensionError> {
    let width = inputs.attention.size().iter().product::<i64>();
    expect("heads", inputs.heads.to_string(), inputs.heads > 0 && width % inputs.heads == 0, || {
        format!("a divisor of the width {width}")
    })?;
    expect_shape("source", inputs.source, &[edges.source_nodes, width])?;
    expect_shape("target", inputs.target, &[edges.target_nodes, width])?;
    check_kinds(inputs, edges)?;
    match (edges.edge_terms(), inputs.edge) {
        _ if edges.edges() == 0 => Ok(()),
        (None, None) => Ok(()),
        (Some((relations, features)), Some(edge)) => {
            let size = edge.size();
            let fits = size.len() == 3 && size[0] >= relations && size[1] == 1 + features && size[2] == width;
            expect("edge", format!("is {size:?}"), fits, || {
                format!("[at least {relations}, {}, {width}]", 1 + features)
            })
        }
        (terms, _) => expect("edge", "weights".to_owned(), false, || {
            format!("{} for these edges", if terms.is_some() { "given" } else { "none" })
        }),
    }
}

/// One kind everywhere, or `BFloat16` projections beside `Float`; one device.
fn check_kinds(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<(), TorchExtensionError> {
    let (stored, device) = (inputs.source.kind(), inputs.source.device());
    let computed = if stored == Kind::BFloat16 { Kind::Float } else { stored };
    let of = |argument, tensor: &Tensor, kind: Kind| {
        let found = format!("of {:?} on {:?}", tensor.kind(), tensor.device());
        expect(argument, found, tensor.kind() == kind && tensor.device() == device, || {
            format!("{kind:?} on {device:?}, as `source` is of {stored:?}")
        })
    };
    of("target", inputs.target, stored)?;
    of("attention", inputs.attention, computed)?;
    inputs.edge.map_or(Ok(()), |edge| of("edge", edge, computed))?;
    edges.features.as_ref().map_or(Ok(()), |features| of("features", features, computed))
}

fn expect(
    argument: &'static str,
    found: String,
    holds: bool,
    expected: impl FnOnce() -> String,
) -> Result<(), TorchExtensionError> {
    if holds { Ok(()) } else { Err(TorchExtensionError::Argument { argument, found, expected: expected() }) }
}

fn expect_shape(argument: &'static str, tensor: &Tensor, shape: &[i64]) -> Result<(), TorchExtensionError> {
    let size = tensor.size();
    expect(argument, format!("is {size:?}"), size == shape, || format!("{shape:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_flow_where_any_input_wants_them_and_they_are_switched_on() {
        let tensor =
            |learnt: bool| Tensor::zeros([1, 4], (Kind::Float, Device::Cpu)).set_requires_grad(learnt);
        let (plain, learnt) = (tensor(false), tensor(true));
        let inputs = Inputs { source: &plain, target: &plain, attention: &plain, edge: None, heads: 1 };
        assert!(!learns(&inputs).unwrap());
        let inputs = Inputs { attention: &learnt, ..inputs };
        assert!(learns(&inputs).unwrap());
        assert!(!tch::no_grad(|| learns(&inputs)).unwrap());
    }
}
