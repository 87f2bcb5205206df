//! Linear layers as one operation with their activation or their residual.

use tch::{Device, Kind, Tensor};

use crate::{TorchExtensionError, ffi};

/// The operation that follows the product of a linear layer.
#[derive(Clone, Copy, Debug)]
pub enum Then<'a> {
    /// The product is returned as it is.
    Nothing,
    /// ReLU is applied to every element.
    Relu,
    /// `[rows, outputs]`, added to the product: a residual connection.
    Add(&'a Tensor),
}

/// `x W + b` and what follows: `x` `[rows, inputs]`, `weight` `[inputs, outputs]`, `bias` `[outputs]`. One kernel where
/// all are `f32` on the CPU, tensor operations elsewhere.
///
/// # Errors
/// [`TorchExtensionError::Argument`] where shapes do not fit each other, [`TorchExtensionError::Tensor`] where libtorch
/// refuses.
pub fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    then: Then<'_>,
) -> Result<Tensor, TorchExtensionError> {
    let added = match then {
        Then::Add(added) => Some(added),
        Then::Nothing | Then::Relu => None,
    };
    let is_plain = |tensor: &Tensor| tensor.kind() != Kind::Float || tensor.device() != Device::Cpu;
    if [x, weight].into_iter().chain(bias).chain(added).any(is_plain) {
        return plain(x, weight, bias, then);
    }
    check(x, weight, bias, added)?;
    let (x, weight) = (x.f_contiguous()?, weight.f_contiguous()?);
    let (bias, added) =
        (bias.map(Tensor::f_contiguous).transpose()?, added.map(Tensor::f_contiguous).transpose()?);
    let handle = |tensor: &Option<Tensor>| tensor.as_ref().map_or(std::ptr::null(), ffi::handle);
    let relu = matches!(then, Then::Relu);
    let mut out = std::ptr::null_mut();
    // SAFETY: the tensors live during the call, are contiguous `f32` on the CPU, and their shapes fit (`check`).
    ffi::check(unsafe {
        ffi::longshore_linear_operation(
            ffi::handle(&x),
            ffi::handle(&weight),
            handle(&bias),
            handle(&added),
            relu,
            &mut out,
        )
    })?;
    Ok(ffi::own(out))
}

fn plain(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    then: Then<'_>,
) -> Result<Tensor, TorchExtensionError> {
    let product = match bias {
        Some(bias) => bias.f_addmm(x, weight)?,
        None => x.f_matmul(weight)?,
    };
    Ok(match then {
        Then::Nothing => product,
        Then::Relu => product.f_relu()?,
        Then::Add(added) => product.f_add(added)?,
    })
}

fn check(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    added: Option<&Tensor>,
) -> Result<(), TorchExtensionError> {
    let (x, weight) = (x.size(), weight.size());
    let wrong = |argument, found: &[i64], expected: String| {
        Err(TorchExtensionError::Argument { argument, found: format!("is {found:?}"), expected })
    };
    let &[inputs, outputs] = weight.as_slice() else {
        return wrong("weight", &weight, "[inputs, outputs]".to_owned());
    };
    if x.len() != 2 || x[1] != inputs {
        return wrong("x", &x, format!("[rows, {inputs}]"));
    }
    if let Some(bias) = bias.map(Tensor::size).filter(|size| *size != [outputs]) {
        return wrong("bias", &bias, format!("[{outputs}]"));
    }
    if let Some(added) = added.map(Tensor::size).filter(|size| *size != [x[0], outputs]) {
        return wrong("what is added", &added, format!("[{}, {outputs}]", x[0]));
    }
    Ok(())
}
