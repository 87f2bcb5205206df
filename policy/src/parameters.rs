//! Named tensors of a network: made from a seed, written to and read from safetensors bytes.

use common::{RunSeed, Stream};
use rand::Rng;
use rand::distr::Uniform;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

use crate::PolicyError;

/// The parameters of one network, in the order in which its layers asked for them.
#[derive(Debug, Default)]
pub struct Parameters {
    named: Vec<(String, Tensor)>,
}

impl Parameters {
    /// Name and tensor of each parameter. The tensors share memory with the network's.
    pub fn named(&self) -> &[(String, Tensor)] {
        &self.named
    }

    /// Adds a parameter and returns a handle on the same memory.
    pub(crate) fn add(&mut self, name: String, value: Tensor) -> Tensor {
        let value = value.set_requires_grad(true);
        self.named.push((name, value.shallow_clone()));
        value
    }

    /// Copies every value from `other`, which has the same layout.
    ///
    /// # Errors
    /// [`PolicyError::Tensor`] where shapes differ.
    pub fn copy_from(&self, other: &Parameters) -> Result<(), PolicyError> {
        tch::no_grad(|| {
            for ((_, mine), (_, theirs)) in self.named.iter().zip(&other.named) {
                mine.shallow_clone().f_copy_(theirs)?;
            }
            Ok(())
        })
    }

    /// The values as safetensors bytes, with `metadata` in the header.
    ///
    /// # Errors
    /// [`PolicyError::Tensor`] where a value cannot be read.
    pub fn to_bytes(&self, metadata: &[(&str, String)]) -> Result<Vec<u8>, PolicyError> {
        encode_tensors(&self.named, metadata)
    }

    /// Replaces every value by the one of its name in safetensors `bytes`.
    ///
    /// # Errors
    /// [`PolicyError::Weights`] where the bytes are damaged, a name is missing or unknown, or a shape differs; the
    /// values are then those of before.
    pub fn read_bytes(&self, bytes: &[u8]) -> Result<(), PolicyError> {
        let read = decode_tensors(bytes)?;
        for (name, tensor) in &self.named {
            let found = read.iter().find(|(other, _)| other == name);
            let (_, value) =
                found.ok_or_else(|| PolicyError::Weights(format!("parameter `{name}` is missing")))?;
            if value.size() != tensor.size() {
                return Err(PolicyError::Weights(format!(
                    "parameter `{name}` has shape {:?} where this network has {:?}",
                    value.size(),
                    tensor.size()
                )));
            }
        }
        if read.len() != self.named.len() {
            return Err(PolicyError::Weights(format!(
                "{} parameters, expected {}",
                read.len(),
                self.named.len()
            )));
        }
        tch::no_grad(|| {
            for (name, tensor) in &self.named {
                if let Some((_, value)) = read.iter().find(|(other, _)| other == name) {
                    tensor.shallow_clone().f_copy_(value)?;
                }
            }
            Ok(())
        })
    }
}

/// Named `f32` tensors as safetensors bytes.
///
/// # Errors
/// [`PolicyError::Tensor`] where a value cannot be read.
pub fn encode_tensors(
    named: &[(String, Tensor)],
    metadata: &[(&str, String)],
) -> Result<Vec<u8>, PolicyError> {
    let mut data: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::with_capacity(named.len());
    for (name, tensor) in named {
        let flat = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
        let values: Vec<f32> = Vec::try_from(&flat)?;
        let shape = tensor.size().iter().map(|&side| side as usize).collect();
        data.push((name.clone(), shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()));
    }
    let mut views = Vec::with_capacity(data.len());
    for (name, shape, bytes) in &data {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes)
            .map_err(|error| PolicyError::Weights(error.to_string()))?;
        views.push((name.as_str(), view));
    }
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    safetensors::serialize(views, Some(metadata)).map_err(|error| PolicyError::Weights(error.to_string()))
}

/// The inverse of [`encode_tensors`].
///
/// # Errors
/// [`PolicyError::Weights`] where the bytes are damaged.
pub fn decode_tensors(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, PolicyError> {
    let read = SafeTensors::deserialize(bytes).map_err(|error| PolicyError::Weights(error.to_string()))?;
    let mut named = Vec::with_capacity(read.len());
    for (name, view) in read.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(PolicyError::Weights(format!(
                "parameter `{name}` is {:?}, expected F32",
                view.dtype()
            )));
        }
        let chunks = view.data().chunks_exact(4);
        let values: Vec<f32> = chunks.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let shape: Vec<i64> = view.shape().iter().map(|&side| side as i64).collect();
        named.push((name, Tensor::f_from_slice(&values)?.f_view(shape.as_slice())?));
    }
    Ok(named)
}

/// Draws initial values; each parameter has a stream of its own, so that adding one changes no other.
pub(crate) struct Initialiser {
    seed: RunSeed,
    next: u64,
    /// What was made so far.
    pub(crate) parameters: Parameters,
    kind: Kind,
}

impl Initialiser {
    /// For values of `kind`, drawn from `seed`; `first` keeps the streams of several networks apart.
    pub(crate) fn new(seed: RunSeed, first: u64, kind: Kind) -> Self {
        Initialiser { seed, next: first, parameters: Parameters::default(), kind }
    }

    /// Uniform in ±bound.
    pub(crate) fn uniform(&mut self, name: String, shape: &[i64], bound: f64) -> Tensor {
        let mut rng = self.seed.rng(Stream::Weights, self.next);
        self.next += 1;
        let count = shape.iter().product::<i64>() as usize;
        let range = Uniform::new_inclusive(-bound, bound).expect("the bound is positive and finite");
        let values: Vec<f32> = (0..count).map(|_| rng.sample(range) as f32).collect();
        let tensor = Tensor::from_slice(&values).view(shape).to_device(Device::Cpu).to_kind(self.kind);
        self.parameters.add(name, tensor)
    }

    /// All the same.
    pub(crate) fn constant(&mut self, name: String, shape: &[i64], value: f64) -> Tensor {
        self.next += 1;
        self.parameters.add(name, Tensor::full(shape, value, (self.kind, Device::Cpu)))
    }
}
