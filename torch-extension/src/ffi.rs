//! What C++ offers, and the one way in which it is called.

use std::ffi::{CStr, c_char};

use tch::Tensor;
use torch_sys::C_tensor;

use crate::TorchExtensionError;

/// As in `kernels.h`.
#[repr(C)]
pub(crate) struct Linear {
    pub(crate) inputs: i64,
    pub(crate) outputs: i64,
    pub(crate) weight: *const f32,
    pub(crate) bias: *const f32,
    pub(crate) relu: bool,
}

/// As in `kernels.h`.
#[repr(C)]
pub(crate) struct Attention {
    pub(crate) heads: i64,
    pub(crate) head_width: i64,
    pub(crate) features: i64,
}

/// As in `kernels.h`.
#[repr(C)]
pub(crate) struct Edges {
    pub(crate) offsets: *const i32,
    pub(crate) sources: *const i32,
    pub(crate) relations: *const i32,
    pub(crate) features: *const f32,
}

/// As in `kernels.h`.
#[repr(C)]
pub(crate) struct Projections {
    pub(crate) source: *const f32,
    pub(crate) target: *const f32,
    pub(crate) attention: *const f32,
    pub(crate) edge: *const f32,
}

unsafe extern "C" {
    pub(crate) safe fn longshore_keep_freed_memory();
    pub(crate) fn longshore_attend(
        tensors: *const *const C_tensor,
        heads: i64,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    pub(crate) fn longshore_linear_operation(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        add: *const C_tensor,
        relu: bool,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    pub(crate) fn longshore_has_attention(heads: i64, head_width: i64) -> bool;
    pub(crate) fn longshore_linear(
        linear: *const Linear,
        x: *const f32,
        rows: i64,
        add: *const f32,
        out: *mut f32,
    );
    pub(crate) fn longshore_layer_norm(
        x: *const f32,
        rows: i64,
        width: i64,
        gain: *const f32,
        bias: *const f32,
        out: *mut f32,
    );
    pub(crate) fn longshore_attention(
        shape: *const Attention,
        edges: *const Edges,
        projections: *const Projections,
        targets: i64,
        out: *mut f32,
    );
    pub(crate) fn longshore_open_library(path: *const c_char) -> *mut c_char;
    fn longshore_free_message(message: *mut c_char);
}

/// Turns what a guarded C++ function returned into a result.
pub(crate) fn check(message: *mut c_char) -> Result<(), TorchExtensionError> {
    if message.is_null() {
        return Ok(());
    }
    let text = take_text(message);
    // The first line says it; what follows is libtorch's own call stack.
    Err(TorchExtensionError::Torch(text.lines().next().unwrap_or("an error without words").to_owned()))
}

/// Takes over a string that C++ made with malloc.
pub(crate) fn take_text(text: *mut c_char) -> String {
    assert!(!text.is_null(), "C++ made a string");
    // SAFETY: the string ends with a zero byte and only we hold it.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        longshore_free_message(text);
        copy
    }
}

/// The C++ object of a tensor; valid as long as `tensor` lives.
pub(crate) fn handle(tensor: &Tensor) -> *const C_tensor {
    tensor.as_ptr()
}

/// Takes over a tensor that C++ made with `new`.
pub(crate) fn own(tensor: *mut C_tensor) -> Tensor {
    assert!(!tensor.is_null(), "a call that succeeded made a tensor");
    // SAFETY: the pointer is a `torch::Tensor*` made with `new`, which is what `Tensor` holds and will delete.
    unsafe { Tensor::from_ptr(tensor) }
}
