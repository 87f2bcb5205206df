//! The project's own C++ behind a safe face: fused graph attention, kernels for small networks, and what libtorch has
//! but tch does not offer. `unsafe` lives here alone: shapes, kinds and layouts are checked before a pointer crosses,
//! and exceptions come back as errors.

pub mod attention;
pub mod cuda;
mod error;
mod ffi;
pub mod inference;
mod layout;
pub mod linear;
pub mod process_group;

pub use error::TorchExtensionError;
pub use layout::{EdgeLayout, Edges, EnteringEdge};

/// Keeps memory that tensors free for those that come: without it the C library maps every large one anew and returns
/// it to the system, which clears each page each time (docs/decisions/allocation.md). Large tensors come from a pool
/// that never maps more than was in use at once. For the start of a program, before there are threads and tensors.
pub fn keep_freed_memory() {
    ffi::longshore_keep_freed_memory();
}

/// The file of the libtorch that this process computes with, where the system tells: Linux lists every mapped library.
#[must_use]
pub fn loaded_libtorch() -> Option<std::path::PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    paths.find(|path| path.contains("libtorch_cpu")).map(Into::into)
}
