//! Graph attention with typed edge terms (GATv2, Brody et al. 2022): for an edge e from j to i of relation r with features x
//!
//! - message `m = source[j] + edge[r, 0] + Σ_f x_f · edge[r, 1 + f]`,
//! - logit of head h `a_h · LeakyReLU(m_h + target[i]_h)` with slope 0.01,
//! - `out[i] = Σ_e softmax(logit)_e · m_e` over the edges that enter i; zero where none does.
//!
//! [`attend`] takes the fused kernels wherever they apply: `f32` on the CPU, for the widths that they have code for. They keep
//! no tensor of edges × width: the backward makes the messages again. Elsewhere it takes [`attend_plain`], the same in
//! tensor operations, which is also what the kernels are tested against; without gradients, on graphs of many edges, in
//! chunks ([`attend_in_chunks`]).

mod plain;

use tch::{Device, Kind, Tensor};

use crate::{EdgeLayout, TorchExtensionError, ffi};
pub use plain::{attend_in_chunks, attend_plain};

/// Edges that have tensors at once where nothing is learnt: 1 GB a tensor at width 64.
const CHUNK_EDGES: i64 = 1 << 22;

/// What attention computes with.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[sources, width]`.
    pub source: &'a Tensor,
    /// `[targets, width]`.
    pub target: &'a Tensor,
    /// `[width]`: head by head.
    pub attention: &'a Tensor,
    /// `[relations, 1 + features, width]`, where edges have terms.
    pub edge: Option<&'a Tensor>,
    /// Heads; they divide the width.
    pub heads: i64,
}

/// `[targets, width]`, with gradients towards all four inputs.
///
/// # Errors
/// [`TorchExtensionError::Argument`] where shapes, kinds or devices do not fit each other.
pub fn attend(inputs: &Inputs<'_>, edges: &EdgeLayout) -> Result<Tensor, TorchExtensionError> {
    check(inputs, edges)?;
    let learns = inputs.source.requires_grad() || inputs.target.requires_grad();
    if is_fused(inputs) {
        fused(inputs, edges)
    } else if learns || edges.edges() <= CHUNK_EDGES {
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
    inputs.source.kind() == Kind::Float && inputs.source.device() == Device::Cpu && has_kernels()
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
    // SAFETY: eleven tensors in the order of `Place`, each alive during the call, contiguous, on the CPU and of the kinds that
    // the kernels read (`check`, `EdgeLayout`); the sorted ends lie within the rows of `source` and `target`.
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
    let of_one_kind =
        |tensor: &Tensor| tensor.kind() == inputs.source.kind() && tensor.device() == inputs.source.device();
    let others = [inputs.target, inputs.attention].into_iter().chain(inputs.edge).chain(&edges.features);
    for other in others {
        let found = format!("of {:?} on {:?}", other.kind(), other.device());
        expect("a tensor", found, of_one_kind(other), || {
            format!("{:?} on {:?}, as `source`", inputs.source.kind(), inputs.source.device())
        })?;
    }
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
