//! GPUs, with the program that was built without them: libtorch's CUDA half is loaded when a GPU is asked for, and not
//! before.
//!
//! GPUs must be asked for before the first backward of the process: libtorch starts a thread for each device that it
//! then knows, once.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::OnceLock;

use tch::Device;

use crate::ffi;

/// Says where `libtorch_cuda.so` is, where it is neither beside `libtorch_cpu.so` nor on the loader's path.
pub const LIBRARY_VARIABLE: &str = "LONGSHORE_LIBTORCH_CUDA";

/// The release that this crate is compiled for; its halves must be of one release.
const LIBTORCH: &str = "2.11.0";
const DRIVER: &str = "libcuda.so.1";
const LIBRARY: &str = "libtorch_cuda.so";

/// Why there is no GPU to compute on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CudaError {
    /// The machine has no driver.
    #[error("no NVIDIA driver on this machine ({0})")]
    NoDriver(String),
    /// The driver is there, libtorch's CUDA half is not, or lacks a library that it needs.
    #[error(
        "{LIBRARY} cannot be loaded: {}; install the CUDA build of libtorch {LIBTORCH}, or name the file in {LIBRARY_VARIABLE}",
        .0.join("; ")
    )]
    NoLibrary(Vec<String>),
    /// Everything was loaded, but no device answers.
    #[error("the driver and {LIBRARY} are there, but no device answers")]
    NoDevice,
    /// The machine has fewer devices than the requested number needs.
    #[error("there is no cuda:{asked}: this machine has {found}, counted from 0")]
    NoSuchDevice {
        /// The requested device number, counted from 0.
        asked: usize,
        /// Number of devices of this machine.
        found: usize,
    },
}

/// Loads the CUDA libraries once and returns the number of GPUs.
///
/// # Errors
/// [`CudaError`]; later calls return the same error.
pub fn load() -> Result<usize, CudaError> {
    static FOUND: OnceLock<Result<usize, CudaError>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

/// The device of this number, ready to compute.
///
/// # Errors
/// As [`load`], and [`CudaError::NoSuchDevice`].
pub fn device(number: usize) -> Result<Device, CudaError> {
    match load()? {
        found if number < found => Ok(Device::Cuda(number)),
        found => Err(CudaError::NoSuchDevice { asked: number, found }),
    }
}

fn find() -> Result<usize, CudaError> {
    open(DRIVER).map_err(CudaError::NoDriver)?;
    let mut refusals = Vec::new();
    for candidate in candidates() {
        match open(&candidate.to_string_lossy()) {
            Ok(()) => {
                let devices = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
                return if devices > 0 { Ok(devices) } else { Err(CudaError::NoDevice) };
            }
            Err(why) => refusals.push(why),
        }
    }
    Err(CudaError::NoLibrary(refusals))
}

/// Paths to try: the user's if it is set; else beside the loaded `libtorch_cpu.so`, then on the loader's path.
fn candidates() -> Vec<PathBuf> {
    if let Some(path) = std::env::var_os(LIBRARY_VARIABLE) {
        return vec![path.into()];
    }
    let beside = crate::loaded_libtorch().map(|path| path.with_file_name(LIBRARY));
    beside.into_iter().chain([PathBuf::from(LIBRARY)]).collect()
}

fn open(path: &str) -> Result<(), String> {
    let name = CString::new(path).map_err(|_| format!("`{path}` holds a zero byte"))?;
    // SAFETY: the name ends with a zero byte and outlives the call. What a library does as it is loaded is its own
    // affair; these are the ones that CUDA programs are linked with.
    let refusal = unsafe { ffi::longshore_open_library(name.as_ptr()) };
    if refusal.is_null() { Ok(()) } else { Err(ffi::take_text(refusal)) }
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;
    use crate::attention::{Inputs, attend, attend_plain};
    use crate::{EdgeLayout, Edges};

    #[test]
    fn a_machine_without_gpu_says_so_and_one_with_computes_the_same() {
        let device = match device(0) {
            Ok(device) => device,
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("NVIDIA") || text.contains(LIBRARY), "{text}");
                // Nothing to compare with.
                return;
            }
        };
        let edges = Edges {
            source_nodes: 3,
            target_nodes: 3,
            sources: &[0, 1, 2, 2],
            targets: &[1, 1, 0, 1],
            relations: &[0, 1, 1, 0],
            features: &[0.5, -1.0, 2.0, 0.0],
            feature_width: 1,
        };
        let layout = || EdgeLayout::new(&edges).unwrap();
        let rows = |count: i64| Tensor::arange(count * 8, (Kind::Float, Device::Cpu)).sin().view([count, 8]);
        let (source, target, attention, edge) =
            (rows(3), rows(3) * 0.5, rows(1).view([8]), rows(4).view([2, 2, 8]));
        let inputs =
            Inputs { source: &source, target: &target, attention: &attention, edge: Some(&edge), heads: 2 };
        let expected = attend_plain(&inputs, &layout()).unwrap();
        let moved = [&source, &target, &attention, &edge].map(|tensor| tensor.to_device(device));
        let [source, target, attention, edge] = &moved;
        let inputs = Inputs { source, target, attention, edge: Some(edge), heads: 2 };
        let found = attend(&inputs, &layout().to_device(device)).unwrap().to_device(Device::Cpu);
        assert!((found - expected).abs().max().double_value(&[]) < 1e-5);
    }
}
