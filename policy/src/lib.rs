//! The learnt scheduler: graph encoder, action heads, value network, sampling, and the files that hold them.

mod batch;
mod checkpoint;
mod choices;
mod edge_list;
mod encoder;
mod error;
mod exchange;
mod explain;
mod exploration;
mod flat;
mod heads;
mod hidden_edges;
mod inference;
mod layers;
mod neighbours;
mod network;
mod observer;
mod options;
mod parameters;
mod preferences;
#[cfg(test)]
mod random_states;
mod rules;
mod sampling;
mod scheduler;
mod segment;
mod spread;
mod threads;

pub use batch::GraphBatch;
pub use checkpoint::{Checkpoint, FileEntry, Manifest, find_checkpoint, write_checkpoint};
pub use error::{PolicyError, exit_code_within};
pub use exchange::ExchangedRows;
pub use explain::{Explanation, Heard, ScoredOption};
pub use exploration::Behaviour;
pub use network::{EPISODE_FACTS, EpisodeFacts, Evaluation, PolicyNetwork, ValueNetwork};
pub use observer::schema_of;
pub use parameters::{Parameters, decode_tensors, encode_tensors};
pub use preferences::{preference_header, preference_in};
pub use rules::{check_prior, check_teacher};
pub use scheduler::{PolicyScheduler, Record};
pub use spread::{Placement, collate_part, messages};

pub use tch::Device;
pub use threads::{ThreadChoice, let_waiting_threads_sleep, set_threads};
pub use torch_extension::keep_freed_memory;

/// Computes a sum with libtorch and returns a line for `longshore doctor` that names the loaded file.
///
/// # Errors
/// A description of what failed.
pub fn libtorch_check() -> Result<String, String> {
    let total = tch::Tensor::f_from_slice(&[1.0_f32, 2.0]).and_then(|tensor| tensor.f_sum(tch::Kind::Float));
    match total {
        Ok(total) if total.double_value(&[]) == 3.0 => {}
        Ok(total) => return Err(format!("1 + 2 gave {total:?}")),
        Err(error) => return Err(error.to_string()),
    }
    let path = torch_extension::loaded_libtorch();
    Ok(path.map_or("computes".to_owned(), |path| format!("computes; loaded from {}", path.display())))
}

/// The libtorch device for `device`; loads the CUDA libraries for a GPU. Call it before the first network is made,
/// because libtorch counts its devices once.
///
/// # Errors
/// [`PolicyError::Cuda`] where there is no such GPU, or a CUDA library is missing.
pub fn device(device: configuration::Device) -> Result<Device, PolicyError> {
    match device {
        configuration::Device::Cuda(number) => Ok(torch_extension::cuda::device(number as usize)?),
        configuration::Device::Cpu => Ok(Device::Cpu),
    }
}

/// A line of text that says which GPUs can be used, or why there is none.
#[must_use]
pub fn cuda_check() -> String {
    match torch_extension::cuda::load() {
        Ok(devices) => format!("{devices} to compute on, cuda:0 to cuda:{}", devices - 1),
        Err(error) => format!("none: {error}"),
    }
}
