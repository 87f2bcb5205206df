//! Named tensors of a network, all of them pieces of one flat tensor: made from a seed, written to and read from
//! safetensors bytes. Operations on all values (an optimiser's step, a copy, a sum over ranks) use the flat tensor.

use common::{RunSeed, Stream};
use rand::Rng;
use rand::distr::Uniform;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

use crate::PolicyError;

/// Pieces start at multiples of this many values: 64 bytes of `f32`, the size of a cache line and of the widest SIMD
/// register.
const ALIGNMENT: i64 = 16;

/// The parameters of one network, in the order in which its layers asked for them.
///
/// Each is a view of [`Parameters::values`], and its gradient a view of [`Parameters::gradients`]. Between the pieces
/// lie a few values that belong to nobody: they are zero and their gradients, too.
#[derive(Debug)]
pub struct Parameters {
    named: Vec<(String, Tensor)>,
    offsets: Vec<i64>,
    values: Tensor,
    gradients: Tensor,
}

impl Parameters {
    /// Moves the tensors that layers hold into one flat tensor, and gives each a gradient that is a piece of another.
    fn new(named: Vec<(String, Tensor)>) -> Self {
        let mut offsets = Vec::with_capacity(named.len());
        let mut length = 0;
        for (_, tensor) in &named {
            offsets.push(length);
            length += (tensor.numel() as i64 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
        let options = |(_, tensor): &(String, Tensor)| (tensor.kind(), tensor.device());
        let (kind, device) = named.first().map_or((Kind::Float, Device::Cpu), options);
        let zeros = || Tensor::zeros([length], (kind, device));
        let parameters = Parameters { named, offsets, values: zeros(), gradients: zeros() };
        // A gradient exists only after a backward; this one makes them all.
        let total = parameters.named.iter().map(|(_, tensor)| tensor.sum(kind) * 0.0).sum::<Tensor>();
        if total.requires_grad() {
            total.backward();
        }
        let pieces = [parameters.split(&parameters.values), parameters.split(&parameters.gradients)];
        let [values, gradients] = pieces;
        tch::no_grad(|| {
            for ((_, tensor), ((_, mut value), (_, gradient))) in
                parameters.named.iter().zip(values.into_iter().zip(gradients))
            {
                value.copy_(tensor);
                tensor.shallow_clone().set_data(&value);
                tensor.grad().set_data(&gradient);
            }
        });
        parameters
    }

    /// Name and tensor of each parameter. The tensors share memory with the network's.
    pub fn named(&self) -> &[(String, Tensor)] {
        &self.named
    }

    /// All values as one flat tensor, `[padded number of values]`, which shares memory with the network's tensors.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// All gradients as one flat tensor of the shape of [`Parameters::values`]; a backward pass adds to it. It holds
    /// zeros for a parameter that does not contribute to the loss.
    pub fn gradients(&self) -> &Tensor {
        &self.gradients
    }

    /// Views of `flat`, a tensor with the layout of [`Parameters::values`], one for each parameter, with its name and
    /// shape.
    #[must_use]
    pub fn split(&self, flat: &Tensor) -> Vec<(String, Tensor)> {
        let view = |((name, tensor), &offset): (&(String, Tensor), &i64)| {
            let piece = flat.narrow(0, offset, tensor.numel() as i64).view(tensor.size().as_slice());
            (name.clone(), piece)
        };
        self.named.iter().zip(&self.offsets).map(view).collect()
    }

    /// Copies every value from `other`, which has the same layout.
    ///
    /// # Errors
    /// [`PolicyError::Tensor`] where shapes differ.
    pub fn copy_from(&self, other: &Parameters) -> Result<(), PolicyError> {
        tch::no_grad(|| self.values.shallow_clone().f_copy_(&other.values))?;
        Ok(())
    }

    /// The values as safetensors bytes, with `metadata` in the header.
    ///
    /// # Errors
    /// [`PolicyError::Tensor`] where a value cannot be read, [`PolicyError::NotFinite`] where it is no number.
    pub fn to_bytes(&self, metadata: &[(&str, String)]) -> Result<Vec<u8>, PolicyError> {
        self.check_finite()?;
        encode_tensors(&self.named, metadata)
    }

    /// Refuses values that are not finite, so that they are never sent or stored as weights.
    ///
    /// # Errors
    /// [`PolicyError::NotFinite`] that names the parameter.
    pub fn check_finite(&self) -> Result<(), PolicyError> {
        let is_finite = |tensor: &Tensor| tensor.isfinite().all().int64_value(&[]) != 0;
        if is_finite(&self.values) {
            return Ok(());
        }
        let culprit = self.named.iter().find(|(_, tensor)| !is_finite(tensor));
        let name = culprit.map_or("?", |(name, _)| name);
        Err(PolicyError::NotFinite(format!("the weights `{name}` are")))
    }

    /// Replaces every value by the one of its name in safetensors `bytes`.
    ///
    /// # Errors
    /// [`PolicyError::Weights`] where the bytes are damaged, a name is missing or unknown, or a shape differs, and
    /// [`PolicyError::NotFinite`]; the values are then those of before.
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
            if value.isfinite().all().int64_value(&[]) == 0 {
                return Err(PolicyError::NotFinite(format!("the weights `{name}` are")));
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

/// Named tensors as safetensors bytes; values are converted to `f32`.
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

/// The inverse of [`encode_tensors`]: tensors of `Float` on the CPU.
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
    named: Vec<(String, Tensor)>,
    options: (Kind, Device),
}

impl Initialiser {
    /// Draws values from `seed`, as tensors of the given kind and device. `first` is the number of the first random
    /// stream, which differs between networks.
    pub(crate) fn new(seed: RunSeed, first: u64, options: (Kind, Device)) -> Self {
        Initialiser { seed, next: first, named: Vec::new(), options }
    }

    /// Adds a parameter with values uniform in ±`bound`.
    pub(crate) fn uniform(&mut self, name: String, shape: &[i64], bound: f64) -> Tensor {
        let mut rng = self.seed.rng(Stream::Weights, self.next);
        self.next += 1;
        let count = shape.iter().product::<i64>() as usize;
        let range = Uniform::new_inclusive(-bound, bound).expect("the bound is positive and finite");
        let values: Vec<f32> = (0..count).map(|_| rng.sample(range) as f32).collect();
        let tensor =
            Tensor::from_slice(&values).view(shape).to_device(self.options.1).to_kind(self.options.0);
        self.add(name, tensor)
    }

    /// Adds a parameter whose values are all `value`.
    pub(crate) fn constant(&mut self, name: String, shape: &[i64], value: f64) -> Tensor {
        self.next += 1;
        self.add(name, Tensor::full(shape, value, self.options))
    }

    /// Returns all added parameters as those of one network.
    pub(crate) fn finish(self) -> Parameters {
        Parameters::new(self.named)
    }

    /// Keeps a parameter and returns a handle on the same memory.
    fn add(&mut self, name: String, value: Tensor) -> Tensor {
        let value = value.set_requires_grad(true);
        self.named.push((name, value.shallow_clone()));
        value
    }
}

/// The values of a tensor as `f32`, row by row.
pub(crate) fn numbers(tensor: &Tensor) -> Result<Vec<f32>, PolicyError> {
    Ok(Vec::try_from(&tensor.f_contiguous()?.f_view([-1])?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (Parameters, [Tensor; 3]) {
        let mut init = Initialiser::new(RunSeed(1), 0, (Kind::Float, Device::Cpu));
        let tensors = [
            init.uniform("a".to_owned(), &[3, 5], 1.0),
            init.constant("b".to_owned(), &[4], 2.0),
            init.uniform("c".to_owned(), &[1, 2, 16], 1.0),
        ];
        (init.finish(), tensors)
    }

    #[test]
    fn layers_work_on_pieces_of_the_flat_tensor() {
        let (parameters, [a, b, c]) = made();
        assert_eq!(parameters.values().size(), [16 + 16 + 32]);
        let sum = |tensor: &Tensor| tensor.sum(Kind::Double).double_value(&[]);
        let (before, rest) = (sum(&a), sum(&c) + 8.0);
        assert!((sum(parameters.values()) - before - rest).abs() < 1e-5);
        let _ = tch::no_grad(|| parameters.values().shallow_clone().f_mul_scalar_(3.0).unwrap());
        assert!((sum(&a) - 3.0 * before).abs() < 1e-5);
        assert_eq!(sum(&b), 24.0);
    }

    #[test]
    fn backwards_add_up_in_the_flat_gradient() {
        let (parameters, [a, b, _]) = made();
        for _ in 0..2 {
            (a.sum(Kind::Float) * 3.0 + b.square().sum(Kind::Float)).backward();
        }
        let gradients = parameters.split(parameters.gradients());
        let expected = [6.0, 8.0, 0.0].map(f64::from);
        for ((name, gradient), expected) in gradients.iter().zip(expected) {
            assert_eq!(gradient.min().double_value(&[]), expected, "{name}");
            assert_eq!(gradient.max().double_value(&[]), expected, "{name}");
        }
        assert_eq!(parameters.gradients().narrow(0, 15, 1).double_value(&[0]), 0.0);
    }
}
