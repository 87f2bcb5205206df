/// What can go wrong on the way into C++ and within.
#[derive(Debug, thiserror::Error)]
pub enum TorchExtensionError {
    /// An argument does not fit; nothing was called.
    #[error("{argument} {found}, expected {expected}")]
    Argument {
        /// Which one.
        argument: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// libtorch threw.
    #[error("libtorch: {0}")]
    Torch(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] tch::TchError),
}
