//! What C++ offers, and the one way in which it is called.

use std::ffi::{CStr, c_char};

use tch::Tensor;
use torch_sys::C_tensor;

use crate::TorchExtensionError;

unsafe extern "C" {
    pub(crate) fn longshore_attend(
        tensors: *const *const C_tensor,
        heads: i64,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    pub(crate) fn longshore_has_attention(heads: i64, head_width: i64) -> bool;
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
