//! The learnt scheduler: graph encoder, action heads, value network, sampling, and the files that hold them.

mod batch;
mod checkpoint;
mod encoder;
mod error;
mod heads;
mod layers;
mod network;
mod observer;
mod parameters;
mod sampling;
mod scheduler;
mod segment;

pub use batch::GraphBatch;
pub use checkpoint::{Checkpoint, FileEntry, Manifest, find_checkpoint, write_checkpoint};
pub use error::PolicyError;
pub use network::{Evaluation, PolicyNetwork, ValueNetwork};
pub use observer::schema_of;
pub use parameters::{Parameters, decode_tensors, encode_tensors};
pub use scheduler::{Behaviour, PolicyScheduler, Record};

/// Whether the linked libtorch loads and computes; a first tensor shows it.
#[must_use]
pub fn libtorch_computes() -> bool {
    let total = tch::Tensor::f_from_slice(&[1.0_f32, 2.0]).and_then(|tensor| tensor.f_sum(tch::Kind::Float));
    total.is_ok_and(|total| total.double_value(&[]) == 3.0)
}

/// Sets the threads of tensor operations in this process; 0: every core.
pub fn set_threads(threads: usize) {
    let threads = if threads == 0 { std::thread::available_parallelism().map_or(1, Into::into) } else { threads };
    tch::set_num_threads(threads as i32);
}
