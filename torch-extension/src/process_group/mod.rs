//! Processes that compute together: c10d's store and process group, exchanges between ranks that gradients flow
//! through, and a heartbeat that tells which rank is lost.
//!
//! Tensors of CPUs travel over Gloo, those of GPUs over NCCL, which is found by name when a group on GPUs is joined
//! (docs/decisions/nccl-by-name.md): a build needs neither CUDA nor NCCL.

mod ffi;
mod group;
mod heartbeat;
mod store;

pub use group::{PendingSum, ProcessGroup, Splits};
pub use heartbeat::{Heartbeat, LostRank, departure, leave};
pub use store::Store;
