//! Processes that compute together: c10d's store and process group, exchanges between ranks that gradients flow through, and
//! a heartbeat that says who is gone.
//!
//! The transport is Gloo, between the CPUs. There is no NCCL here: `ProcessGroupNCCL` lives in `libtorch_cuda.so`, and its
//! headers need those of CUDA and NCCL, which a build for the CPU does not have.

mod ffi;
mod group;
mod heartbeat;
mod store;

pub use group::{PendingSum, ProcessGroup, Splits};
pub use heartbeat::{Heartbeat, LostRank, departure, leave};
pub use store::Store;
