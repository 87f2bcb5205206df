/// Errors of calls into C++.
#[derive(Debug, thiserror::Error)]
pub enum TorchExtensionError {
    /// An argument does not fit; the C++ function was not called.
    #[error("{argument} {found}, expected {expected}")]
    Argument {
        /// Name of the argument, e.g. `rows`.
        argument: &'static str,
        /// The value or shape that was passed.
        found: String,
        /// The value or shape that is required.
        expected: String,
    },
    /// A C++ exception, by the first line of its message, or a failed system call.
    #[error("libtorch: {0}")]
    Torch(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] tch::TchError),
}
